"""Devices that a pod waits for: of a plugin that is not there, or of a claim that its driver does not prepare."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pybernetes.api.resource_names import is_extended
from pybernetes.api.types import core_v1 as v1
from pybernetes.explain.causes import Cause
from pybernetes.explain.snapshot import Snapshot
from pybernetes.explain.terms import listed

_UNREGISTERED = re.compile(r"DRA driver (?P<driver>\S+) is not registered")
_REFUSED = re.compile(r"failed for ResourceClaim (?P<claim>\S+): (?P<why>.*)", re.DOTALL)
_REJECTED = re.compile(r"Allocate failed due to (?P<why>.*), which is unexpected", re.DOTALL)


def explain(snapshot: Snapshot, pod: v1.Pod) -> Iterator[Cause]:
    """What keeps the claims of a pod that is on its node from being prepared: the newest word."""
    for event in snapshot.events(pod, "FailedPrepareDynamicResources"):
        message, node = event.message or "", pod.spec.node_name or ""
        where = _plugins_on(node)
        if found := _UNREGISTERED.search(message):
            what = f"driver {found['driver']} of its devices is not registered on node {node}"
            yield Cause(what, seen=(message,), steps=(f"does its kubelet plugin run there? {where}",))
        elif found := _REFUSED.search(message):
            what = f"the driver did not prepare resourceclaim {found['claim']}: {found['why']}"
            yield Cause(what, seen=(message,), steps=(f"the logs of its kubelet plugin: {where}",))
        else:
            yield Cause("its devices could not be prepared", seen=(message,), steps=("kubectl get resourceclaims",))
        return


def missing(snapshot: Snapshot, resource: str) -> Cause | None:
    """Why nobody has anything of an extended resource; None if somebody has, or it is no such resource."""
    nodes = snapshot.all(v1.Node)
    if not is_extended(resource) or any(_number(node.status.allocatable.get(resource)) for node in nodes):
        return None
    known = [node.metadata.name or "" for node in nodes if resource in node.status.capacity]
    if known:
        what = f"of {resource} node {listed(known)} has none that is well: its device plugin is gone, or says so"
        return Cause(what, steps=(f"does the plugin run there? {_plugins_on(known[0])}",))
    return Cause(
        f"no node has {resource}: the device plugin that would announce it is not there",
        steps=("kubectl get pods --all-namespaces    # does it run?", "p8s logs agent    # has it registered?"),
    )


def rejected(pod: v1.Pod) -> Cause | None:
    """Why a pod that had a node could not have the devices of a plugin; None if that is not why it failed."""
    said = pod.status.message or ""
    if pod.status.reason != "UnexpectedAdmissionError" or (found := _REJECTED.search(said)) is None:
        return None
    what = f"its devices could not be allocated on node {pod.spec.node_name}: {found['why']}"
    return Cause(what, seen=(said,), steps=(f"the logs of the device plugin: {_plugins_on(pod.spec.node_name or '')}",))


def _number(amount: str | int | float | None) -> int:
    return int(amount) if amount is not None and str(amount).isdigit() else 0


def _plugins_on(node: str) -> str:
    return f"kubectl get pods --all-namespaces -o wide --field-selector spec.nodeName={node}"
