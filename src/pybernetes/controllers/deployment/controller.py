"""The Deployment controller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pybernetes.api import errors
from pybernetes.api.selectors import labels
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found
from pybernetes.controllers.deployment import revision as revisions
from pybernetes.controllers.deployment import rollout
from pybernetes.controllers.deployment import status as states
from pybernetes.controllers.deployment.rollout import Resize, View
from pybernetes.controllers.ownership import (
    CONTROLLER_INDEX,
    Claimer,
    add_owner_indexes,
    concerned,
    controller_of,
    reference,
)

replace = msgspec.structs.replace


class DeploymentController(KeyedController):
    """Makes ReplicaSets of a Deployment's template and moves pods between them by resizing them."""

    name = "deployment-controller"
    workers = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.deployments = context.informers.of(apps_v1.Deployment)
        self.sets = context.informers.of(apps_v1.ReplicaSet)
        self.pods = context.informers.of(core_v1.Pod)
        self.recorder = context.recorder(self.name)
        add_owner_indexes(self.sets)
        add_owner_indexes(self.pods)
        self.claimer = Claimer(context.client, apps_v1.Deployment, apps_v1.ReplicaSet, self.sets)
        self.deployments.subscribe(self.enqueue_change)
        self.sets.subscribe(self._on_set)
        self.pods.subscribe(self._on_pod)

    def _on_set(self, old: apps_v1.ReplicaSet | None, new: apps_v1.ReplicaSet | None) -> None:
        for key in concerned("Deployment", self.deployments.list, old, new):
            self.queue.add(key)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        """Recreate waits for the last old pod to go; other strategies learn what they need from their sets."""
        if new is not None or old is None or (owner := controller_of(old)) is None or owner.kind != "ReplicaSet":
            return
        found = self.sets.get(owner.name, old.metadata.namespace or "")
        if found is not None and (above := controller_of(found)) is not None:
            self.queue.add((found.metadata.namespace or "", above.name))

    async def reconcile(self, key: Key) -> float | None:
        deployment = self.deployments.get(key[1], key[0])
        if deployment is None:
            return None
        selector = labels.from_struct(deployment.spec.selector)
        if selector.is_everything:
            await self._refuse(deployment)
            return None
        sets = await self.claimer.claim(deployment, selector)
        if deployment.metadata.deletion_timestamp is not None:
            await self._write(deployment, states.base_status(_view(deployment, sets), self.context.now()))
            return None
        current = self._with_pause_noted(deployment)
        view = _view(current, sets)
        if deployment.spec.paused or rollout.is_scaling(view):
            await self._scale(view)
            return None
        if view.is_rolling:
            return await self._roll(view)
        return await self._recreate(view)

    async def _refuse(self, deployment: apps_v1.Deployment) -> None:
        message = "This deployment is selecting all pods. A non-empty selector is required."
        self.recorder.event(deployment, "Warning", "SelectingAll", message)
        status = replace(deployment.status, observed_generation=deployment.metadata.generation)
        await self._write(deployment, status)

    def _with_pause_noted(self, deployment: apps_v1.Deployment) -> apps_v1.Deployment:
        """While paused, time does not count against the deadline; a rollout that timed out stays so."""
        current = states.condition(deployment.status.conditions, states.PROGRESSING)
        if not states.has_deadline(deployment) or (current is not None and current.reason == states.TIMED_OUT):
            return deployment
        noted = current is not None and current.reason == states.PAUSED
        if bool(deployment.spec.paused) == noted:
            return deployment
        reason, message = (
            (states.RESUMED, "Deployment is resumed") if noted else (states.PAUSED, "Deployment is paused")
        )
        return self._with_claim(deployment, states.Claim(states.PROGRESSING, "Unknown", reason, message))

    def _with_claim(self, deployment: apps_v1.Deployment, claim: states.Claim) -> apps_v1.Deployment:
        """A copy with the condition; it is written together with the rest of the status."""
        conditions = states.with_condition(list(deployment.status.conditions), claim, self.context.now())
        return replace(deployment, status=replace(deployment.status, conditions=conditions))

    async def _scale(self, view: View) -> None:
        """The size was changed, or the Deployment is paused: keep proportions, begin nothing new."""
        if view.new is not None:
            view = await self._refresh_new(view, view.new)
        await self._resize(view, rollout.plan_scaling(view))
        if view.deployment.spec.paused:
            await self._clean_up(view)
        await self._write(view.deployment, states.base_status(self._current(view), self.context.now()))

    async def _roll(self, view: View) -> float | None:
        view = await self._with_new(view)
        if not await self._resize(view, rollout.plan_rolling(view)):
            await self._clean_up_if_complete(view)
        return await self._write_rollout(view)

    async def _recreate(self, view: View) -> float | None:
        """All old pods go before the first new one comes."""
        shrink = [Resize(found, 0) for found in view.old if rollout.replicas_of(found) > 0]
        if await self._resize(view, shrink) or self._has_running_pods(view.old):
            return await self._write_rollout(view)
        view = await self._with_new(view)
        if view.new is not None:
            await self._resize(view, [Resize(view.new, view.replicas)])
        await self._clean_up_if_complete(view)
        return await self._write_rollout(view)

    def _has_running_pods(self, sets: Sequence[apps_v1.ReplicaSet]) -> bool:
        found = (pod for one in sets for pod in self.pods.by_index(CONTROLLER_INDEX, one.metadata.uid or ""))
        return any(not podstate.is_finished(pod) for pod in found)

    async def _with_new(self, view: View) -> View:
        """The view with a new set, made if there is none."""
        return await self._create_new(view) if view.new is None else await self._refresh_new(view, view.new)

    async def _refresh_new(self, view: View, new: apps_v1.ReplicaSet) -> View:
        """Bring the new set's annotations up to date: it becomes the newest revision also when it is an old one."""
        number = revisions.next_revision(view.old)
        annotations = revisions.new_set_annotations(view.deployment, new.metadata.annotations, number)
        change: dict[str, Any] = {}
        if annotations != new.metadata.annotations:
            change["metadata"] = {"annotations": annotations}
        if (new.spec.min_ready_seconds or 0) != (view.deployment.spec.min_ready_seconds or 0):
            change["spec"] = {"minReadySeconds": view.deployment.spec.min_ready_seconds or 0}
        if change:
            new = await self._patch_set(new, change)
        deployment = await self._with_revision(view.deployment, new.metadata.annotations.get(revisions.REVISION, ""))
        progress = states.condition(deployment.status.conditions, states.PROGRESSING)
        if states.has_deadline(deployment) and progress is None:
            message = f'Found new replica set "{new.metadata.name}"'
            claim = states.Claim(states.PROGRESSING, "True", "FoundNewReplicaSet", message)
            deployment = self._with_claim(deployment, claim)
        return View(deployment, new, view.old)

    async def _create_new(self, view: View) -> View:
        deployment = view.deployment
        wanted = self._new_set(view)
        try:
            new = await self.client.create(wanted)
        except errors.StatusError as error:
            if errors.is_already_exists(error):
                new = await self._existing(deployment, wanted)
            else:
                await self._note_failure(deployment, wanted, error)
                raise
        else:
            if count := rollout.replicas_of(new):
                message = f"Scaled up replica set {new.metadata.name} from 0 to {count}"
                self.recorder.event(deployment, "Normal", "ScalingReplicaSet", message)
            if states.has_deadline(deployment):
                message = f'Created new replica set "{new.metadata.name}"'
                claim = states.Claim(states.PROGRESSING, "True", "NewReplicaSetCreated", message)
                deployment = self._with_claim(deployment, claim)
        self.sets.assume(new)
        deployment = await self._with_revision(deployment, new.metadata.annotations.get(revisions.REVISION, ""))
        return View(deployment, new, view.old)

    def _new_set(self, view: View) -> apps_v1.ReplicaSet:
        deployment = view.deployment
        hashed = revisions.template_hash(deployment.spec.template, deployment.status.collision_count or 0)
        template = deployment.spec.template
        pod_labels = {**template.metadata.labels, revisions.HASH_LABEL: hashed}
        selector = deployment.spec.selector
        annotations = revisions.new_set_annotations(deployment, {}, revisions.next_revision(view.old))
        return apps_v1.ReplicaSet(
            metadata=meta_v1.ObjectMeta(
                name=f"{deployment.metadata.name}-{hashed}",
                namespace=deployment.metadata.namespace,
                labels=pod_labels,
                annotations={**annotations, **revisions.size_annotations(view.replicas, view.surge)},
                owner_references=[reference(deployment)],
            ),
            spec=apps_v1.ReplicaSetSpec(
                replicas=rollout.first_size(view),
                min_ready_seconds=deployment.spec.min_ready_seconds,
                selector=replace(selector, match_labels={**selector.match_labels, revisions.HASH_LABEL: hashed}),
                template=replace(template, metadata=replace(template.metadata, labels=pod_labels)),
            ),
        )

    async def _existing(self, deployment: apps_v1.Deployment, wanted: apps_v1.ReplicaSet) -> apps_v1.ReplicaSet:
        """A set of that name is there: ours from before, or another template with the same hash."""
        meta = wanted.metadata
        found = await self.client.get(apps_v1.ReplicaSet, meta.name or "", meta.namespace or "")
        owner = controller_of(found)
        ours = owner is not None and owner.uid == deployment.metadata.uid
        if ours and revisions.same_template(found.spec.template, deployment.spec.template):
            return found
        collisions = (deployment.status.collision_count or 0) + 1
        await self._write(deployment, replace(deployment.status, collision_count=collisions))
        raise errors.already_exists("apps", "replicasets", meta.name or "")

    async def _note_failure(
        self, deployment: apps_v1.Deployment, wanted: apps_v1.ReplicaSet, error: errors.StatusError
    ) -> None:
        if errors.is_namespace_terminating(error):
            return
        message = f'Failed to create new replica set "{wanted.metadata.name}": {error.message}'
        if states.has_deadline(deployment):
            claim = states.Claim(states.PROGRESSING, "False", "ReplicaSetCreateError", message)
            noted = self._with_claim(deployment, claim)
            await self._write(noted, noted.status)
        self.recorder.event(deployment, "Warning", "ReplicaSetCreateError", message)

    async def _with_revision(self, deployment: apps_v1.Deployment, revision: str) -> apps_v1.Deployment:
        """Write the new set's revision on the Deployment; goes on with the spec that this reconcile looks at.

        Written with the status, where annotations do not count as a new generation.
        """
        if not revision or deployment.metadata.annotations.get(revisions.REVISION) == revision:
            return deployment
        patch = {"metadata": {"uid": deployment.metadata.uid, "annotations": {revisions.REVISION: revision}}}
        name, namespace = deployment.metadata.name or "", deployment.metadata.namespace or ""
        patched = await self.client.patch(
            apps_v1.Deployment, name, namespace, patch, PatchType.MERGE, subresource="status"
        )
        self.deployments.assume(patched)
        metadata = replace(patched.metadata, generation=deployment.metadata.generation)
        return replace(deployment, metadata=metadata)

    async def _resize(self, view: View, plan: Sequence[Resize]) -> bool:
        """Carry a plan out; whether any size changed."""
        changed = False
        for step in plan:
            before = rollout.replicas_of(step.target)
            wanted = revisions.size_annotations(view.replicas, view.surge)
            fresh = wanted.items() <= step.target.metadata.annotations.items()
            if before == step.replicas and fresh:
                continue
            change = {"metadata": {"annotations": wanted}, "spec": {"replicas": step.replicas}}
            await self._patch_set(step.target, change)
            if before != step.replicas:
                changed = True
                direction = "up" if step.replicas > before else "down"
                name = step.target.metadata.name
                message = f"Scaled {direction} replica set {name} from {before} to {step.replicas}"
                self.recorder.event(view.deployment, "Normal", "ScalingReplicaSet", message)
        return changed

    async def _patch_set(self, found: apps_v1.ReplicaSet, change: dict[str, Any]) -> apps_v1.ReplicaSet:
        meta = found.metadata
        patch = {**change, "metadata": {**change.get("metadata", {}), "uid": meta.uid}}
        patched = await self.client.patch(
            apps_v1.ReplicaSet, meta.name or "", meta.namespace or "", patch, PatchType.MERGE
        )
        self.sets.assume(patched)
        return patched

    async def _clean_up_if_complete(self, view: View) -> None:
        if states.is_complete(view.deployment, view.deployment.status):
            await self._clean_up(view)

    async def _clean_up(self, view: View) -> None:
        for found in revisions.plan_cleanup(view.deployment, view.old):
            meta = found.metadata
            call = self.client.delete(apps_v1.ReplicaSet, meta.name or "", meta.namespace or "", uid=meta.uid or "")
            await ignore_not_found(call)

    def _current(self, view: View) -> View:
        """The view with its sets as they are after our own changes."""
        namespace = view.deployment.metadata.namespace or ""

        def fresh(found: apps_v1.ReplicaSet) -> apps_v1.ReplicaSet:
            return self.sets.get(found.metadata.name or "", namespace) or found

        return View(view.deployment, fresh(view.new) if view.new else None, [fresh(found) for found in view.old])

    async def _write_rollout(self, view: View) -> float | None:
        now = self.context.clock.now()
        status = states.rollout_status(self._current(view), now)
        await self._write(view.deployment, status)
        wait = states.seconds_until_timeout(view.deployment, status, now)
        # The times on objects are whole seconds: a second later the deadline has passed for certain.
        return None if wait is None else wait + 1

    async def _write(self, deployment: apps_v1.Deployment, status: apps_v1.DeploymentStatus) -> None:
        stored = self.deployments.get(deployment.metadata.name or "", deployment.metadata.namespace or "")
        if stored is None or states.same_status(stored.status, status):
            return
        self.deployments.assume(await self.client.update_status(replace(deployment, status=status)))


def _view(deployment: apps_v1.Deployment, sets: Sequence[apps_v1.ReplicaSet]) -> View:
    new = revisions.find_new(deployment, sets)
    return View(deployment, new, [found for found in sets if found is not new])
