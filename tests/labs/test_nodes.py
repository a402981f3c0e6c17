"""Three nodes on one machine: everything reaches everything, and nodes come and go."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.labs.test_labs import DOCKER
from tests.live import LiveCluster

pytestmark = pytest.mark.live

SECONDS = 30.0
DAEMONS = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: nginx, image: nginx, ports: [{containerPort: 80, hostPort: 8088}]}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: host}
spec:
  selector: {matchLabels: {app: host}}
  template:
    metadata: {labels: {app: host}}
    spec:
      terminationGracePeriodSeconds: 1
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      containers: [{name: box, image: busybox, command: [sleep, "100000"]}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: box}
spec:
  selector: {matchLabels: {app: box}}
  template:
    metadata: {labels: {app: box}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: box, image: busybox, command: [sleep, "100000"]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
"""


def eventually(reached: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (value := reached()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)
    return value


def fetched(address: str) -> str:
    """What the machine itself gets from there."""
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


@pytest.fixture(scope="module")
def daemons(labs_of_three: LiveCluster) -> Iterator[LiveCluster]:
    """On each node a web server, a client, and a client on the node's own network; one service for the servers."""
    cluster = labs_of_three
    cluster.kubectl("apply", "-f", "-", input=DAEMONS)
    for name in ("web", "host", "box"):
        cluster.kubectl("rollout", "status", f"daemonset/{name}", "--timeout=60s")
    yield cluster
    cluster.kubectl("delete", "-f", "-", input=DAEMONS)


def pods(cluster: LiveCluster, app: str) -> dict[str, dict[str, Any]]:
    """By node."""
    return {pod["spec"]["nodeName"]: pod for pod in cluster.get("pods", "-l", f"app={app}")["items"]}


def addresses(cluster: LiveCluster) -> list[str]:
    """Every way to a web server: pods, host ports and node ports of every node, service and load balancer."""
    service = cluster.get("service", "web")
    nodes = [node["status"]["addresses"][0]["address"] for node in cluster.get("nodes")["items"]]
    port = service["spec"]["ports"][0]["nodePort"]
    return [
        *(pod["status"]["podIP"] for pod in pods(cluster, "web").values()),
        *(f"{node}:{each}" for node in nodes for each in (port, 8088)),
        service["spec"]["clusterIP"],
        service["status"]["loadBalancer"]["ingress"][0]["ip"],
    ]


@pytest.mark.parametrize("app", ["box", "host"])
def test_pods_reach_everything_from_every_node(daemons: LiveCluster, app: str) -> None:
    ways = [*addresses(daemons), "web", "web.default.svc.cluster.local"]
    assert len(pods(daemons, app)) == 3
    for node, pod in pods(daemons, app).items():
        # Each way leads to any of three servers: on this node, on the one that is asked, on the third.
        ask = "for try in 1 2 3 4 5 6 7 8; do wget -q -O- http://{}/ | grep -q nginx || echo {}; done"
        script = "; ".join(ask.format(way, way) for way in ways)
        said = daemons.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", script)
        assert said == "", f"not reached from {node}"


def test_the_machine_reaches_everything(daemons: LiveCluster) -> None:
    port = daemons.get("service", "web")["spec"]["ports"][0]["nodePort"]
    for way in [*addresses(daemons), f"localhost:{port}", "localhost:8088"]:
        assert "Welcome to nginx" in fetched(way), way


def test_an_address_that_nobody_has_ends_on_the_machine(daemons: LiveCluster) -> None:
    """Of no node's range, and of another node's, from the network of each node."""
    start = ".".join(daemons.profile.settings.pod_cidr.split(".")[:2])
    script = "; ".join(f"wget -q -O- http://{start}.{end}/ 2>&1 & wait" for end in ("77.7", "2.77"))

    def asked(pod: dict[str, Any]) -> str:
        return daemons.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", f"{script}; true")

    with ThreadPoolExecutor() as pool:
        for said in pool.map(asked, pods(daemons, "host").values()):
            assert said.count("can't connect") == 2, said


def test_logs_exec_and_port_forward_lead_to_every_node(daemons: LiveCluster) -> None:
    for node, pod in pods(daemons, "web").items():
        name = pod["metadata"]["name"]
        command = ["kubectl", "port-forward", name, ":80"]
        with subprocess.Popen(command, env=daemons.environment, stdout=subprocess.PIPE, text=True) as forward:
            assert forward.stdout is not None
            try:
                assert "Welcome to nginx" in fetched(forward.stdout.readline().split()[2])
            finally:
                forward.terminate()
        assert daemons.kubectl("exec", name, "--", "hostname").strip() == name
        assert "GET / HTTP" in daemons.kubectl("logs", name), node


def test_each_node_is_another(daemons: LiveCluster) -> None:
    """A network of its own, and a part of the cgroups."""
    pids = {node: container_pid(pod) for node, pod in pods(daemons, "host").items()}
    spaces = {subprocess.check_output(["readlink", f"/proc/{pid}/ns/net"]) for pid in pids.values()}
    assert len(spaces) == 3
    for node, pid in pids.items():
        groups = Path(f"/proc/{pid}/cgroup").read_text()
        assert (f"/nodes/{node}/" in groups) == (node != "trio")


def container_pid(pod: dict[str, Any]) -> int:
    uid = pod["metadata"]["uid"]
    found = subprocess.run(["pgrep", "-f", "^sleep 100000"], capture_output=True, text=True).stdout.split()
    return next(int(pid) for pid in found if uid in Path(f"/proc/{pid}/cgroup").read_text())


def test_data_go_with_a_pod_that_moves(labs_of_three: LiveCluster) -> None:
    """The nodes of a machine share its disk."""
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "moving"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }  # fmt: skip
    labs_of_three.kubectl("apply", "-f", "-", input=json.dumps(claim))
    for node in ("trio-m02", "trio-m03"):
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mover"},
            "spec": {
                "nodeSelector": {"kubernetes.io/hostname": node}, "restartPolicy": "Never",
                "containers": [{
                    "name": "box", "image": "busybox", "command": ["sh", "-c", f"echo {node} >> /data/seen; cat /data/seen"],
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "moving"}}],
            },
        }  # fmt: skip
        labs_of_three.kubectl("apply", "-f", "-", input=json.dumps(pod))
        labs_of_three.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/mover", "--timeout=30s")
        said = labs_of_three.kubectl("logs", "mover")
        labs_of_three.kubectl("delete", "pod", "mover")
    labs_of_three.kubectl("delete", "persistentvolumeclaim", "moving")
    assert said.split() == ["trio-m02", "trio-m03"]


def test_a_node_comes_stops_starts_and_goes(labs_of_three: LiveCluster) -> None:
    cluster = labs_of_three
    assert "moving" not in docker_ps(cluster)
    cluster.p8s("node", "add", "worker")
    cluster.kubectl("taint", "nodes", "trio", "trio-m02", "trio-m03", "test=full:NoSchedule")
    try:
        cluster.kubectl("create", "deployment", "moving", "--image=nginx", "--replicas=2")
        cluster.kubectl("rollout", "status", "deployment/moving", "--timeout=60s")
        assert {pod["spec"]["nodeName"] for pod in cluster.get("pods", "-l", "app=moving")["items"]} == {"worker"}
        assert docker_ps(cluster).count("k8s_nginx_moving") == 2, "docker's API asks the new node, too"
        restarts = lambda: restarts_of(cluster.get("pods", "-l", "app=moving"))  # noqa: E731
        addresses = [pod["status"]["podIP"] for pod in cluster.get("pods", "-l", "app=moving")["items"]]
        cluster.p8s("node", "stop", "worker")
        for address in addresses:
            with pytest.raises(urllib.error.URLError):
                fetched(address)
        cluster.p8s("node", "start", "worker")
        eventually(lambda: restarts() == [(1, True), (1, True)])
    finally:
        cluster.kubectl("taint", "nodes", "trio", "trio-m02", "trio-m03", "test-")
    cluster.p8s("node", "delete", "worker")
    assert [node["metadata"]["name"] for node in cluster.get("nodes")["items"]] == ["trio", "trio-m02", "trio-m03"]
    cluster.kubectl("rollout", "status", "deployment/moving", "--timeout=60s")
    assert not (cluster.profile.state / "nodes" / "worker").exists()
    assert not (cluster.profile.run / "netns" / "worker").exists()
    cluster.kubectl("delete", "deployment", "moving")


def docker_ps(cluster: LiveCluster) -> str:
    host = {"DOCKER_HOST": f"unix://{cluster.profile.run / 'docker.sock'}"}
    command = ["docker", "ps", "--format", "{{.Names}}"]
    return subprocess.run(
        command, env={**cluster.environment, **host, "PATH": DOCKER}, capture_output=True, text=True, check=True
    ).stdout


def restarts_of(pods: dict[str, Any]) -> list[tuple[int, bool]]:
    states = [pod["status"]["containerStatuses"][0] for pod in pods["items"]]
    return [(state["restartCount"], state["ready"]) for state in states]


def test_what_cannot_be_is_told(labs_of_three: LiveCluster) -> None:
    for arguments, words in (
        (("delete", "trio"), "has the control plane"),
        (("stop", "nobody"), "has no node 'nobody'"),
        (("add", "trio-m02"), "has a node 'trio-m02' already"),
    ):
        with pytest.raises(AssertionError, match=words):
            labs_of_three.p8s("node", *arguments)
