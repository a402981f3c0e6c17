"""The disruption controller: how many pods of a PodDisruptionBudget may be evicted now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.selectors import labels
from pybernetes.api.time import parse_time
from pybernetes.api.types import apps_v1, core_v1, meta_v1, policy_v1
from pybernetes.api.types.base import IntOrString
from pybernetes.client.cache import Key
from pybernetes.client.discovery import find_kind
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController
from pybernetes.controllers.gotext import as_go_prints
from pybernetes.controllers.ownership import controller_of

Scale: TypeAlias = tuple[str, int] | None
"""The UID of a pod's controller and how many pods that wants; None for a pod that has no controller."""

UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of the "
    "PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set "
    '".spec.minAvailable" field of the PDB to an integer value.'
)


class NoScaleError(Exception):
    """A controller that does not say how many pods it wants, in upstream's words."""


# An eviction that was granted, but whose pod is not seen to go, counts no longer after this.
DISRUPTION_SECONDS = 120.0
# A scale that could not be had is asked for again after this: nobody tells when its kind gets one.
NO_SCALE_SECONDS = 60.0


class Budget(Struct, frozen=True):
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
        if not len(self.budgets) or (old is not None and new is not None and _shape(old) == _shape(new)):
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
        self._tell_of_stayers(budget, [pod for pod in pods if pod.metadata.name not in going])
        healthy = sum(
            podstate.is_active(pod) and podstate.is_ready(pod) and pod.metadata.name not in going for pod in pods
        )
        if not pods:
            self.recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        try:
            scales = await self._scales(pods) if needs_scales(budget) else []
        except NoScaleError as error:
            await self._fail_safe(budget, str(error))
            return NO_SCALE_SECONDS
        if None in scales:
            words = UNMANAGED.format(as_go_prints(budget.spec.selector))
            self.recorder.event(budget, "Warning", "UnmanagedPods", words)
        counts = budget_of(budget, len(pods), healthy, scales)
        status = status_of(budget, counts, going, self.context.now())
        await self._write(budget, status)
        ages = [(now - parse_time(moment)).total_seconds() for moment in going.values()]
        return max(0.1, DISRUPTION_SECONDS - max(ages)) if ages else None

    def _tell_of_stayers(self, budget: policy_v1.PodDisruptionBudget, pods: Iterable[core_v1.Pod]) -> None:
        """Pods whose eviction was granted, and who are there as if it had not been."""
        for pod in pods:
            if pod.metadata.name in budget.status.disrupted_pods and pod.metadata.deletion_timestamp is None:
                place = f"{budget.metadata.namespace}/{budget.metadata.name}"
                words = f"Pod was expected by PDB {place} to be deleted but it wasn't"
                self.recorder.event(pod, "Warning", "NotDeleted", words)

    async def _fail_safe(self, budget: policy_v1.PodDisruptionBudget, why: str) -> None:
        """What cannot be reckoned allows nothing."""
        words = f"Failed to calculate the number of expected pods: {why}"
        self.recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", words)
        condition = Condition("False", "SyncFailed", why)
        await self._write(budget, with_condition(budget, condition, 0, self.context.now()))

    async def _write(self, budget: policy_v1.PodDisruptionBudget, status: policy_v1.PodDisruptionBudgetStatus) -> None:
        if status != budget.status:
            changed = msgspec.structs.replace(budget, status=status)
            self.budgets.assume(await self.client.update_status(changed))

    async def _scales(self, pods: Sequence[core_v1.Pod]) -> list[Scale]:
        """Of each pod; each owner is asked once. Raises NoScaleError."""
        owners = [owner.uid if (owner := controller_of(pod)) is not None else "" for pod in pods]
        known = {uid: await self._scale_of(pod) for uid, pod in dict(zip(owners, pods, strict=True)).items()}
        return [known[uid] for uid in owners]

    async def _scale_of(self, pod: core_v1.Pod) -> Scale:
        """The controller at the top of a pod's owners, and how many pods it wants."""
        owner, namespace = controller_of(pod), pod.metadata.namespace or ""
        if owner is None:
            return None
        if owner.kind == "ReplicaSet" and (found := self.replica_sets.get(owner.name, namespace)) is not None:
            above = controller_of(found)
            if above is None:
                return owner.uid, _replicas(found.spec.replicas)
            owner = above
        wanted: apps_v1.Deployment | apps_v1.StatefulSet | core_v1.ReplicationController | None = None
        match owner.kind:
            case "Deployment":
                wanted = self.deployments.get(owner.name, namespace)
            case "StatefulSet":
                wanted = self.stateful_sets.get(owner.name, namespace)
            case "ReplicationController":
                wanted = self.replication_controllers.get(owner.name, namespace)
        if wanted is not None and wanted.metadata.uid == owner.uid:
            return owner.uid, _replicas(wanted.spec.replicas)
        return owner.uid, await self._asked_scale(owner, namespace)

    async def _asked_scale(self, owner: meta_v1.OwnerReference, namespace: str) -> int:
        """Of a kind of somebody's own: whatever its `scale` subresource says. Raises NoScaleError."""
        resource = await find_kind(self.client, owner.api_version, owner.kind)
        if resource is None:
            raise NoScaleError(f'no matches for kind "{owner.kind}" in version "{owner.api_version}"')
        try:
            scale = await self.client.get(resource, owner.name, namespace, subresource="scale")
        except errors.StatusError as error:
            if errors.is_not_found(error):
                words = f"{resource.group_resource} does not implement the scale subresource"
                raise NoScaleError(words) from error
            raise
        replicas: int = scale["spec"].get("replicas", 0)
        return replicas


def _replicas(value: int | None) -> int:
    return 1 if value is None else value


def _shape(pod: core_v1.Pod) -> tuple[object, ...]:
    return (pod.metadata.labels, podstate.is_active(pod), podstate.is_ready(pod), pod.metadata.owner_references)


def needs_scales(budget: policy_v1.PodDisruptionBudget) -> bool:
    """Whether the budget is a part of all pods that there should be."""
    return budget.spec.max_unavailable is not None or not isinstance(budget.spec.min_available, int)


def budget_of(budget: policy_v1.PodDisruptionBudget, pods: int, healthy: int, scales: Sequence[Scale]) -> Budget:
    """The counts; `scales` is that of each pod, where `needs_scales`. Pods without a controller count for nothing."""
    spec = budget.spec
    if spec.max_unavailable is None and isinstance(spec.min_available, int):
        return Budget(pods, spec.min_available, healthy)
    expected = sum(dict(scale for scale in scales if scale is not None).values())
    if spec.max_unavailable is not None:
        return Budget(expected, max(0, expected - share(spec.max_unavailable, expected)), healthy)
    return Budget(expected, share(spec.min_available or 0, expected), healthy)


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


class Condition(Struct, frozen=True):
    """What `DisruptionAllowed` says."""

    status: str
    reason: str
    message: str = ""


def status_of(
    budget: policy_v1.PodDisruptionBudget, counts: Budget, going: dict[str, str], now: str
) -> policy_v1.PodDisruptionBudgetStatus:
    """The status, with the condition that says whether any disruption is allowed."""
    enough = counts.allowed > 0
    condition = Condition(str(enough), "SufficientPods" if enough else "InsufficientPods")
    return msgspec.structs.replace(
        with_condition(budget, condition, counts.allowed, now),
        expected_pods=counts.expected,
        desired_healthy=counts.desired,
        current_healthy=counts.healthy,
        disrupted_pods=going,
        observed_generation=budget.metadata.generation,
    )


def with_condition(
    budget: policy_v1.PodDisruptionBudget, condition: Condition, allowed: int, now: str
) -> policy_v1.PodDisruptionBudgetStatus:
    """The status as it is, but for what it allows and why."""
    before = next((found for found in budget.status.conditions if found.type == "DisruptionAllowed"), None)
    same = before is not None and before.status == condition.status
    made = meta_v1.Condition(
        type="DisruptionAllowed",
        status=condition.status,
        reason=condition.reason,
        message=condition.message,
        observed_generation=budget.metadata.generation,
        last_transition_time=before.last_transition_time if before is not None and same else now,
    )
    others = [found for found in budget.status.conditions if found.type != "DisruptionAllowed"]
    return msgspec.structs.replace(budget.status, conditions=[*others, made], disruptions_allowed=allowed)
