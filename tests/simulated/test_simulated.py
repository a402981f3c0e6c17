"""Clusters of simulated nodes, started by a user without any rights."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import transcript
from tests.processes import lives
from tests.simulated.conftest import UID, Nobody

pytestmark = pytest.mark.live

HERE = Path(__file__).parent
PATIENCE = 90.0


def until(what: str, ask: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ask():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.mark.parametrize("name", ["S1_pods", "S2_stages"])
def test_transcript(name: str, shared: Nobody) -> None:
    transcript.run(HERE / f"{name}.txt", shared.environment, shared.home)


def test_an_autoscaler_is_driven_by_an_annotation(shared: Nobody) -> None:
    shared.run("kubectl", "create", "deployment", "hot", "--image=nginx")
    shared.run("kubectl", "set", "resources", "deployment", "hot", "--requests=cpu=100m")
    shared.run("kubectl", "autoscale", "deployment", "hot", "--cpu=50%", "--min=1", "--max=3")
    patch = {"spec": {"template": {"metadata": {"annotations": {"simulated.pybernetes.io/cpu": "400%"}}}}}
    shared.run("kubectl", "patch", "deployment", "hot", "-p", json.dumps(patch))
    wanted = ("kubectl", "get", "deployment", "hot", "-o", "jsonpath={.status.readyReplicas}")
    until("three replicas", lambda: shared.run(*wanted) == "3")
    shared.run("kubectl", "delete", "deployment,hpa", "hot")


def test_life_without_root_and_without_linux(nobody: Nobody) -> None:
    """The same commands, with all that only Linux has hidden; what they leave behind is nothing."""
    refused = nobody.run("p8s", "start", code=1)
    assert "p8s start --simulated" in refused
    refused = nobody.run("p8s", "status", code=3)
    assert "there is no cluster 'pybernetes' of yours\n  try: sudo " in refused
    nobody.run("portable", "start", "--simulated")
    state = nobody.home / ".local/state/pybernetes"
    assert {entry.stat().st_uid for entry in state.rglob("*")} == {UID}
    pids = [int(path.read_text()) for path in (state / ".run/pybernetes").glob("*.pid")]
    assert len(pids) == 4
    assert {os.stat(f"/proc/{pid}").st_uid for pid in pids} == {UID}
    nobody.run("kubectl", "create", "deployment", "web", "--image=nginx")
    nobody.run("kubectl", "rollout", "status", "deployment", "web", "--timeout=60s")
    pod = nobody.run("kubectl", "get", "pods", "-o", "jsonpath={.items[0].metadata.uid} {.items[0].status.podIP}")
    nobody.run("portable", "stop")
    nobody.run("portable", "start")
    again = nobody.run("kubectl", "get", "pods", "-o", "jsonpath={.items[0].metadata.uid} {.items[0].status.podIP}")
    assert again == pod
    assert "nginx of pod" in nobody.run("kubectl", "logs", "deploy/web")
    assert nobody.run("portable", "why", "deployment/web") == "deployment/web: 1 of 1 pod ready\n"
    (elsewhere := nobody.home / "elsewhere").mkdir()
    visitor = Nobody(elsewhere, {**nobody.environment, "HOME": str(elsewhere)})  # who has the kubeconfig alone
    assert visitor.run("portable", "why", "deployment/web") == "deployment/web: 1 of 1 pod ready\n"
    nobody.run("portable", "node", "add", "--simulated", "2")
    nobody.run("portable", "node", "delete", "sim-2")
    assert "has no node 'sim-2'" in nobody.run("portable", "node", "delete", "sim-2", code=1)
    for command in (("node", "stop", "sim-1"), ("image", "ls"), ("mount", "list"), ("docker-env",), ("df",)):
        assert "are simulated" in nobody.run("portable", *command, code=1)
    checked = nobody.run("portable", "doctor")
    assert "darwin: nodes are simulated here" in checked
    assert not re.search("cgroup|overlay|namespaces|inotify", checked)
    nobody.run("portable", "delete")
    assert not state.exists()
    assert not any(map(lives, pids))


def test_rules_that_cannot_be_used_make_nothing(nobody: Nobody) -> None:
    (nobody.home / "wrong.yaml").write_text("pods: [{pull: {after: soon}}]")
    said = nobody.run("p8s", "start", "--simulated", "--stages", "wrong.yaml", code=1)
    assert "wrong.yaml: pods[0].pull.after: 'soon' is no duration" in said
    assert not (nobody.home / ".local").exists()


def test_many_nodes_and_pods(nobody: Nobody) -> None:
    nobody.run("p8s", "start", "--simulated", "--nodes", "200", "--wait", "110")
    assert "200 nodes: 200 Ready" in nobody.run("p8s", "status")
    nobody.run("kubectl", "create", "deployment", "many", "--image=nginx", "--replicas=1000")
    nobody.run("kubectl", "rollout", "status", "deployment", "many", "--timeout=110s")
    nodes = nobody.run("kubectl", "get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").split()
    assert len(nodes) == 1000
    assert len(set(nodes)) == 200
