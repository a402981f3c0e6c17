"""The namespaces that every cluster has: whoever deletes one that may be deleted (leases of nodes) finds it made anew."""

from __future__ import annotations

from pybernetes.apiserver.bootstrap.bootstrap import ensure
from pybernetes.apiserver.bootstrap.system import NAMESPACES
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.upkeep.keeper import Wake

RESOURCE = builtin("", "v1", "namespaces")


class SystemNamespaces:
    """A `Kept` kind."""

    def __init__(self, services: Services, registry: ServedRegistry) -> None:
        self._services = services
        self._registry = registry

    def subscribe(self, wake: Wake) -> None:
        def on_change(old: Item | None, new: Item | None) -> None:
            if new is None and old is not None and old.name in NAMESPACES:
                wake(old.name)

        self._registry.subscribe(RESOURCE, on_change)

    async def keep(self, name: str) -> None:
        await ensure(self._services, RESOURCE, {"metadata": {"name": name}})
