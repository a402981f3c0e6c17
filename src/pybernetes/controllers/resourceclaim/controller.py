"""The controller of ResourceClaims: two queues, of pods whose claims are made, and of claims that are given back."""

from __future__ import annotations

import asyncio

from pybernetes.controllers.context import Context
from pybernetes.controllers.resourceclaim.claims import ClaimReleaseController
from pybernetes.controllers.resourceclaim.pods import PodClaimsController


class ResourceClaimController:
    """See the module."""

    def __init__(self, context: Context) -> None:
        self._parts = (PodClaimsController(context), ClaimReleaseController(context))

    async def run(self) -> None:
        """Returns only when cancelled."""
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(part.run(), name=part.name)
