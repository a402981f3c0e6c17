"""What a driver says of the node, on this node's CSINode and Node. Pure but for `NodeInfoWriter`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import structs

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1, storage_v1
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client
from pybernetes.kubelet.volumes.csi.messages import NodeInfo

NODE_ID = "csi.volume.kubernetes.io/nodeid"
MOST = 2**31 - 1
ATTEMPTS = 12


class TopologyCollision(Exception):
    """The node has such a label already, with another value."""


def entry_of(name: str, info: NodeInfo) -> storage_v1.CSINodeDriver:
    """The driver's entry in the CSINode; no limit where it tells none."""
    count, topology = info.max_volumes_per_node, info.accessible_topology
    return storage_v1.CSINodeDriver(
        name=name,
        node_id=info.node_id,
        topology_keys=sorted(topology.segments) if topology else [],
        allocatable=storage_v1.VolumeNodeResources(count=min(count, MOST)) if count > 0 else None,
    )


def with_entry(
    drivers: Sequence[storage_v1.CSINodeDriver], name: str, entry: storage_v1.CSINodeDriver | None
) -> list[storage_v1.CSINodeDriver]:
    """The drivers with this one in the place of its last entry, or without it."""
    others = [each for each in drivers if each.name != name]
    return [*others, entry] if entry is not None else others


def node_patch(node: core_v1.Node, name: str, info: NodeInfo | None) -> dict[str, object]:
    """What changes of the Node's metadata; {} for nothing. Raises TopologyCollision."""
    known = json.loads(node.metadata.annotations.get(NODE_ID) or "{}")
    ids = {key: value for key, value in known.items() if key != name} | ({name: info.node_id} if info else {})
    labels = dict(info.accessible_topology.segments) if info and info.accessible_topology else {}
    for key, value in labels.items():
        if (current := node.metadata.labels.get(key, value)) != value:
            raise TopologyCollision(
                f'detected topology value collision: driver reported "{key}":"{value}" but existing label is "{key}":"{current}"'
            )
    patch: dict[str, object] = {}
    if ids != known:
        patch["annotations"] = {NODE_ID: json.dumps(ids, separators=(",", ":"), sort_keys=True) if ids else None}
    if any(key not in node.metadata.labels for key in labels):
        patch["labels"] = labels
    return patch


class NodeInfoWriter:
    """Writes of this node's two objects."""

    def __init__(self, client: Client, clock: Clock, node: str) -> None:
        self._client, self._clock, self._node = client, clock, node

    async def write(self, name: str, info: NodeInfo | None) -> None:
        """Say what the driver told, or that it is gone. Raises StatusError, TopologyCollision."""
        backoff = Backoff(initial=0.01, limit=1.0)
        for attempt in range(ATTEMPTS):
            try:
                node = await self._client.get(core_v1.Node, self._node)
                if patch := node_patch(node, name, info):
                    await self._client.patch(core_v1.Node, self._node, "", {"metadata": patch}, PatchType.MERGE)
                await self._write_entry(node, name, entry_of(name, info) if info else None)
                return
            except errors.StatusError as error:
                if not (errors.is_conflict(error) or errors.is_already_exists(error)) or attempt == ATTEMPTS - 1:
                    raise
            await self._clock.sleep(backoff.next())

    async def _write_entry(self, node: core_v1.Node, name: str, entry: storage_v1.CSINodeDriver | None) -> None:
        try:
            known = await self._client.get(storage_v1.CSINode, self._node)
        except errors.StatusError as error:
            if not errors.is_not_found(error):
                raise
            if entry is not None:
                await self._client.create(self._made(node, entry))
            return
        # An entry that stays may only change its limit: another one takes its place in two steps.
        before = next((each for each in known.spec.drivers if each.name == name), None)
        if before is not None and entry is not None and not _is_same(before, entry):
            known = await self._client.update(_with(known, with_entry(known.spec.drivers, name, None)))
        drivers = with_entry(known.spec.drivers, name, entry)
        if before != entry:
            await self._client.update(_with(known, drivers))

    def _made(self, node: core_v1.Node, entry: storage_v1.CSINodeDriver) -> storage_v1.CSINode:
        owner = meta_v1.OwnerReference(api_version="v1", kind="Node", name=self._node, uid=node.metadata.uid or "")
        return storage_v1.CSINode(
            metadata=meta_v1.ObjectMeta(name=self._node, owner_references=[owner]),
            spec=storage_v1.CSINodeSpec(drivers=[entry]),
        )


def _with(known: storage_v1.CSINode, drivers: list[storage_v1.CSINodeDriver]) -> storage_v1.CSINode:
    return structs.replace(known, spec=structs.replace(known.spec, drivers=drivers))


def _is_same(before: storage_v1.CSINodeDriver, entry: storage_v1.CSINodeDriver) -> bool:
    return (before.node_id, sorted(before.topology_keys)) == (entry.node_id, entry.topology_keys)
