"""APIServices: one for each group and version that is served here, and the state of those that are served elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

from pybernetes.api import scheme
from pybernetes.api.scheme import Resource
from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.aggregation.aggregator import Aggregator
from pybernetes.apiserver.aggregation.backends import API_SERVICES, SERVICES, SLICES, UnreachableError
from pybernetes.apiserver.bootstrap.objects import complete
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.resources.conditions import set_condition
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.upkeep.keeper import Wake, says
from pybernetes.telemetry.metrics import Computed

CHECK_PERIOD: Final = 30.0
AUTOMANAGED: Final = "kube-aggregator.kubernetes.io/automanaged"
AT_START, ALWAYS = "onstart", "true"
CUSTOM_PRIORITIES: Final = (1000, 100)
"""groupPriorityMinimum and versionPriority of groups that definitions make."""
_FIRST_GROUP: Final = 18000
_STEP: Final = 100


class APIServices:
    """A `Kept` kind."""

    def __init__(self, services: Services, registry: ServedRegistry, aggregator: Aggregator) -> None:
        self._services = services
        self._registry = registry
        self._aggregator = aggregator
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._wake: Wake | None = None
        services.metrics.add(
            Computed(
                "aggregator_unavailable_apiservice",
                "Gauge of APIServices which are marked as unavailable broken down by APIService name.",
                ("name",),
                self._unavailable,
            )
        )

    def _unavailable(self) -> Iterator[tuple[tuple[str, ...], float]]:
        for item in self._registry.list(API_SERVICES):
            conditions = (item.tree.get("status") or {}).get("conditions") or []
            yield (item.name,), any(one["type"] == "Available" and one["status"] != "True" for one in conditions)

    def subscribe(self, wake: Wake) -> None:
        self._wake = wake

        def on_api_service(old: Item | None, new: Item | None) -> None:
            if (item := new or old) is not None:
                wake(item.name)

        def on_backend(old: Item | None, new: Item | None) -> None:
            item = new or old
            if item is None:
                return
            name = item.labels.get("kubernetes.io/service-name", item.name)
            namespace = item.tree["metadata"].get("namespace", "")
            for one in self._registry.list(API_SERVICES):
                backend = one.tree["spec"].get("service") or {}
                if (backend.get("name"), backend.get("namespace")) == (name, namespace):
                    wake(one.name)

        self._registry.subscribe(API_SERVICES, on_api_service)
        self._registry.subscribe(SERVICES, on_backend)
        self._registry.subscribe(SLICES, on_backend)
        for name in wanted(self._registry.resources()):
            wake(name)

    def changed(self) -> None:
        """What is served is something else now."""
        if self._wake is None:
            return  # it will all be looked at in a moment
        names = set(wanted(self._registry.resources()))
        names |= {item.name for item in self._registry.list(API_SERVICES) if item.labels.get(AUTOMANAGED) == ALWAYS}
        for name in sorted(names):
            self._wake(name)

    async def keep(self, name: str) -> None:
        item, local = self._registry.get(API_SERVICES, name), wanted(self._registry.resources()).get(name)
        if item is not None and item.tree["spec"].get("service"):
            await self._tell(item)
        elif local is not None:
            if item is None:
                await self._registry.create(API_SERVICES, complete(API_SERVICES, local))
        elif item is not None and item.labels.get(AUTOMANAGED) == ALWAYS:
            await self._registry.delete(API_SERVICES, name)

    def _again(self, name: str) -> None:
        """Look at a server again after a while: only it knows when it changes."""
        pending = self._checks.pop(name, None)
        if pending is not None:
            pending.cancel()
        self._checks[name] = self._services.scope.spawn(self._wake_later(name), f"check {name}")

    async def _wake_later(self, name: str) -> None:
        await self._services.clock.sleep(CHECK_PERIOD)
        self._checks.pop(name, None)
        if self._wake is not None:
            self._wake(name)

    async def _tell(self, item: Item) -> None:
        condition = await self._availability(item.tree["spec"])
        self._again(item.name)
        if condition["status"] == "True":
            documents = self._aggregator.learn_documents(item.tree["spec"])
            self._services.scope.spawn(documents, f"documents {item.name}")
        if says(item.tree, condition):
            return
        new = item.decode()
        status = dict(new.get("status") or {})
        set_condition(status, condition | {"lastTransitionTime": format_time(self._services.clock.now())})
        await self._registry.update(API_SERVICES, new | {"status": status}, subresource="status")

    async def _availability(self, spec: Tree) -> Tree:
        try:
            await self._aggregator.check(spec)
        except UnreachableError as error:
            return unavailable(error.reason, str(error))
        return {"type": "Available", "status": "True", "reason": "Passed", "message": "all checks passed"}


def unavailable(reason: str, message: str) -> Tree:
    """The condition of an API that cannot be reached, without its time."""
    return {"type": "Available", "status": "False", "reason": reason, "message": message}


def wanted(resources: Iterable[Resource]) -> dict[str, Tree]:
    """An APIService by its name for each group and version that is served here, but for that of APIServices."""
    made: dict[str, Tree] = {}
    for resource in resources:
        name = f"{resource.version}.{resource.group}"
        if name not in made and resource.group != API_SERVICES.group:
            made[name] = _local(name, resource.group, resource.version)
    return made


def _local(name: str, group: str, version: str) -> Tree:
    is_builtin = group in scheme.groups()
    group_priority, version_priority = _builtin_priorities(group, version) if is_builtin else CUSTOM_PRIORITIES
    spec: Tree = {"version": version, "groupPriorityMinimum": group_priority, "versionPriority": version_priority}
    if group:
        spec["group"] = group
    return {
        "metadata": {"name": name, "labels": {AUTOMANAGED: AT_START if is_builtin else ALWAYS}},
        "spec": spec,
    }


def _builtin_priorities(group: str, version: str) -> tuple[int, int]:
    """Groups in the order of discovery, each version above the ones behind it."""
    groups = [one for one in scheme.groups() if one]
    place = groups.index(group) + 1 if group else 0
    versions = scheme.group_versions(group)
    behind = len(versions) - 1 - versions.index(version)
    return _FIRST_GROUP - place * _STEP, 1 if not group else 15 + behind
