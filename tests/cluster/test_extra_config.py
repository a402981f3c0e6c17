"""What a user gives the components of a cluster by `--extra-config`, and what these tell on their ports."""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.live import LiveCluster, live_cluster

pytestmark = pytest.mark.live
AUDIT = '{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata", "verbs": ["create"]}]}'


def page(cluster: LiveCluster, port: int, path: str, token: str = "") -> tuple[int, str]:
    url = f"https://{cluster.profile.node_address}:{port}{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_files_are_found_from_where_one_types_and_stay_with_the_cluster(mirror: str, tmp_path: Path) -> None:
    """Also after a stop; controllers and scheduler tell their metrics to whom RBAC lets."""
    (tmp_path / "audit.yaml").write_text(AUDIT)
    log = tmp_path / "audit.log"
    before = Path.cwd()
    os.chdir(tmp_path)
    given = ["apiserver.audit-policy-file=audit.yaml", f"apiserver.audit-log-path={log}", "scheduler.v=1"]
    try:
        options = [part for each in given for part in ("--extra-config", each)]
        with live_cluster("extra", mirror, tmp_path, *options) as cluster:
            os.chdir(before)
            cluster.kubectl("create", "serviceaccount", "prometheus")
            audited = [json.loads(line)["objectRef"].get("name") for line in log.read_text().splitlines()]
            assert "prometheus" in audited
            rule = "--verb=get", "--non-resource-url=/metrics", "--non-resource-url=/metrics/resources"
            cluster.kubectl("create", "clusterrole", "scraper", *rule)
            account = "--serviceaccount=default:prometheus"
            cluster.kubectl("create", "clusterrolebinding", "scraper", "--clusterrole=scraper", account)
            token = cluster.kubectl("create", "token", "prometheus").strip()
            cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
            cluster.kubectl("rollout", "status", "deployment", "web", "--timeout=30s")
            for port in (10257, 10259):
                assert page(cluster, port, "/healthz") == (200, "ok")
                assert page(cluster, port, "/metrics")[0] == 403
            assert 'workqueue_adds_total{name="deployment"}' in page(cluster, 10257, "/metrics", token)[1]
            told = page(cluster, 10259, "/metrics", token)[1]
            assert 'scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"} 2' in told
            cluster.p8s("stop")
            cluster.start()
            log.unlink(missing_ok=True)
            cluster.p8s("restart")
            cluster.kubectl("create", "serviceaccount", "again")
            assert '"name":"again"' in log.read_text()
            assert page(cluster, 10259, "/healthz") == (200, "ok")
    finally:
        os.chdir(before)
