"""Nodes that are emptied: what keeps their pods from leaving."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pybernetes.api.selectors import labels
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import policy_v1
from pybernetes.explain import disruption, node, terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.snapshot import Snapshot


def explain(snapshot: Snapshot, found: v1.Node) -> Finding:
    """A node; of one that is cordoned, as a drain does it, also what would hold the drain up."""
    finding = node.explain(snapshot, found)
    if not found.spec.unschedulable:
        return finding
    here = [pod for pod in snapshot.all(v1.Pod) if pod.spec.node_name == found.metadata.name and not _has_ended(pod)]
    return replace(finding, causes=(*finding.causes, *_protected(snapshot, here), *_dying(snapshot, here)))


def _protected(snapshot: Snapshot, here: list[v1.Pod]) -> Iterator[Cause]:
    """Budgets that allow no eviction of a pod of the node."""
    for budget in snapshot.all(policy_v1.PodDisruptionBudget):
        wanted = labels.from_struct(budget.spec.selector)
        pods = [pod for pod in here if pod.metadata.namespace == budget.metadata.namespace]
        if budget.status.disruptions_allowed or not any(wanted.matches(pod.metadata.labels) for pod in pods):
            continue
        finding = disruption.explain(snapshot, budget)
        if finding.is_broken:
            yield finding.as_cause()


def _dying(snapshot: Snapshot, here: list[v1.Pod]) -> Iterator[Cause]:
    """Pods that were evicted and do not go."""
    for pod in here:
        if pod.metadata.deletion_timestamp is not None:
            finding = terminating.explain(snapshot, pod)
            if finding.is_broken:
                yield finding.as_cause()


def _has_ended(pod: v1.Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed") and pod.metadata.deletion_timestamp is None
