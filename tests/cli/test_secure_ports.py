"""The secure ports of controllers and scheduler: what they tell, and to whom."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from .parts import NODE, READY, SECONDS, Parts, bound, serving_certificate, wait_until, write_kubeconfig


def test_secure_ports_go_by_the_api_servers_word(parts: Parts, tmp_path: Path) -> None:
    """Health is told to anybody, metrics to those whom RBAC allows it, as upstream's components do."""
    api, controllers, scheduler = free_ports(3)
    (tmp_path / "tokens.csv").write_text('sesame,admin,1,"system:masters"\nseen,prometheus,2\n')
    serve = [
        f"--secure-port={api}", f"--token-auth-file={tmp_path / 'tokens.csv'}", "--authorization-mode=Node,RBAC",
        f"--storage=sqlite:{tmp_path / 'store.db'}", f"--cert-dir={tmp_path / 'certificates'}",
    ]  # fmt: skip
    parts.start("apiserver", *serve)
    wait_until(lambda: serving_certificate(api))
    write_kubeconfig(tmp_path, api)
    file = tmp_path / "kubeconfig"
    asked = [f"--kubeconfig={file}", f"--authentication-kubeconfig={file}", f"--authorization-kubeconfig={file}"]
    parts.start("controller-manager", *asked, "--leader-elect=true", f"--secure-port={controllers}")
    parts.start("scheduler", *asked, f"--secure-port={scheduler}", "--bind-address=127.0.0.1")
    rule = "--verb=get", "--non-resource-url=/metrics", "--non-resource-url=/metrics/*"
    parts.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
    for port in (controllers, scheduler):
        assert wait_until(lambda port=port: page(port, "/healthz"))[0] == 200
        assert page(port, "/metrics") == (403, forbidden("system:anonymous"))
        assert page(port, "/metrics", "nobody's")[0] == 401
        assert page(port, "/metrics", "seen") == (403, forbidden("prometheus"))
        assert "+]ping ok" in page(port, "/livez?verbose", "seen")[1]
        assert page(port, "/nothing", "sesame")[0] == 404
        assert "secure-port" in page(port, "/flagz", "sesame")[1]
    parts.kubectl("create", "clusterrole", "scraper", *rule)
    parts.kubectl("create", "clusterrolebinding", "scraper", "--clusterrole=scraper", "--user=prometheus")
    told = wait_until(lambda: metrics(controllers, "/metrics", 'workqueue_adds_total{name="deployment"}'))
    assert told['workqueue_adds_total{name="deployment"}'] >= 1
    assert told['workqueue_work_duration_seconds_bucket{name="deployment",le="+Inf"}'] >= 1
    assert told['workqueue_depth{name="replicaset"}'] == 0
    assert told['leader_election_master_status{name="kube-controller-manager"}'] == 1
    assert told['running_managed_controllers{name="job-controller",manager="kube-controller-manager"}'] == 1
    assert told[f'rest_client_requests_total{{code="201",host="127.0.0.1:{api}",method="POST"}}'] >= 3
    failed = 'scheduler_schedule_attempts_total{profile="default-scheduler",result="unschedulable"}'
    told = wait_until(lambda: metrics(scheduler, "/metrics", failed))
    assert told[failed] >= 2
    assert told['scheduler_pending_pods{queue="unschedulable"}'] == 2
    assert told['scheduler_queue_incoming_pods_total{event="UnschedulablePodAdd",queue="active"}'] >= 2
    parts.kubectl("create", "-f", "-", input=NODE)
    parts.kubectl(
        "patch",
        "node",
        "made-by-hand",
        "--subresource=status",
        "--type=merge",
        "--patch",
        json.dumps({"status": READY}),
    )
    scheduled = 'scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"}'
    wait_until(lambda: bound(parts) == ["made-by-hand"] * 2)
    wait_until(lambda: metrics(scheduler, "/metrics", scheduled).get(scheduled) == 2)
    told = metrics(scheduler, "/metrics")
    assert told['scheduler_pending_pods{queue="unschedulable"}'] == 0
    waited = "scheduler_pod_scheduling_sli_duration_seconds_count"
    assert sum(value for name, value in told.items() if name.startswith(waited)) == 2
    parts.kubectl("set", "resources", "deployment", "web", "--requests=cpu=50m,memory=1Mi", "--limits=cpu=1")
    wait_until(lambda: any('resource="cpu",unit="cores"' in name for name in metrics(scheduler, "/metrics/resources")))
    shown = metrics(scheduler, "/metrics/resources")
    cpu = {name.partition("{")[0]: value for name, value in shown.items() if 'resource="cpu",unit="cores"' in name}
    assert cpu == {"kube_pod_resource_request": 0.05, "kube_pod_resource_limit": 1}


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in made]


def forbidden(user: str) -> str:
    message = f'forbidden: User \\"{user}\\" cannot get path \\"/metrics\\"'
    return (
        '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",'
        f'"message":"{message}","reason":"Forbidden","code":403}}\n'
    )


def page(port: int, path: str, token: str = "") -> tuple[int, str] | None:
    """Status and body of a component's page; None while nobody listens."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


def metrics(port: int, path: str, wanted: str = "") -> dict[str, float]:
    """Each series with its value; empty until Prometheus' user may read them and the wanted one is there."""
    status, body = page(port, path, "seen") or (0, "")
    lines = [line for line in body.splitlines() if not line.startswith("#")] if status == 200 else []
    found = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
    return found if not wanted or wanted in found else {}
