"""Snapshots, and the objects in them, for tests of rules."""

from __future__ import annotations

from typing import Any

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.explain.causes import Finding
from pybernetes.explain.snapshot import Clues, Snapshot

NOW = 1_800_000_000.0
PULL = "Back-off pulling image"


def snapshot(*objects: Object, clues: Clues | None = None) -> Snapshot:
    kinds: dict[type[Object], list[Object]] = {}
    for obj in objects:
        kinds.setdefault(type(obj), []).append(obj)
    return Snapshot(kinds, NOW, clues=clues or Clues())


def node(name: str = "one", ready: str = "True", **condition: str) -> v1.Node:
    conditions = [{"type": "Ready", "status": ready, "message": "kubelet is posting ready status"}]
    conditions += [{"type": type, "status": status} for type, status in condition.items()]
    return convert(v1.Node, {"metadata": {"name": name, "uid": name}, "status": {"conditions": conditions}})


def pod(name: str = "web", image: str = "nginx:1", waiting: tuple[str, str] | None = None, **status: Any) -> v1.Pod:
    state: dict[str, Any] = (
        {"running": {}} if waiting is None else {"waiting": dict(zip(("reason", "message"), waiting, strict=True))}
    )
    container = {
        "name": "app",
        "image": image,
        "ready": waiting is None,
        "restartCount": 0,
        "imageID": "",
        "state": state,
    }
    ready = {"type": "Ready", "status": str(waiting is None)}
    return convert(
        v1.Pod,
        {
            "metadata": {"name": name, "namespace": "default", "uid": name, "labels": {"app": "web"}},
            "spec": {"nodeName": "one", "containers": [{"name": "app", "image": image}]},
            "status": {"phase": "Pending" if waiting else "Running", "conditions": [ready], "containerStatuses": [container]} | status,
        },
    )  # fmt: skip


def convert(kind: type[Object], tree: Any) -> Any:
    return msgspec.convert(tree, kind)


def words(finding: Finding) -> list[str]:
    return [each.what for cause in finding.causes for each in cause.walk()]
