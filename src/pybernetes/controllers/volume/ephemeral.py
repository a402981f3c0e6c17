"""The ephemeral volume controller: makes the claims of pods' generic ephemeral volumes, which go with their pods."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController
from pybernetes.controllers.ownership import is_controlled_by, reference

Claim = core_v1.PersistentVolumeClaim


class EphemeralVolumeController(KeyedController):
    """Keys are pods."""

    name = "ephemeral-volume-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = context.informers.of(core_v1.Pod)
        self.claims = context.informers.of(Claim)
        self.recorder = context.recorder("ephemeral_volume")
        self.pods.subscribe(self._on_pod)
        self.claims.subscribe(self._on_claim)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        """A pod's volumes never change: it is looked at once."""
        if old is None and new is not None and any(volume.ephemeral for volume in new.spec.volumes):
            self.enqueue(new)

    def _on_claim(self, old: Claim | None, new: Claim | None) -> None:
        """A claim that is gone is made again for a pod that still needs it."""
        if new is None and old is not None:
            for owner in old.metadata.owner_references:
                if owner.kind == "Pod" and owner.controller:
                    self.queue.add((old.metadata.namespace or "", owner.name))

    async def reconcile(self, key: Key) -> None:
        pod = self.pods.get(key[1], key[0])
        if pod is None or pod.metadata.deletion_timestamp is not None:
            return
        for volume in pod.spec.volumes:
            template = volume.ephemeral.volume_claim_template if volume.ephemeral is not None else None
            if template is not None:
                await self._make(pod, claim_for(pod, volume.name, template))

    async def _make(self, pod: core_v1.Pod, claim: Claim) -> None:
        name = claim.metadata.name or ""
        found = self.claims.get(name, claim.metadata.namespace or "")
        if found is None:
            try:
                self.claims.assume(await self.client.create(claim))
            except errors.StatusError as error:
                if errors.is_namespace_terminating(error):
                    return
                words = f"ephemeral volume: create PVC {name}: {error.message}"
                self.recorder.event(pod, "Warning", "EphemeralVolumeCreateFailed", words)
                raise
        elif not is_controlled_by(found, pod):
            words = f"PVC {found.metadata.namespace}/{name} was not created for pod {pod.metadata.namespace}/{pod.metadata.name} (pod is not owner)"
            self.recorder.event(pod, "Warning", "EphemeralVolumeCreateFailed", words)


def claim_for(pod: core_v1.Pod, volume: str, template: core_v1.PersistentVolumeClaimTemplate) -> Claim:
    """The claim of one volume, named after the pod and it, owned by the pod. Pure."""
    given = template.metadata or meta_v1.ObjectMeta()
    return Claim(
        metadata=meta_v1.ObjectMeta(
            name=f"{pod.metadata.name}-{volume}",
            namespace=pod.metadata.namespace,
            labels=given.labels,
            annotations=given.annotations,
            owner_references=[reference(pod)],
        ),
        spec=template.spec,
    )
