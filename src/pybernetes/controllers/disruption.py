"""The disruption controller: how many pods of a PodDisruptionBudget may be evicted now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import msgspec

from pybernetes.api.selectors import labels
from pybernetes.api.time import parse_time
from pybernetes.api.types import apps_v1, core_v1, meta_v1, policy_v1
from pybernetes.api.types.base import IntOrString
from pybernetes.client.cache import Key
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController
from pybernetes.controllers.ownership import controller_of

ScaleOf: TypeAlias = Callable[[core_v1.Pod], tuple[str, int] | None]
"""The UID of a pod's controller and how many pods that wants; None if it has none."""

# An eviction that was granted, but whose pod is not seen to go, counts no longer after this.
DISRUPTION_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Budget:
    """The counts of a budget's status."""

    expected: int
    desired: int
    healthy: int

    @property
    def allowed(self) -> int:
        """Nothing may be disrupted where nothing is expected."""
        return max(0, self.healthy - self.desired) if self.expected > 0 else 0


class DisruptionController(KeyedController):
    """Keys are budgets."""

    name = "disruption-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.budgets = context.informers.of(policy_v1.PodDisruptionBudget)
        self.pods = context.informers.of(core_v1.Pod)
        self.replica_sets = context.informers.of(apps_v1.ReplicaSet)
        self.deployments = context.informers.of(apps_v1.Deployment)
        self.stateful_sets = context.informers.of(apps_v1.StatefulSet)
        self.replication_controllers = context.informers.of(core_v1.ReplicationController)
        self.recorder = context.recorder("controllermanager")
        self.budgets.subscribe(self.enqueue_change)
        self.pods.subscribe(self._on_pod)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if old is not None and new is not None and _shape(old) == _shape(new):
            return
        for pod in (old, new):
            for budget in self.budgets.list(pod.metadata.namespace or "") if pod is not None else ():
                if pod is not None and labels.from_struct(budget.spec.selector).matches(pod.metadata.labels):
                    self.enqueue(budget)

    async def reconcile(self, key: Key) -> float | None:
        budget = self.budgets.get(key[1], key[0])
        if budget is None or budget.metadata.deletion_timestamp is not None:
            return None
        pods = self.pods.list(key[0], labels.from_struct(budget.spec.selector))
        now = self.context.clock.now()
        going = pending_disruptions(budget.status.disrupted_pods, pods, now)
        healthy = sum(
            podstate.is_active(pod) and podstate.is_ready(pod) and pod.metadata.name not in going for pod in pods
        )
        counts = budget_of(budget, pods, healthy, self._scale_of)
        if counts is None:
            self.recorder.event(budget, "Warning", "NoControllers", "found no controllers for the pods of the budget")
            counts = Budget(len(pods), len(pods), healthy)
        status = status_of(budget, counts, going, self.context.now())
        if status != budget.status:
            changed = msgspec.structs.replace(budget, status=status)
            self.budgets.assume(await self.client.update_status(changed))
        ages = [(now - parse_time(moment)).total_seconds() for moment in going.values()]
        return max(0.1, DISRUPTION_SECONDS - max(ages)) if ages else None

    def _scale_of(self, pod: core_v1.Pod) -> tuple[str, int] | None:
        """The controller at the top of a pod's owners, and how many pods it wants."""
        owner = controller_of(pod)
        namespace = pod.metadata.namespace or ""
        if owner is None:
            return None
        if owner.kind == "ReplicaSet" and (found := self.replica_sets.get(owner.name, namespace)) is not None:
            above = controller_of(found)
            if above is not None and (deployment := self.deployments.get(above.name, namespace)) is not None:
                return above.uid, _replicas(deployment.spec.replicas)
            return owner.uid, _replicas(found.spec.replicas)
        if owner.kind == "StatefulSet" and (stateful := self.stateful_sets.get(owner.name, namespace)) is not None:
            return owner.uid, _replicas(stateful.spec.replicas)
        if owner.kind == "ReplicationController":
            controller = self.replication_controllers.get(owner.name, namespace)
            return (owner.uid, _replicas(controller.spec.replicas)) if controller is not None else None
        return None


def _replicas(value: int | None) -> int:
    return 1 if value is None else value


def _shape(pod: core_v1.Pod) -> tuple[object, ...]:
    return (pod.metadata.labels, podstate.is_active(pod), podstate.is_ready(pod), pod.metadata.owner_references)


def budget_of(
    budget: policy_v1.PodDisruptionBudget, pods: Sequence[core_v1.Pod], healthy: int, scale_of: ScaleOf
) -> Budget | None:
    """The counts; None if percentages are asked for and a pod has no controller to be a part of."""
    spec = budget.spec
    if spec.max_unavailable is None and isinstance(spec.min_available, int):
        return Budget(len(pods), spec.min_available, healthy)
    expected = expected_pods(pods, scale_of)
    if expected is None:
        return None
    if spec.max_unavailable is not None:
        return Budget(expected, max(0, expected - share(spec.max_unavailable, expected)), healthy)
    return Budget(expected, share(spec.min_available or 0, expected), healthy)


def expected_pods(pods: Iterable[core_v1.Pod], scale_of: ScaleOf) -> int | None:
    """The sizes of all controllers of the pods, each once."""
    scales: dict[str, int] = {}
    for pod in pods:
        found = scale_of(pod)
        if found is None:
            return None
        scales[found[0]] = found[1]
    return sum(scales.values())


def share(value: IntOrString, total: int) -> int:
    """A number, or a percentage rounded up."""
    return value if isinstance(value, int) else -(-int(value.removesuffix("%")) * total // 100)


def pending_disruptions(granted: Mapping[str, str], pods: Iterable[core_v1.Pod], now: datetime) -> dict[str, str]:
    """Evictions that were granted and whose pods are still there, unless that is too long ago."""
    waiting = {pod.metadata.name for pod in pods if pod.metadata.deletion_timestamp is None}
    return {
        name: moment
        for name, moment in granted.items()
        if name in waiting and (now - parse_time(moment)).total_seconds() < DISRUPTION_SECONDS
    }


def status_of(
    budget: policy_v1.PodDisruptionBudget, counts: Budget, going: dict[str, str], now: str
) -> policy_v1.PodDisruptionBudgetStatus:
    """The status, with the condition that says whether any disruption is allowed."""
    enough = counts.allowed > 0
    before = next((found for found in budget.status.conditions if found.type == "DisruptionAllowed"), None)
    condition = meta_v1.Condition(
        type="DisruptionAllowed",
        status=str(enough),
        reason="SufficientPods" if enough else "InsufficientPods",
        message="",
        observed_generation=budget.metadata.generation,
        last_transition_time=before.last_transition_time if before and before.status == str(enough) else now,
    )
    others = [found for found in budget.status.conditions if found.type != "DisruptionAllowed"]
    return policy_v1.PodDisruptionBudgetStatus(
        expected_pods=counts.expected,
        desired_healthy=counts.desired,
        current_healthy=counts.healthy,
        disruptions_allowed=counts.allowed,
        disrupted_pods=going,
        observed_generation=budget.metadata.generation,
        conditions=[*others, condition],
    )
