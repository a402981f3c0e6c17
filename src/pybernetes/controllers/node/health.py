"""What a node's silence and conditions mean: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pybernetes.api.types import core_v1

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
# Condition, the status that is bad, the taint.
_PRESSURES = (
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
)
_MANAGED = {(key, "NoSchedule") for key in (NOT_READY, UNREACHABLE, UNSCHEDULABLE, *(taint for _, taint in _PRESSURES))}
_MANAGED |= {(NOT_READY, "NoExecute"), (UNREACHABLE, "NoExecute")}
_POSTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


def condition(node: core_v1.Node, type: str) -> core_v1.NodeCondition | None:
    return next((found for found in node.status.conditions if found.type == type), None)


def ready_status(node: core_v1.Node) -> str:
    """ "True", "False", or "Unknown", also for a node that never said."""
    found = condition(node, "Ready")
    return found.status if found is not None and found.status else "Unknown"


def silent_conditions(node: core_v1.Node, now: str) -> list[core_v1.NodeCondition]:
    """The conditions of a node that has not been heard of for too long."""
    made = list(node.status.conditions)
    for type in _POSTED:
        found = condition(node, type)
        if found is None:
            made.append(
                core_v1.NodeCondition(
                    type=type, status="Unknown", reason="NodeStatusNeverUpdated",
                    message="Kubelet never posted node status.",
                    last_heartbeat_time=node.metadata.creation_timestamp, last_transition_time=now,
                )
            )  # fmt: skip
        elif found.status != "Unknown":
            made[made.index(found)] = msgspec.structs.replace(
                found, status="Unknown", reason="NodeStatusUnknown", message="Kubelet stopped posting node status.",
                last_transition_time=now,
            )  # fmt: skip
    return made


def taints_of(node: core_v1.Node, *, evicts: bool, now: str) -> list[core_v1.Taint]:
    """The taints that a node should have: others' as they are, and those that follow from its conditions.

    Without `evicts` (no node is well, so that the fault is likely ours; or its turn has not come) none that drives pods
    away.
    """
    kept = [taint for taint in node.spec.taints if (taint.key, taint.effect) not in _MANAGED]
    wanted = [*_no_schedule(node)]
    key = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(ready_status(node))
    if key is not None and evicts:
        wanted.append((key, "NoExecute"))
    present = {(taint.key, taint.effect): taint for taint in node.spec.taints}
    made = [present.get(found) or core_v1.Taint(key=found[0], effect=found[1], time_added=now) for found in wanted]
    return kept + made


def _no_schedule(node: core_v1.Node) -> Iterable[tuple[str, str]]:
    match ready_status(node):
        case "False":
            yield NOT_READY, "NoSchedule"
        case "Unknown":
            yield UNREACHABLE, "NoSchedule"
    for type, taint in _PRESSURES:
        found = condition(node, type)
        if found is not None and found.status == "True":
            yield taint, "NoSchedule"
    if node.spec.unschedulable:
        yield UNSCHEDULABLE, "NoSchedule"


def is_emptied(node: core_v1.Node) -> bool:
    """Whether its pods are being driven away by a taint of ours."""
    return any(taint.effect == "NoExecute" and taint.key in (NOT_READY, UNREACHABLE) for taint in node.spec.taints)


def same_taints(one: Sequence[core_v1.Taint], other: Sequence[core_v1.Taint]) -> bool:
    """Whatever their order and age."""
    return _keys(one) == _keys(other)


def _keys(taints: Sequence[core_v1.Taint]) -> set[tuple[str, str, str]]:
    return {(taint.key, taint.effect, taint.value or "") for taint in taints}
