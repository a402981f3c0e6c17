"""The StatefulSet controller."""

from __future__ import annotations

import functools

import msgspec

from pybernetes.api import errors
from pybernetes.api.selectors import labels
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found
from pybernetes.controllers.history import REVISION_LABEL, History, decode
from pybernetes.controllers.ownership import CONTROLLER_INDEX, Claimer, add_owner_indexes, concerned
from pybernetes.controllers.podcontrol import PodControl, Words, in_parallel
from pybernetes.controllers.statefulset import retention
from pybernetes.controllers.statefulset.identity import (
    claims_of,
    first_ordinal,
    identity_labels,
    is_claim_of,
    ordinal_of,
    pod_of,
)
from pybernetes.controllers.statefulset.plan import Step, partition, plan_step, status_of, view_of
from pybernetes.controllers.statefulset.retention import is_beyond

replace = msgspec.structs.replace
Claim = core_v1.PersistentVolumeClaim

WORDS = Words(
    created="create Pod {pod} in StatefulSet {owner} successful",
    create_failed="create Pod {pod} in StatefulSet {owner} failed error: {error}",
    deleted="delete Pod {pod} in StatefulSet {owner} successful",
    delete_failed="delete Pod {pod} in StatefulSet {owner} failed error: {error}",
)


class StatefulSetController(KeyedController):
    """One step for each change: the pods' own events bring the next."""

    name = "statefulset-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sets = context.informers.of(apps_v1.StatefulSet)
        self.pods = context.informers.of(core_v1.Pod)
        self.claims = context.informers.of(core_v1.PersistentVolumeClaim)
        add_owner_indexes(self.pods)
        self.history = History(context, apps_v1.StatefulSet)
        self.recorder = context.recorder(self.name)
        self.control = PodControl(context, self.recorder, WORDS)
        self.claimer = Claimer(context.client, apps_v1.StatefulSet, core_v1.Pod, self.pods)
        self.sets.subscribe(self.enqueue_change)
        self.pods.subscribe(self._on_pod)
        self.claims.subscribe(self._on_claim)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        for key in concerned("StatefulSet", self.sets.list, old, new):
            self.queue.add(key)

    def _on_claim(self, old: Claim | None, new: Claim | None) -> None:
        """One that is gone is made again for a pod that still waits for it."""
        if new is None and old is not None:
            for stateful in self.sets.list(old.metadata.namespace or ""):
                if is_claim_of(stateful, old.metadata.name or ""):
                    self.enqueue(stateful)

    async def reconcile(self, key: Key) -> float | None:
        stateful = self.sets.get(key[1], key[0])
        if stateful is None or stateful.metadata.deletion_timestamp is not None:
            return None
        update = await self.history.sync(stateful)
        current = self._current_revision(stateful, update)
        pods = await self._own_pods(stateful)
        await self._keep_owners(stateful, pods)
        failed = await self._keep_identities(stateful, pods)
        step = plan_step(view_of(stateful, pods, self.context.clock.now()), update.metadata.name or "")
        error = await self._carry_out(stateful, step, current, update) or failed
        pods = self.control.present(self.pods.by_index(CONTROLLER_INDEX, stateful.metadata.uid or ""))
        view = view_of(stateful, pods, self.context.clock.now())
        await self._write(stateful, status_of(view, pods, current, update))
        used = {pod.metadata.labels.get(REVISION_LABEL, "") for pod in pods}
        await self.history.clean_up(stateful, used | {current.metadata.name or "", update.metadata.name or ""})
        if error is not None and not errors.is_namespace_terminating(error):
            raise error
        return step.until

    async def _own_pods(self, stateful: apps_v1.StatefulSet) -> list[core_v1.Pod]:
        """Others that the selector selects are none of the set's: they have no number in it."""
        selector = labels.from_struct(stateful.spec.selector)
        claimed = await self.claimer.claim(stateful, selector, lambda pod: ordinal_of(stateful, pod) is not None)
        return self.control.present(claimed)

    async def _keep_identities(
        self, stateful: apps_v1.StatefulSet, pods: list[core_v1.Pod]
    ) -> errors.StatusError | None:
        """What a pod is known by may be missing where it was adopted, and a claim where it was deleted meanwhile; the
        first error."""
        staying = [pod for pod in pods if pod.metadata.deletion_timestamp is None and not is_beyond(stateful, pod)]
        outcomes = await in_parallel([functools.partial(self._keep_identity, stateful, pod) for pod in staying])
        return next((found for found in outcomes if found is not None), None)

    async def _keep_identity(self, stateful: apps_v1.StatefulSet, pod: core_v1.Pod) -> None:
        ordinal = ordinal_of(stateful, pod)
        if ordinal is None:
            return
        if pod.status.phase == "Pending":
            await self._make_claims(stateful, ordinal)
        wanted = identity_labels(stateful, ordinal)
        if not wanted.items() <= pod.metadata.labels.items():
            patch = {"metadata": {"uid": pod.metadata.uid, "labels": wanted}}
            call = self.client.patch(core_v1.Pod, pod.metadata.name or "", pod.metadata.namespace or "", patch)
            await ignore_not_found(call)

    def _current_revision(
        self, stateful: apps_v1.StatefulSet, update: apps_v1.ControllerRevision
    ) -> apps_v1.ControllerRevision:
        name = stateful.status.current_revision
        return next((found for found in self.history.of(stateful) if found.metadata.name == name), update)

    async def _carry_out(
        self, stateful: apps_v1.StatefulSet, step: Step, current: apps_v1.ControllerRevision,
        update: apps_v1.ControllerRevision,
    ) -> errors.StatusError | None:  # fmt: skip
        """Make and delete pods; the first error."""
        kept = first_ordinal(stateful) + partition(stateful)
        made = [functools.partial(self._make, stateful, n, current if n < kept else update) for n in step.create]
        for pod in step.delete:
            self._tell_ended(stateful, pod)
        gone = [functools.partial(self.control.delete, stateful, pod) for pod in step.delete]
        outcomes = await in_parallel([*made, *gone])
        return next((found for found in outcomes if found is not None), None)

    def _tell_ended(self, stateful: apps_v1.StatefulSet, pod: core_v1.Pod) -> None:
        """A pod that ended by itself is made anew under its name."""
        name = f"StatefulSet {stateful.metadata.namespace}/{stateful.metadata.name}"
        if pod.status.phase == "Failed":
            words = f"{name} is recreating failed Pod {pod.metadata.name}"
            self.recorder.event(stateful, "Warning", "RecreatingFailedPod", words)
        elif pod.status.phase == "Succeeded":
            words = f"{name} is recreating terminated Pod {pod.metadata.name}"
            self.recorder.event(stateful, "Normal", "RecreatingTerminatedPod", words)

    async def _keep_owners(self, stateful: apps_v1.StatefulSet, pods: list[core_v1.Pod]) -> None:
        """Before a pod is scaled away its claims are given to it, if they are to go with it."""
        for pod in pods:
            ordinal = ordinal_of(stateful, pod)
            for wanted in claims_of(stateful, ordinal) if ordinal is not None else ():
                claim = self.claims.get(wanted.metadata.name or "", wanted.metadata.namespace or "")
                if claim is None or claim.metadata.deletion_timestamp is not None:
                    continue
                owners = retention.owners(stateful, pod, claim)
                if owners != claim.metadata.owner_references:
                    meta = replace(claim.metadata, owner_references=owners)
                    self.claims.assume(await self.client.update(replace(claim, metadata=meta)))

    async def _make(self, stateful: apps_v1.StatefulSet, ordinal: int, revision: apps_v1.ControllerRevision) -> None:
        """The claims first: the pod would only wait for them."""
        await self._make_claims(stateful, ordinal)
        await self.control.create(stateful, pod_of(stateful, decode(revision), ordinal, revision.metadata.name or ""))

    async def _make_claims(self, stateful: apps_v1.StatefulSet, ordinal: int) -> None:
        for claim in claims_of(stateful, ordinal):
            meta = claim.metadata
            found = self.claims.get(meta.name or "", meta.namespace or "")
            if found is not None and found.metadata.deletion_timestamp is not None:
                # The pod would mount what is about to go: it waits for a claim of its own.
                raise errors.conflict("", "persistentvolumeclaims", meta.name or "")
            if found is not None:
                continue
            owned = replace(meta, owner_references=retention.owners(stateful, None, claim))
            try:
                self.claims.assume(await self.client.create(replace(claim, metadata=owned)))
            except errors.StatusError as error:
                if not errors.is_already_exists(error):
                    raise
            else:
                pod_name = f"{stateful.metadata.name}-{ordinal}"
                message = f"create Claim {meta.name} Pod {pod_name} in StatefulSet {stateful.metadata.name} success"
                self.recorder.event(stateful, "Normal", "SuccessfulCreate", message)

    async def _write(self, stateful: apps_v1.StatefulSet, status: apps_v1.StatefulSetStatus) -> None:
        if status != stateful.status:
            self.sets.assume(await self.client.update_status(replace(stateful, status=status)))
