"""The expander: volumes of drivers are made larger by their own controllers, and claims that ask for it are told so."""

from __future__ import annotations

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1
from pybernetes.api.volumes import requested
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController, key_of

WAITING = "waiting for an external controller to expand this PVC"


class ExpandController(KeyedController):
    """Keys are claims."""

    name = "persistentvolume-expander-controller"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.claims = context.informers.of(core_v1.PersistentVolumeClaim)
        self.volumes = context.informers.of(core_v1.PersistentVolume)
        self.recorder = context.recorder("volume_expand")
        self.claims.subscribe(self._on_claim)

    def _on_claim(self, old: core_v1.PersistentVolumeClaim | None, new: core_v1.PersistentVolumeClaim | None) -> None:
        if new is not None and new.spec.volume_name and (old is None or requested(new) > requested(old)):
            self.queue.add(key_of(new))

    async def reconcile(self, key: Key) -> None:
        claim = self.claims.get(key[1], key[0])
        if claim is None or requested(claim) <= Quantity.parse(claim.status.capacity.get("storage", 0)).value:
            return
        volume = self.volumes.get(claim.spec.volume_name or "")
        if claim.status.phase == "Bound" and volume is not None and volume.spec.csi is not None:
            self.recorder.event(claim, "Normal", "ExternalExpanding", WAITING)
