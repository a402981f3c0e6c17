"""The addresses behind the service `kubernetes`: each server keeps an entry that expires, all publish those there are."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from typing import Final

import msgspec

from pybernetes.api.errors import StatusError
from pybernetes.apiserver.bootstrap.kubernetes_service import publish_endpoints
from pybernetes.apiserver.cacher.cache import Cache
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.own_names import advertised_address
from pybernetes.apiserver.services import Services
from pybernetes.store.backend import Backend, StoreError

log = logging.getLogger(__name__)
PREFIX: Final = "masterleases"
TTL_SECONDS: Final = 15
REFRESH_SECONDS: Final = 10.0


class Addresses:
    """Upstream's lease reconciler: `/registry/masterleases/<address>`."""

    def __init__(self, services: Services, backend: Backend, entries: Cache) -> None:
        """`entries` is the cache of `PREFIX`."""
        self._services = services
        self._backend = backend
        self._entries = entries
        self._left = False
        self._telling = asyncio.Lock()
        """An entry that is being renewed while the server leaves would stay behind."""
        self._own = advertised_address(services.options)
        self._key = f"/registry/{PREFIX}/{self._own}".encode()

    @property
    def can_be_reached(self) -> bool:
        """Whether there is anything to tell: no pod gets to a loopback address, and endpoints may not be so."""
        return not ipaddress.ip_address(self._own).is_loopback

    async def announce(self) -> None:
        """Renew the own entry, and publish all. Raises StoreError, StatusError."""
        own = {"metadata": {"name": self._own}, "subsets": [{"addresses": [{"ip": self._own}]}]}
        value = msgspec.json.encode({"apiVersion": "v1", "kind": "Endpoints", **own})
        found, _ = await self._backend.get(self._key)
        if found is None:
            await self._backend.create(self._key, value, ttl=TTL_SECONDS)
        else:
            await self._backend.update(self._key, value, found.revision, ttl=TTL_SECONDS)
        await self._publish({self._own, *(item.name for item in self._entries.select())})

    async def leave(self) -> None:
        """Take this server's address back, for good: it ends. Raises StoreError, StatusError."""
        self._left = True
        async with self._telling:
            await self._backend.delete(self._key)
            others = {item.name for item in self._entries.select()} - {self._own}
            if others:
                await self._publish(others)

    async def _publish(self, addresses: set[str]) -> None:
        await publish_endpoints(self._services, sorted(addresses, key=ipaddress.ip_address))

    def _changed(self, old: Item | None, new: Item | None) -> None:
        if old is None or new is None:
            self._services.scope.spawn(self._try(), "addresses")

    async def run(self) -> None:
        """Until cancelled."""
        self._entries.subscribe(self._changed)
        while True:
            await self._services.clock.sleep(REFRESH_SECONDS)
            await self._try()

    async def _try(self) -> None:
        async with self._telling:
            if self._left:
                return
            try:
                await self.announce()
            except (StoreError, StatusError) as error:
                log.warning("addresses not published error=%s", error)
