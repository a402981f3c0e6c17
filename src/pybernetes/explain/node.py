"""Nodes that take no pods, or do not answer."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain.causes import Cause, Finding, Ref
from pybernetes.explain.snapshot import Snapshot, condition, ref
from pybernetes.explain.terms import duration, listed

PRESSURE = {
    "MemoryPressure": ("it is short of memory", "kubectl top pods -A --sort-by=memory"),
    "DiskPressure": ("its disk is nearly full", "df -h /var/lib/pybernetes"),
    "PIDPressure": ("it is short of process ids", "ps -e --no-headers | wc -l"),
    "NetworkUnavailable": ("its network is not set up", "p8s logs agent"),
}


OWN_TAINTS = frozenset(
    f"node.kubernetes.io/{what}"
    for what in ("not-ready", "unreachable", "memory-pressure", "disk-pressure", "pid-pressure", "network-unavailable")
)
"""They follow from conditions: who takes them away gets them again."""


def node_ref(name: str) -> Ref:
    return Ref("node", name)


def explain(snapshot: Snapshot, node: v1.Node) -> Finding:
    """A node: whether it answers, what it is short of, whether it takes pods."""
    name = node.metadata.name or ""
    causes = troubles(snapshot, node)
    if node.spec.unschedulable:
        causes.append(Cause("it is cordoned: it takes no new pods", steps=(f"kubectl uncordon {name}",)))
    if causes:
        return Finding(ref(node), "is not as it should be", tuple(causes))
    pods = sum(1 for pod in snapshot.all(v1.Pod) if pod.spec.node_name == name)
    taints = [f"{taint.key}:{taint.effect}" for taint in node.spec.taints]
    tainted = f"; only pods that tolerate {listed(taints)} go there" if taints else ""
    return Finding(
        ref(node), f"is Ready, runs {pods} of at most {node.status.allocatable.get('pods', '?')} pods{tainted}"
    )


def troubles(snapshot: Snapshot, node: v1.Node) -> list[Cause]:
    """Why a node is tainted by the cluster itself."""
    return [*not_ready(snapshot, node.metadata.name or ""), *pressure(node)]


def not_ready(snapshot: Snapshot, name: str) -> Iterator[Cause]:
    """Why a node is not Ready; nothing if it is, or if nothing is known."""
    node = snapshot.get(v1.Node, name)
    if node is None:
        if snapshot.is_missing(v1.Node, name):
            yield Cause(f"node {name} does not exist", steps=("kubectl get nodes",))
        return
    ready = condition(node.status.conditions, "Ready")
    if name in snapshot.clues.stopped:
        seen = (ready.message or "",) if ready is not None and ready.status != "True" else ()
        yield Cause("it is stopped, and its containers with it", node_ref(name), seen, (f"sudo p8s node start {name}",))
        return
    if ready is None or ready.status == "True":
        return
    since = duration(snapshot.age(ready.last_transition_time))
    if ready.status == "Unknown":
        what = f"its kubelet has said nothing for {since}: the node or its agent is down"
    else:
        what = f"its kubelet says that it is not ready, since {since}"
    yield Cause(what, node_ref(name), seen=(ready.message or "",), steps=("p8s status", "p8s logs agent"))


def pressure(node: v1.Node) -> Iterator[Cause]:
    """What a node is short of."""
    for type, (what, step) in PRESSURE.items():
        found = condition(node.status.conditions, type)
        if found is not None and found.status == "True":
            yield Cause(what, ref(node), seen=(f"{type}: {found.message or found.reason or ''}",), steps=(step,))
