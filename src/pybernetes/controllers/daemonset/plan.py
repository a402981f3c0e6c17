"""Which nodes need a daemon pod, which pods are to go, and how an update moves on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct, field

from pybernetes.api.types import apps_v1, core_v1
from pybernetes.api.types.base import IntOrString
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.history import REVISION_LABEL
from pybernetes.controllers.placement import fits_node, tolerates_all

replace = msgspec.structs.replace

_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


class Step(Struct):
    """Nodes that need a pod, pods to delete, and pods among them that had failed by themselves."""

    create: list[str] = field(default_factory=list)
    delete: list[core_v1.Pod] = field(default_factory=list)
    failed: list[core_v1.Pod] = field(default_factory=list)


def daemon_spec(spec: core_v1.PodSpec, node: str) -> core_v1.PodSpec:
    """The spec of the pod for one node: bound to it by affinity, and tolerating what a daemon has to live with."""
    tolerated = [*_TOLERATED, *([_NETWORK] if spec.host_network else [])]
    more = [core_v1.Toleration(key=key, operator="Exists", effect=effect) for key, effect in tolerated]
    tolerations = [*spec.tolerations, *(found for found in more if found not in spec.tolerations)]
    return replace(spec, tolerations=tolerations, affinity=_bound(spec.affinity, node))


def _bound(affinity: core_v1.Affinity | None, node: str) -> core_v1.Affinity:
    """The node's name takes the place of what the set requires: that has been looked at already."""
    field_ = core_v1.NodeSelectorRequirement(key="metadata.name", operator="In", values=[node])
    required = core_v1.NodeSelector(node_selector_terms=[core_v1.NodeSelectorTerm(match_fields=[field_])])
    base = affinity or core_v1.Affinity()
    on_node = base.node_affinity or core_v1.NodeAffinity()
    made = replace(on_node, required_during_scheduling_ignored_during_execution=required)
    return replace(base, node_affinity=made)


def should_run(daemons: apps_v1.DaemonSet, node: core_v1.Node) -> tuple[bool, bool]:
    """Whether a pod should be started on the node, and whether one that is there may stay."""
    spec = daemons.spec.template.spec
    if not fits_node(spec, node):
        return False, False
    tolerations = daemon_spec(spec, node.metadata.name or "").tolerations
    starts = tolerates_all(tolerations, node.spec.taints, "NoSchedule", "NoExecute")
    stays = tolerates_all(tolerations, node.spec.taints, "NoExecute")
    return starts, stays


def node_of(pod: core_v1.Pod) -> str:
    """The node that a daemon pod is for, bound already or by its affinity."""
    if pod.spec.node_name:
        return pod.spec.node_name
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity is not None else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
    for term in required.node_selector_terms if required is not None else ():
        for found in term.match_fields:
            if found.key == "metadata.name" and len(found.values) == 1:
                return found.values[0]
    return ""


def by_node(pods: Iterable[core_v1.Pod]) -> dict[str, list[core_v1.Pod]]:
    found: dict[str, list[core_v1.Pod]] = {}
    for pod in pods:
        found.setdefault(node_of(pod), []).append(pod)
    return found


def plan_presence(
    daemons: apps_v1.DaemonSet, nodes: Sequence[core_v1.Node], pods: Mapping[str, Sequence[core_v1.Pod]]
) -> Step:
    """One living pod on each node that should have one, and none elsewhere; the oldest of several stays.

    What runs on a node that is gone is the pod garbage collector's; what never got there waits for nothing.
    """
    step = Step(delete=_never_placed(pods, {node.metadata.name or "" for node in nodes}))
    for node in nodes:
        name = node.metadata.name or ""
        starts, stays = should_run(daemons, node)
        here = [pod for pod in pods.get(name, ()) if pod.metadata.deletion_timestamp is None]
        failed = [pod for pod in here if pod.status.phase == "Failed"]
        succeeded = [pod for pod in here if pod.status.phase == "Succeeded"]
        living = sorted((pod for pod in here if not podstate.is_finished(pod)), key=_age)
        if stays:
            step.failed += failed
            step.delete += succeeded
            step.delete += living[1:] if not _is_surging(daemons, living) else []
            # A pod that is leaving has to be gone before another takes its ports.
            if starts and not pods.get(name):
                step.create.append(name)
        else:
            step.delete += here
    return step


def _never_placed(pods: Mapping[str, Sequence[core_v1.Pod]], nodes: Collection[str]) -> list[core_v1.Pod]:
    """Pods for nodes that are gone, which no node has taken."""
    lost = [pod for name, here in pods.items() if name and name not in nodes for pod in here]
    return [pod for pod in lost if not pod.spec.node_name and pod.metadata.deletion_timestamp is None]


def _age(pod: core_v1.Pod) -> tuple[bool, str]:
    return (not podstate.is_ready(pod), pod.metadata.creation_timestamp or "")


def _is_surging(daemons: apps_v1.DaemonSet, living: Sequence[core_v1.Pod]) -> bool:
    """Two pods of different revisions on a node are an update that makes the new one first."""
    revisions = {pod.metadata.labels.get(REVISION_LABEL) for pod in living}
    return max_surge(daemons, 1) > 0 and len(living) == 2 and len(revisions) == 2


def plan_update(
    daemons: apps_v1.DaemonSet, nodes: Sequence[core_v1.Node], pods: Mapping[str, Sequence[core_v1.Pod]],
    update_hash: str, now: datetime,
) -> Step:  # fmt: skip
    """Replace pods of another revision: delete first within maxUnavailable, or make first within maxSurge."""
    step = Step()
    strategy = daemons.spec.update_strategy
    if strategy is not None and strategy.type == "OnDelete":
        return step
    names = [node.metadata.name or "" for node in nodes if should_run(daemons, node)[0]]
    surge = max_surge(daemons, len(names))
    if surge:
        _plan_surge(step, names, pods, update_hash, surge, daemons, now)
        return step
    missing = [name for name in names if not any(_is_available(daemons, pod, now) for pod in pods.get(name, ()))]
    budget = max_unavailable(daemons, len(names)) - len(missing)
    for name in names:
        old = [pod for pod in pods.get(name, ()) if _is_old(pod, update_hash)]
        if not old:
            continue
        # A pod that is not available anyway costs nothing.
        if name in missing:
            step.delete += old
        elif budget > 0:
            step.delete += old
            budget -= 1
    return step


def _plan_surge(
    step: Step, names: Sequence[str], pods: Mapping[str, Sequence[core_v1.Pod]], update_hash: str, surge: int,
    daemons: apps_v1.DaemonSet, now: datetime,
) -> None:  # fmt: skip
    surging, candidates = 0, []
    for name in names:
        here = [pod for pod in pods.get(name, ()) if pod.metadata.deletion_timestamp is None]
        old = [pod for pod in here if pod.metadata.labels.get(REVISION_LABEL) != update_hash]
        fresh = [pod for pod in here if pod not in old]
        if not old:
            continue
        if any(_is_available(daemons, pod, now) for pod in fresh):
            step.delete += old
        elif fresh:
            surging += 1
        elif not any(_is_available(daemons, pod, now) for pod in old):
            step.create.append(name)  # nothing is lost there, so that it costs nothing
        else:
            candidates.append(name)
    step.create += candidates[: max(0, surge - surging)]


def _is_old(pod: core_v1.Pod, update_hash: str) -> bool:
    return pod.metadata.deletion_timestamp is None and pod.metadata.labels.get(REVISION_LABEL) != update_hash


def _is_available(daemons: apps_v1.DaemonSet, pod: core_v1.Pod, now: datetime) -> bool:
    return (
        podstate.is_active(pod) and podstate.seconds_until_available(pod, daemons.spec.min_ready_seconds or 0, now) == 0
    )


def _scaled(value: IntOrString | None, total: int, default: int) -> int:
    """Percentages are rounded up."""
    if isinstance(value, str):
        return -(-int(value.removesuffix("%")) * total // 100)
    return default if value is None else value


def max_unavailable(daemons: apps_v1.DaemonSet, total: int) -> int:
    rolling = daemons.spec.update_strategy.rolling_update if daemons.spec.update_strategy is not None else None
    return _scaled(rolling.max_unavailable if rolling is not None else None, total, 1)


def max_surge(daemons: apps_v1.DaemonSet, total: int) -> int:
    rolling = daemons.spec.update_strategy.rolling_update if daemons.spec.update_strategy is not None else None
    return _scaled(rolling.max_surge if rolling is not None else None, total, 0)


def status_of(
    daemons: apps_v1.DaemonSet, nodes: Iterable[core_v1.Node], pods: Mapping[str, Sequence[core_v1.Pod]],
    update_hash: str, now: datetime,
) -> apps_v1.DaemonSetStatus:  # fmt: skip
    """Counts of nodes, not of pods: a node's oldest pod speaks for it."""
    desired = current = ready = available = updated = misplaced = 0
    for node in nodes:
        starts, _ = should_run(daemons, node)
        here = sorted(pods.get(node.metadata.name or "", ()), key=_age)
        if not starts:
            misplaced += bool(here)
            continue
        desired += 1
        if here:
            current += 1
            ready += podstate.is_ready(here[0])
            available += _is_available(daemons, here[0], now)
            updated += any(pod.metadata.labels.get(REVISION_LABEL) == update_hash for pod in here)
    return apps_v1.DaemonSetStatus(
        observed_generation=daemons.metadata.generation,
        desired_number_scheduled=desired,
        current_number_scheduled=current,
        number_ready=ready,
        number_available=available or None,
        number_unavailable=(desired - available) or None,
        updated_number_scheduled=updated or None,
        number_misscheduled=misplaced,
        collision_count=daemons.status.collision_count,
        conditions=daemons.status.conditions,
    )
