"""All that a server does because there may be others."""

from __future__ import annotations

import logging

from pybernetes.api.errors import StatusError
from pybernetes.apiserver.cacher.cacher import Cacher
from pybernetes.apiserver.peers.addresses import PREFIX, Addresses
from pybernetes.apiserver.peers.identity import Identity
from pybernetes.apiserver.services import Services
from pybernetes.store.backend import Backend, StoreError

log = logging.getLogger(__name__)


class Peers:
    """See the package."""

    def __init__(self, services: Services, backend: Backend, cacher: Cacher) -> None:
        self._services = services
        self._addresses = Addresses(services, backend, cacher.cache(PREFIX))

    async def join(self) -> None:
        """Be there, before the first request is served. Raises StoreError, StatusError."""
        services = self._services
        if self._addresses.can_be_reached:
            await self._addresses.announce()
            services.scope.spawn(self._addresses.run(), "addresses")
        services.scope.spawn(Identity(services).run(), "identity")

    async def leave(self) -> None:
        """Nobody shall be sent here any more."""
        try:
            if self._addresses.can_be_reached:
                await self._addresses.leave()
        except (StoreError, StatusError) as error:
            log.warning("address not taken back error=%s", error)
