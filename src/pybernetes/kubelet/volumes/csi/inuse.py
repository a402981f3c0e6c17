"""Which volumes pods of this node use, told from memory and, after a restart, from the disk."""

from __future__ import annotations

from pybernetes.api.csi import unique_name
from pybernetes.kubelet.volumes.csi import record
from pybernetes.kubelet.volumes.csi.places import Places

Volume = tuple[str, str]
"""(driver, handle)"""


class Uses:
    """Who uses what. A pod uses a volume from before it is set up until it is gone from the node."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._users: dict[Volume, set[str]] = {}
        self._unattached: set[Volume] = set()
        """Those that are not attached: nobody has to be told that they are used."""
        self._read()

    def _read(self) -> None:
        """What was staged belongs to nobody until a pod says so, and is in use until it is unstaged. Blocking."""
        for _, found in record.staged(self._places):
            self._users.setdefault(found.volume, set())
        if not self._users and not self._places.plugin.exists():
            return
        for pod in record.entries(self._places.root / "pods"):
            for _, found in (*record.published(pod), *record.devices(self._places, pod)):
                self.begin(found.volume, pod.name, is_attached=found.mode != "Ephemeral")

    def begin(self, volume: Volume, uid: str, *, is_attached: bool = True) -> None:
        self._users.setdefault(volume, set()).add(uid)
        (self._unattached.discard if is_attached else self._unattached.add)(volume)

    def of_pod(self, uid: str) -> list[Volume]:
        return [volume for volume, users in self._users.items() if uid in users]

    def leave(self, volume: Volume, uid: str) -> None:
        """The pod has it no longer. It stays in use until `forget`."""
        self._users.setdefault(volume, set()).discard(uid)

    def unused(self) -> list[Volume]:
        """What is here for nobody."""
        return [volume for volume, users in self._users.items() if not users]

    def is_used(self, volume: Volume) -> bool:
        return bool(self._users.get(volume))

    def is_used_by_others(self, volume: Volume, uid: str) -> bool:
        return bool(self._users.get(volume, set()) - {uid})

    def forget(self, volume: Volume) -> None:
        """Nothing of it is on the node."""
        self._users.pop(volume, None)
        self._unattached.discard(volume)

    def names(self) -> list[str]:
        """As a Node's `status.volumesInUse` has them."""
        return sorted(unique_name(*volume) for volume in self._users if volume not in self._unattached)
