"""Writes the status of one pod: changes only, at once when they matter, several small ones together."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.resizing import IN_PROGRESS, PENDING

log = logging.getLogger(__name__)

COALESCE_SECONDS = 1.0


class PodWriter(Protocol):
    """The two writes that a kubelet makes to a pod."""

    async def patch_status(self, name: str, namespace: str, patch: Mapping[str, Any]) -> v1.Pod:
        """A strategic merge patch of the status subresource. Raises StatusError."""
        ...

    async def delete(self, name: str, namespace: str, uid: str) -> None:
        """Remove the object at once, if it is still that very pod; gone is fine. Raises StatusError."""
        ...


class Target(Struct, frozen=True):
    """The API object that carries the status: the pod itself, or the mirror of a static pod."""

    name: str
    namespace: str
    uid: str


class StatusWriter:
    """The status of one pod on its way to the API. `run` writes for as long as the pod has a worker."""

    def __init__(self, door: PodWriter, clock: Clock) -> None:
        self._door, self._clock = door, clock
        self._target: Target | None = None
        self._wanted: v1.PodStatus | None = None
        self._known: Tree = {}
        self._known_version = 0
        self._wake, self._idle, self._urgent = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._idle.set()

    def observe(self, target: Target, status: v1.PodStatus, resource_version: str) -> None:
        """What the API holds, from a watch; older than our own last write is ignored."""
        version = int(resource_version or 0)
        if self._target != target:
            self._known_version = 0
        if version >= self._known_version:
            self._target, self._known, self._known_version = target, _tree(status), version
            if self._wanted is not None:
                self.submit(self._wanted, urgent=False)

    def submit(self, status: v1.PodStatus, *, urgent: bool) -> None:
        """The status to be. What is not urgent waits a moment for what follows."""
        self._wanted = status
        if self._target is None or not difference(self._known, _tree(status)):
            return
        self._idle.clear()
        self._wake.set()
        if urgent:
            self._urgent.set()

    async def flush(self) -> None:
        """Until what was submitted is written, or is refused for good."""
        self._urgent.set()
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled. A refused write is tried again, except for a pod that is gone."""
        backoff = Backoff(initial=0.1, limit=2.0)
        while True:
            await self._wake.wait()
            await self._gather()
            self._wake.clear()
            self._urgent.clear()
            try:
                await self._write()
            except StatusError as error:
                if error.code not in (404, 409, 422):
                    log.warning("cannot write status pod=%s error=%s", self._target, error.message)
                    await self._clock.sleep(backoff.next())
                    self._wake.set()
                    self._urgent.set()
                    continue
                log.debug("status refused pod=%s error=%s", self._target, error.message)
            backoff.reset()
            if not self._wake.is_set():
                self._idle.set()

    async def _gather(self) -> None:
        """Wait for more, unless somebody waits for us."""
        if self._urgent.is_set():
            return
        async with asyncio.TaskGroup() as group:
            later = group.create_task(self._urge_later())
            await self._urgent.wait()
            later.cancel()

    async def _urge_later(self) -> None:
        await self._clock.sleep(COALESCE_SECONDS)
        self._urgent.set()

    async def _write(self) -> None:
        target, wanted = self._target, self._wanted
        if target is None or wanted is None:
            return
        tree = _tree(wanted)
        changed = difference(self._known, tree)
        if not changed:
            return
        patch = {"metadata": {"uid": target.uid}, "status": changed}
        pod = await self._door.patch_status(target.name, target.namespace, patch)
        self._known_version = int(pod.metadata.resource_version or 0)
        self._known = _tree(pod.status) | {name: value for name, value in tree.items() if name != "conditions"}


def _tree(status: v1.PodStatus) -> Tree:
    tree: Tree = msgspec.to_builtins(status)
    return tree


def _cleared(old: Mapping[str, Any], new: Mapping[str, Any]) -> Tree:
    """The new condition, with a null for each field that only the old one has: a merge would keep it."""
    return dict.fromkeys(old, None) | dict(new)


_REPLACED = ("podIPs", "hostIPs")
"""Lists that a strategic patch would merge, where the whole list is meant."""


PASSING = (PENDING, IN_PROGRESS)
"""Conditions of ours that are there only while they hold."""


def difference(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> Tree:
    """The strategic merge patch from one status to the other; conditions of others are never touched."""
    patch: Tree = {}
    for name in wanted.keys() | known.keys():
        old, new = known.get(name), wanted.get(name)
        if old == new:
            continue
        if name == "conditions":
            before = {condition["type"]: condition for condition in old or []}
            changed = [condition for condition in new or [] if before.get(condition["type"]) != condition]
            patch[name] = [_cleared(before.get(condition["type"], {}), condition) for condition in changed]
            over = before.keys() - {condition["type"] for condition in new or []}
            patch[name] += [{"type": type_, "$patch": "delete"} for type_ in PASSING if type_ in over]
        elif name in _REPLACED and old:
            patch[name] = [*(new or []), {"$patch": "replace"}]
        else:
            patch[name] = new
    if patch.get("conditions") == []:
        del patch["conditions"]
    return patch
