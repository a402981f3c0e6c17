"""PodDisruptionBudgets."""

from __future__ import annotations

from pybernetes.api.selectors import labels
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import policy_v1
from pybernetes.explain import pods, terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.nearest import nearest
from pybernetes.explain.snapshot import Snapshot, ref
from pybernetes.explain.terms import count


def explain(snapshot: Snapshot, budget: policy_v1.PodDisruptionBudget) -> Finding:
    """A budget: whether a pod of it may be evicted, and why not."""
    if budget.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, budget)
    namespace, status = budget.metadata.namespace or "", budget.status
    wanted = labels.from_struct(budget.spec.selector)
    selected = [pod for pod in snapshot.all(v1.Pod, namespace) if wanted.matches(pod.metadata.labels)]
    if not selected:
        return Finding(ref(budget), "protects nothing", (_selects_nothing(snapshot, budget, namespace),))
    allowed = status.disruptions_allowed or 0
    facts = f"allows {count(allowed, 'eviction')}: {status.current_healthy or 0} of {count(len(selected), 'pod')} healthy, {status.desired_healthy or 0} have to be"
    if allowed:
        return Finding(ref(budget), facts)
    because = pods.causes(snapshot, selected)
    if because:
        return Finding(ref(budget), facts, (Cause("too many of its pods are not healthy", because=because),))
    cause = Cause(
        "it wants all pods that there are, so that none may be evicted: a drain of their nodes waits for ever",
        steps=("more replicas, or a smaller minAvailable: " + snapshot.command("edit", ref(budget)),),
    )
    return Finding(ref(budget), facts, (cause,))


def _selects_nothing(snapshot: Snapshot, budget: policy_v1.PodDisruptionBudget, namespace: str) -> Cause:
    asked = budget.spec.selector.match_labels if budget.spec.selector else {}
    there = {f"{k}={v}" for pod in snapshot.all(v1.Pod, namespace) for k, v in pod.metadata.labels.items()}
    close = [name for k, v in asked.items() for name in nearest(f"{k}={v}", there, 1)]
    text = ",".join(f"{k}={v}" for k, v in asked.items())
    return Cause(
        f"its selector {text} matches no pod" + (f"; pods have {close[0]}" if close else ""),
        steps=(f"kubectl get pods{snapshot.within(namespace)} --show-labels",),
    )
