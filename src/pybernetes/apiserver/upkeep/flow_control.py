"""The bootstrap objects of API priority and fairness come back when they are deleted or, where that is not theirs, changed."""

from __future__ import annotations

from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.bootstrap.flow_control import GROUP, PLURALS, keep, wanted
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.cacher.item import Item, Listener
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.upkeep.keeper import Wake


class FlowControl:
    """A `Kept` kind, of two kinds: names are `<plural>/<name>`."""

    def __init__(self, services: Services, registry: ServedRegistry) -> None:
        self._services = services
        self._registry = registry
        self._wanted: dict[str, tuple[Resource, Tree]] = {
            f"{resource.plural}/{obj['metadata']['name']}": (resource, obj) for resource, obj in wanted()
        }

    def subscribe(self, wake: Wake) -> None:
        def listener(plural: str) -> Listener:
            def on_change(old: Item | None, new: Item | None) -> None:
                item = new or old
                if item is not None and (name := f"{plural}/{item.name}") in self._wanted:
                    wake(name)

            return on_change

        for plural in PLURALS:
            self._registry.subscribe(builtin(GROUP, "v1", plural), listener(plural))

    async def keep(self, name: str) -> None:
        await keep(self._services, *self._wanted[name])
