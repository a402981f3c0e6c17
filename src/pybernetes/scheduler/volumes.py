"""The claims and volumes that decisions look at, those included that were just set aside for a pod."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec import Struct, field

from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import storage_v1 as storage
from pybernetes.api.volumes import BIND_COMPLETED, class_of
from pybernetes.scheduler.csi import Storage

K = TypeVar("K")
V = TypeVar("V")

ClaimKey = tuple[str, str]
"""(namespace, name)"""

Plan = Mapping[ClaimKey, str]
"""What has to be bound before the pod: the volume that each claim gets, "" for one that is to be made."""


class Volumes(Struct):
    """Mutable, as the informers tell; `assumed` is the claim for which a decision has set a volume aside."""

    claims: dict[ClaimKey, core.PersistentVolumeClaim] = field(default_factory=dict)
    volumes: dict[str, core.PersistentVolume] = field(default_factory=dict)
    classes: dict[str, storage.StorageClass] = field(default_factory=dict)
    assumed: dict[str, ClaimKey] = field(default_factory=dict)
    csi: Storage = field(default_factory=Storage)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def set_claim(self, old: core.PersistentVolumeClaim | None, new: core.PersistentVolumeClaim | None) -> None:
        if (claim := new or old) is not None:
            _set(self.claims, (claim.metadata.namespace or "", claim.metadata.name or ""), new)
            self._tell()

    def set_volume(self, old: core.PersistentVolume | None, new: core.PersistentVolume | None) -> None:
        if (volume := new or old) is not None:
            _set(self.volumes, volume.metadata.name or "", new)
            self._tell()

    def set_class(self, old: storage.StorageClass | None, new: storage.StorageClass | None) -> None:
        if (found := new or old) is not None:
            _set(self.classes, found.metadata.name or "", new)

    def _tell(self) -> None:
        """Wake who waits for a change; the next one waits on a new event."""
        self.changed.set()
        self.changed = asyncio.Event()

    def is_bound(self, key: ClaimKey) -> bool:
        claim = self.claims.get(key)
        return claim is not None and bool(claim.spec.volume_name) and BIND_COMPLETED in claim.metadata.annotations

    def is_delayed(self, claim: core.PersistentVolumeClaim) -> bool:
        """Whether the scheduler chooses where the claim's volume is."""
        found = self.classes.get(class_of(claim))
        return found is not None and found.volume_binding_mode == "WaitForFirstConsumer"

    def free(self, key: ClaimKey) -> Iterable[core.PersistentVolume]:
        """The volumes that no other claim has or will have."""
        return [volume for name, volume in self.volumes.items() if self.assumed.get(name, key) == key]

    def assume(self, plan: Plan) -> None:
        self.assumed.update({volume: claim for claim, volume in plan.items() if volume})

    def release(self, plan: Plan) -> None:
        for volume in plan.values():
            self.assumed.pop(volume, None)


def _set(found: dict[K, V], key: K, value: V | None) -> None:
    if value is None:
        found.pop(key, None)
    else:
        found[key] = value
