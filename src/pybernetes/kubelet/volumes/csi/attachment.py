"""Whether a volume is attached to this node, as far as its driver wants volumes to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pybernetes.api import csi
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import storage_v1
from pybernetes.client.informer import Informer
from pybernetes.client.rest import Client
from pybernetes.kubelet.volumes.csi.source import Source
from pybernetes.kubelet.volumes.files import VolumeError

SECONDS = 123.0
"""Upstream's podAttachAndMountTimeout."""


class Unattached(VolumeError):
    """It takes too long; whoever waits goes on waiting."""

    def told(self, name: str) -> str:
        return (
            f"Unable to attach or mount volumes: unmounted volumes=[{name}], unattached volumes=[{name}], "
            "failed to process volumes=[]: context deadline exceeded"
        )


class Attachments:
    """`own` follows this Node; `report` has its status written."""

    def __init__(self, client: Client, own: Informer[v1.Node], node: str, report: Callable[[], None]) -> None:
        self._client, self._own, self._node, self._report = client, own, node, report
        self._changed = asyncio.Event()
        own.subscribe(self._on_node)

    def _on_node(self, old: v1.Node | None, new: v1.Node | None) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, source: Source) -> dict[str, str]:
        """Until the volume is attached and our use of it is on the Node; what the attacher has for the driver.

        Raises Unattached after a while, VolumeError if the attachment cannot be read.
        """
        unique = csi.unique_name(source.driver, source.handle)
        self._report()
        try:
            async with asyncio.timeout(SECONDS):
                while not self._is_attached(unique):
                    await self._changed.wait()
        except TimeoutError as error:
            raise Unattached("context deadline exceeded") from error
        return await self._context(csi.attachment_name(source.driver, source.handle, self._node))

    def _is_attached(self, unique: str) -> bool:
        """Who attaches may take a volume away that nobody says to use: so first we say it, then we look."""
        node = self._own.get(self._node)
        if node is None or unique not in node.status.volumes_in_use:
            return False
        return any(each.name == unique for each in node.status.volumes_attached)

    async def _context(self, name: str) -> dict[str, str]:
        try:
            found = await self._client.get(storage_v1.VolumeAttachment, name)
        except StatusError as error:
            raise VolumeError(error.message) from error
        return found.status.attachment_metadata
