"""Disruption budgets, as far as preemption respects them: it prefers victims that no budget keeps."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.selectors.labels import from_struct
from pybernetes.api.types import policy_v1 as policy
from pybernetes.scheduler.pod import PodInfo


def violating(pods: Sequence[PodInfo], budgets: Sequence[policy.PodDisruptionBudget]) -> frozenset[str]:
    """The uids of those of `pods` whose end, in this order, would be one disruption too many."""
    left = [budget.status.disruptions_allowed or 0 for budget in budgets]
    found = set()
    for pod in pods:
        for number, budget in enumerate(budgets):
            if _keeps(budget, pod):
                left[number] -= 1
                if left[number] < 0:
                    found.add(pod.uid)
    return frozenset(found)


def _keeps(budget: policy.PodDisruptionBudget, pod: PodInfo) -> bool:
    """Whether the pod counts for the budget; an empty selector is nobody's, and who is leaving already is counted."""
    metadata = pod.pod.metadata
    if budget.metadata.namespace != metadata.namespace or budget.spec.selector is None:
        return False
    selector = from_struct(budget.spec.selector)
    if selector.is_everything or metadata.name in budget.status.disrupted_pods:
        return False
    return bool(metadata.labels) and selector.matches(metadata.labels)
