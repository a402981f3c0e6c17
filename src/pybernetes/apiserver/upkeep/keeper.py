"""One loop for all that is kept: names go in, each is brought in line, a conflict is tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from pybernetes.api.errors import StatusError
from pybernetes.api.scheme import Resource
from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.registry.field_managers import field_manager
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.services import Services

log = logging.getLogger(__name__)
SETTLE_SECONDS: Final = 1.0
"""A server that has just started has better things to do."""


class Kept(Protocol):
    """One kind that is kept."""

    def subscribe(self, wake: Wake) -> None:
        """Call `wake` with a name whenever something that it depends on has changed; existing ones at once."""
        ...

    async def keep(self, name: str) -> None:
        """Bring the object of this name in line. Raises StatusError; safe to repeat."""
        ...


class Wake(Protocol):
    def __call__(self, name: str) -> None: ...


class Upkeep:
    """See the module."""

    def __init__(self, services: Services, kinds: Sequence[Kept]) -> None:
        self._services = services
        self._kinds = kinds
        self._queue: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self._waiting: set[tuple[int, str]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        await self._services.clock.sleep(SETTLE_SECONDS)
        for index, kind in enumerate(self._kinds):
            kind.subscribe(self._waker(index))
        while True:
            entry = await self._queue.get()
            self._waiting.discard(entry)
            await self._keep(*entry)

    def _waker(self, index: int) -> Wake:
        def wake(name: str) -> None:
            if (index, name) not in self._waiting:
                self._waiting.add((index, name))
                self._queue.put_nowait((index, name))

        return wake

    async def _keep(self, index: int, name: str) -> None:
        try:
            await self._kinds[index].keep(name)
        except StatusError as error:
            if error.code == 409:
                self._waker(index)(name)
            elif error.code != 404:
                log.warning("object not kept kind=%s name=%s error=%s", type(self._kinds[index]).__name__, name, error)
        except Exception:  # of an object that cannot be judged, which is no trouble of the others
            log.exception("object not kept kind=%s name=%s", type(self._kinds[index]).__name__, name)


def condition_of(obj: Tree, kind: str) -> Tree | None:
    """The condition of a type in an object's status."""
    conditions: list[Tree] = (obj.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), None)


def says(obj: Tree, condition: Tree) -> bool:
    """Whether the object's status tells this already, whenever that began."""
    present = condition_of(obj, condition["type"]) or {}
    return all(present.get(key, "") == condition.get(key, "") for key in ("status", "reason", "message"))


async def apply_condition(
    services: Services, registry: ServedRegistry, resource: Resource, item: Item, condition: Tree, manager: str
) -> None:
    """Server-side apply of one condition through `status`, by force. Raises StatusError 404 and 409."""
    served = registry.served(resource.group, resource.version, resource.plural)
    assert served is not None
    now = format_time(services.clock.now())
    live = served.typed(item.decode())
    told = {"lastTransitionTime": now, **condition}
    config: Tree = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": item.name},
        "status": {"conditions": [told]},
    }
    new: Tree = field_manager(served, "status").apply(live, config, manager, True, now)
    for one in new["status"]["conditions"]:
        one.setdefault("reason", "")
    await registry.update(resource, new, subresource="status", note=False)
