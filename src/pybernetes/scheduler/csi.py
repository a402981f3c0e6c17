"""What CSI drivers say of themselves and of the nodes: how many volumes a node takes, and how much room there is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct, field

from pybernetes.api.quantity import Quantity
from pybernetes.api.selectors import labels
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import storage_v1 as storage

K = TypeVar("K")
V = TypeVar("V")

Volume = tuple[str, str]
"""(driver, handle); for one that is yet to be made its claim stands for the handle."""


class Storage(Struct):
    """Mutable, as the informers tell. Empty while there are no drivers."""

    drivers: dict[str, storage.CSIDriver] = field(default_factory=dict)
    nodes: dict[str, storage.CSINode] = field(default_factory=dict)
    attachments: dict[str, storage.VolumeAttachment] = field(default_factory=dict)
    capacities: dict[tuple[str, str], storage.CSIStorageCapacity] = field(default_factory=dict)

    def set_driver(self, old: storage.CSIDriver | None, new: storage.CSIDriver | None) -> None:
        if (known := new or old) is not None:
            _set(self.drivers, known.metadata.name or "", new)

    def set_node(self, old: storage.CSINode | None, new: storage.CSINode | None) -> None:
        if (known := new or old) is not None:
            _set(self.nodes, known.metadata.name or "", new)

    def set_attachment(self, old: storage.VolumeAttachment | None, new: storage.VolumeAttachment | None) -> None:
        if (known := new or old) is not None:
            _set(self.attachments, known.metadata.name or "", new)

    def set_capacity(self, old: storage.CSIStorageCapacity | None, new: storage.CSIStorageCapacity | None) -> None:
        if (known := new or old) is not None:
            _set(self.capacities, (known.metadata.namespace or "", known.metadata.name or ""), new)

    def limits(self, node: str) -> dict[str, int]:
        """Driver -> how many of its volumes the node takes, for those that say so."""
        found = self.nodes.get(node)
        return {
            each.name: each.allocatable.count
            for each in (found.spec.drivers if found is not None else ())
            if each.allocatable is not None and each.allocatable.count is not None
        }

    def attached(self, node: str) -> Iterable[tuple[str, str]]:
        """(driver, volume's name) of what is attached to the node, or is on its way there or from there."""
        for each in self.attachments.values():
            name = each.spec.source.persistent_volume_name
            if name and each.spec.node_name == node:
                yield each.spec.attacher, name

    def has_room(self, found: storage.StorageClass, size: int, node_labels: dict[str, str]) -> bool:
        """Whether the driver could make a volume of the class for such a node, if it tells how much room it has."""
        driver = self.drivers.get(found.provisioner)
        if driver is None or not driver.spec.storage_capacity:
            return True
        return any(
            each.storage_class_name == found.metadata.name
            and _largest(each) >= size
            and labels.from_struct(each.node_topology).matches(node_labels)
            for each in self.capacities.values()
        )


def source_of(volume: core.PersistentVolume) -> Volume | None:
    source = volume.spec.csi
    return (source.driver, source.volume_handle) if source is not None else None


def _largest(capacity: storage.CSIStorageCapacity) -> int:
    """In bytes; -1 where nothing is said."""
    told = capacity.maximum_volume_size if capacity.maximum_volume_size is not None else capacity.capacity
    return -1 if told is None else Quantity.parse(told).value


def _set(found: dict[K, V], key: K, value: V | None) -> None:
    if value is None:
        found.pop(key, None)
    else:
        found[key] = value
