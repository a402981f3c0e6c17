"""FlowSchemas: the condition that tells whether the priority level which they name exists."""

from __future__ import annotations

from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.upkeep.keeper import Wake, apply_condition, says

GROUP = "flowcontrol.apiserver.k8s.io"
SCHEMAS = builtin(GROUP, "v1", "flowschemas")
LEVELS = builtin(GROUP, "v1", "prioritylevelconfigurations")
MANAGER = "api-priority-and-fairness-config-consumer-v1"


class FlowSchemas:
    """A `Kept` kind."""

    def __init__(self, services: Services, registry: ServedRegistry) -> None:
        self._services = services
        self._registry = registry

    def subscribe(self, wake: Wake) -> None:
        def on_schema(old: Item | None, new: Item | None) -> None:
            if new is not None:
                wake(new.name)

        def on_level(old: Item | None, new: Item | None) -> None:
            changed = new or old
            if changed is None or (old is not None and new is not None):
                return  # it existed, and does
            for item in self._registry.list(SCHEMAS):
                if _level(item.tree) == changed.name:
                    wake(item.name)

        self._registry.subscribe(SCHEMAS, on_schema)
        self._registry.subscribe(LEVELS, on_level)

    async def keep(self, name: str) -> None:
        item = self._registry.get(SCHEMAS, name)
        if item is None:
            return
        level = _level(item.tree)
        condition = dangling(level, exists=self._registry.get(LEVELS, level) is not None)
        if not says(item.tree, condition):
            await apply_condition(self._services, self._registry, SCHEMAS, item, condition, MANAGER)


def dangling(level: str, *, exists: bool) -> Tree:
    """The condition of a schema for this level, without its time."""
    named = f"This FlowSchema references the PriorityLevelConfiguration object named {quote(level)}"
    if exists:
        return {"type": "Dangling", "status": "False", "reason": "Found", "message": f"{named} and it exists"}
    words = f"{named} but there is no such object"
    return {"type": "Dangling", "status": "True", "reason": "NotFound", "message": words}


def _level(schema: Tree) -> str:
    name: str = schema["spec"]["priorityLevelConfiguration"].get("name", "")
    return name
