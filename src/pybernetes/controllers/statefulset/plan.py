"""The next step of a StatefulSet: which pods to make and which to delete now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from pybernetes.api.types import apps_v1, core_v1
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.history import REVISION_LABEL
from pybernetes.controllers.statefulset.identity import first_ordinal, ordinal_of


class Step(Struct):
    """Ordinals whose pod is to be made, and pods to delete; `until` is when a pod will count as available."""

    create: list[int] = field(default_factory=list)
    delete: list[core_v1.Pod] = field(default_factory=list)
    until: float | None = None


class View(Struct, frozen=True):
    """A set's pods by ordinal: those it should have, and those beyond."""

    stateful: apps_v1.StatefulSet
    replicas: Mapping[int, core_v1.Pod]
    condemned: Sequence[core_v1.Pod]
    now: datetime

    @property
    def ordinals(self) -> range:
        first = first_ordinal(self.stateful)
        return range(first, first + wanted(self.stateful))

    @property
    def is_ordered(self) -> bool:
        return self.stateful.spec.pod_management_policy != "Parallel"

    def until_available(self, pod: core_v1.Pod) -> float | None:
        """0 for a pod that is available, None for one that is not on the way."""
        if not podstate.is_active(pod):
            return None
        return podstate.seconds_until_available(pod, self.stateful.spec.min_ready_seconds or 0, self.now)


def wanted(stateful: apps_v1.StatefulSet) -> int:
    return 1 if stateful.spec.replicas is None else stateful.spec.replicas


def view_of(stateful: apps_v1.StatefulSet, pods: Sequence[core_v1.Pod], now: datetime) -> View:
    first = first_ordinal(stateful)
    numbered = {ordinal: pod for pod in pods if (ordinal := ordinal_of(stateful, pod)) is not None}
    inside = range(first, first + wanted(stateful))
    condemned = [numbered[ordinal] for ordinal in sorted(numbered, reverse=True) if ordinal not in inside]
    return View(stateful, {ordinal: numbered[ordinal] for ordinal in inside if ordinal in numbered}, condemned, now)


def plan_step(view: View, update_revision: str) -> Step:
    """Fill gaps, then shrink, then replace pods of an old revision; in order each waits for those before it."""
    step = Step()
    waits = [left for pod in (*view.replicas.values(), *view.condemned) if (left := view.until_available(pod))]
    step.until = min(waits, default=None)
    if not _fill(view, step) and not _shrink(view, step):
        _update(view, step, update_revision)
    return step


def _fill(view: View, step: Step) -> bool:
    """Make what is missing and clear away what has ended; True if the order says to wait here."""
    for ordinal in view.ordinals:
        pod = view.replicas.get(ordinal)
        if pod is None:
            step.create.append(ordinal)
        elif podstate.is_finished(pod) and pod.metadata.deletion_timestamp is None:
            step.delete.append(pod)
        elif view.until_available(pod) == 0:
            continue
        if view.is_ordered:
            return True
    return bool(step.create or step.delete)


def _shrink(view: View, step: Step) -> bool:
    """Delete pods beyond the size, in order one at a time from the last; True if that is going on.

    In order a pod that is not available holds up those before it: it may be deleted only if all of these are.
    """
    unavailable = [pod for pod in view.condemned if view.until_available(pod) != 0]
    for pod in view.condemned:
        if pod.metadata.deletion_timestamp is None and not (view.is_ordered and pod in unavailable[:-1]):
            step.delete.append(pod)
        if view.is_ordered:
            return True
    return bool(view.condemned)


def _update(view: View, step: Step, update_revision: str) -> None:
    """Replace pods of another revision from the last to the partition, one missing at a time (or maxUnavailable)."""
    if is_on_delete(view.stateful):
        return
    budget = _max_unavailable(view.stateful)
    for ordinal in reversed(view.ordinals):
        if ordinal < first_ordinal(view.stateful) + partition(view.stateful):
            return
        pod = view.replicas.get(ordinal)
        if pod is None:
            return
        if pod.metadata.labels.get(REVISION_LABEL) != update_revision and pod.metadata.deletion_timestamp is None:
            step.delete.append(pod)
            budget -= 1
        elif view.until_available(pod) != 0:
            budget -= 1
        if budget <= 0:
            return


def is_on_delete(stateful: apps_v1.StatefulSet) -> bool:
    strategy = stateful.spec.update_strategy
    return strategy is not None and strategy.type == "OnDelete"


def _max_unavailable(stateful: apps_v1.StatefulSet) -> int:
    strategy = stateful.spec.update_strategy
    rolling = strategy.rolling_update if strategy is not None else None
    value = rolling.max_unavailable if rolling is not None else None
    if isinstance(value, str):
        return max(1, int(value.removesuffix("%")) * wanted(stateful) // 100)
    return 1 if value is None else max(1, value)


def partition(stateful: apps_v1.StatefulSet) -> int:
    """How many of the first pods stay at the old revision."""
    strategy = stateful.spec.update_strategy
    rolling = strategy.rolling_update if strategy is not None else None
    return rolling.partition or 0 if rolling is not None else 0


def status_of(
    view: View, pods: Sequence[core_v1.Pod], current: apps_v1.ControllerRevision, update: apps_v1.ControllerRevision
) -> apps_v1.StatefulSetStatus:
    """The status; once an update has brought all pods to the update revision and they are ready, that is the current one.
    Pods that are replaced by whoever deletes them (OnDelete) end no update.
    """
    live = [pod for pod in pods if pod.metadata.deletion_timestamp is None and not podstate.is_finished(pod)]
    of_update = sum(pod.metadata.labels.get(REVISION_LABEL) == update.metadata.name for pod in live)
    of_current = sum(pod.metadata.labels.get(REVISION_LABEL) == current.metadata.name for pod in live)
    ready = sum(podstate.is_ready(pod) for pod in live)
    name = current.metadata.name
    if not is_on_delete(view.stateful) and of_update == len(pods) == ready == wanted(view.stateful):
        name, of_current = update.metadata.name, of_update
    return apps_v1.StatefulSetStatus(
        observed_generation=view.stateful.metadata.generation,
        replicas=len(pods),
        ready_replicas=ready or None,
        available_replicas=sum(view.until_available(pod) == 0 for pod in live),
        current_replicas=of_current or None,
        updated_replicas=of_update or None,
        current_revision=name,
        update_revision=update.metadata.name,
        collision_count=view.stateful.status.collision_count or 0,
        conditions=view.stateful.status.conditions,
    )
