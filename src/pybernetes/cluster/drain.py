"""Empty a node before it goes: what `kubectl drain --force --ignore-daemonsets --delete-emptydir-data` does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from pybernetes.cluster.readiness import Probe

MIRROR = "kubernetes.io/config.mirror"
MERGE_PATCH = "application/merge-patch+json"
PAUSE = 0.1
REFUSED_BY_BUDGET = 429


class Victim(NamedTuple):
    """A pod that has to go."""

    namespace: str
    name: str
    uid: str


def victims(pods: Iterable[dict[str, Any]]) -> list[Victim]:
    """All but mirror pods and those of DaemonSets, which would only come back. Pure."""
    found = []
    for pod in pods:
        meta = pod["metadata"]
        owners = {owner["kind"] for owner in meta.get("ownerReferences", []) if owner.get("controller")}
        if "DaemonSet" not in owners and MIRROR not in meta.get("annotations", {}):
            found.append(Victim(meta["namespace"], meta["name"], meta["uid"]))
    return found


def drain(probe: Probe, node: str, seconds: float) -> list[Victim]:
    """Let nothing new come, evict what is there, and wait until it has gone; returns what is left after `seconds`.

    A disruption budget that refuses is asked again until then. A node that the API server does not know is empty.
    After a Ctrl-C pods may come again, if they could before.
    """
    was_open = not is_cordoned(probe, node)
    cordon(probe, node)
    try:
        return empty(probe, node, seconds)
    except KeyboardInterrupt:
        if was_open:
            cordon(probe, node, False)
        raise


def empty(probe: Probe, node: str, seconds: float) -> list[Victim]:
    """Evict what is there, and wait; returns what is left."""
    deadline = time.monotonic() + seconds
    evicted: set[str] = set()
    while left := victims(pods_of(probe, node)):
        for victim in left:
            if victim.uid not in evicted and evict(probe, victim):
                evicted.add(victim.uid)
        if time.monotonic() > deadline:
            break
        time.sleep(PAUSE)
    return left


def cordon(probe: Probe, node: str, closed: bool = True) -> None:
    probe.send("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": closed}}, MERGE_PATCH)


def is_cordoned(probe: Probe, node: str) -> bool:
    status, body = probe.get(f"/api/v1/nodes/{node}")
    return status == 200 and bool(json.loads(body)["spec"].get("unschedulable"))


def evict(probe: Probe, victim: Victim) -> bool:
    """False if its disruption budget does not allow it now."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": victim.name, "namespace": victim.namespace},
        "deleteOptions": {"preconditions": {"uid": victim.uid}},
    }
    status, _ = probe.send("POST", f"/api/v1/namespaces/{victim.namespace}/pods/{victim.name}/eviction", body)
    return status != REFUSED_BY_BUDGET


def forget(probe: Probe, node: str) -> None:
    """Delete the node and the objects of pods that are left there: nobody is to end them any more.

    The node first, so that what takes their place goes elsewhere.
    """
    cordon(probe, node)
    probe.send("DELETE", f"/api/v1/nodes/{node}")
    for pod in pods_of(probe, node):
        meta = pod["metadata"]
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
        probe.send("DELETE", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}", body)


def pods_of(probe: Probe, node: str) -> list[dict[str, Any]]:
    status, body = probe.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")
    items: list[dict[str, Any]] = json.loads(body)["items"] if status == 200 else []
    return items
