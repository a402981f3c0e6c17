"""The ServiceCIDR that the server's own options made is ready as long as the server serves."""

from __future__ import annotations

from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.upkeep.keeper import Wake, apply_condition, says

RANGES = builtin("networking.k8s.io", "v1", "servicecidrs")
NAME = "kubernetes"
MANAGER = "kubernetes-service-cidr-controller"
READY = {"type": "Ready", "status": "True", "message": "Kubernetes default Service CIDR is ready"}


class ServiceCIDRs:
    """A `Kept` kind."""

    def __init__(self, services: Services, registry: ServedRegistry) -> None:
        self._services = services
        self._registry = registry

    def subscribe(self, wake: Wake) -> None:
        def on_change(old: Item | None, new: Item | None) -> None:
            if new is not None and new.name == NAME:
                wake(new.name)

        self._registry.subscribe(RANGES, on_change)

    async def keep(self, name: str) -> None:
        item = self._registry.get(RANGES, name)
        if item is not None and not says(item.tree, READY):
            await apply_condition(self._services, self._registry, RANGES, item, READY, MANAGER)
