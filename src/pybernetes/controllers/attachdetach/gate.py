"""Starts the controller with the first volume of a CSI driver: before, it costs neither watches nor its code."""

from __future__ import annotations

import asyncio

from pybernetes.api.types import core_v1
from pybernetes.controllers.context import Context


class AttachDetachController:
    """The entry of the manager's table."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._needed = asyncio.Event()
        context.informers.of(core_v1.PersistentVolume).subscribe(self._on_volume)

    def _on_volume(self, old: core_v1.PersistentVolume | None, new: core_v1.PersistentVolume | None) -> None:
        if new is not None and new.spec.csi is not None:
            self._needed.set()

    async def run(self) -> None:
        """Returns only when cancelled."""
        await self._needed.wait()
        from pybernetes.controllers.attachdetach.controller import Attacher

        await Attacher(self._context).run()
