"""Which pods a drain evicts, and what it does while a budget refuses."""

from __future__ import annotations

import json
from typing import Any

from pybernetes.cluster import drain as module
from pybernetes.cluster.drain import Victim, drain, forget, victims


def pod(name: str, owner: str = "", **annotations: str) -> dict[str, Any]:
    owners = [{"kind": owner, "controller": True}] if owner else []
    return {
        "metadata": {
            "name": name, "namespace": "default", "uid": f"uid-{name}",
            "annotations": annotations, "ownerReferences": owners,
        }
    }  # fmt: skip


def test_daemons_and_mirror_pods_stay() -> None:
    mirror = pod("static")
    mirror["metadata"]["annotations"] = {module.MIRROR: "hash"}
    pods = [pod("web", "ReplicaSet"), pod("lonely"), pod("log", "DaemonSet"), mirror]
    assert [victim.name for victim in victims(pods)] == ["web", "lonely"]


class Server:
    """An API server with pods of one node; a budget refuses the first `refusals` evictions."""

    def __init__(self, pods: list[dict[str, Any]], refusals: int = 0) -> None:
        self.pods, self.refusals = pods, refusals
        self.asked: list[tuple[str, str]] = []

    def get(self, path: str) -> tuple[int, bytes]:
        if path.startswith("/api/v1/nodes/"):
            return 200, b'{"spec": {}}'
        return 200, json.dumps({"items": self.pods}).encode()

    def send(self, method: str, path: str, body: Any = None, content: str = "") -> tuple[int, bytes]:
        self.asked.append((method, path))
        if path.endswith("/eviction") and self.refusals:
            self.refusals -= 1
            return 429, b""
        name = path.removesuffix("/eviction").rpartition("/")[2]
        self.pods = [pod for pod in self.pods if pod["metadata"]["name"] != name]
        return 200, b""


def test_a_budget_that_refuses_is_asked_again() -> None:
    server = Server([pod("web", "ReplicaSet"), pod("log", "DaemonSet")], refusals=2)
    assert drain(server, "n1", 30.0) == []  # type: ignore[arg-type]
    assert server.asked[0] == ("PATCH", "/api/v1/nodes/n1")
    assert [method for method, path in server.asked if path.endswith("/web/eviction")] == ["POST"] * 3
    assert [each["metadata"]["name"] for each in server.pods] == ["log"]


def test_what_does_not_go_in_time_is_named() -> None:
    server = Server([pod("web", "ReplicaSet")], refusals=1000)
    assert drain(server, "n1", 0.0) == [Victim("default", "web", "uid-web")]  # type: ignore[arg-type]


def test_a_node_is_forgotten_with_its_pods() -> None:
    server = Server([pod("log", "DaemonSet")])
    forget(server, "n1")  # type: ignore[arg-type]
    assert server.asked == [
        ("PATCH", "/api/v1/nodes/n1"),
        ("DELETE", "/api/v1/nodes/n1"),
        ("DELETE", "/api/v1/namespaces/default/pods/log"),
    ]
