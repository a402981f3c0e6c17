"""Follows the sockets below `<root>/plugins_registry`: each one is a plugin that wants to be registered."""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.aio.inotify import ENTRIES, Inotify
from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.kubelet.plugins.handler import Handlers
from pybernetes.kubelet.root import Root

if TYPE_CHECKING:
    from pybernetes.kubelet.plugins.registration import Registered

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 122.0

Identity = tuple[int, int]
"""A socket's inode and when it was made: one that takes another's place differs."""


class _Entry(Struct, frozen=True):
    """A socket, whether it is still that one, and the task that keeps its plugin registered until then."""

    identity: Identity
    gone: asyncio.Event
    task: asyncio.Task[None]


class PluginWatcher:
    """Registers what is there, again when it is replaced, no longer when it is gone. At its own end it says nothing."""

    def __init__(self, root: Root, handlers: Handlers, clock: Clock) -> None:
        self._root, self._handlers, self._clock = root, handlers, clock
        self._entries: dict[Path, _Entry] = {}

    async def run(self) -> None:
        """Until cancelled. Raises OSError if the directory cannot be watched."""
        top = self._root.plugins_registry
        self._entries.clear()
        with Inotify() as inotify:
            async with open_scope("plugins") as scope:
                while True:
                    # The watch stands before the look, so that nothing comes between.
                    for directory in directories(top):
                        inotify.watch(directory, ENTRIES)
                    self._follow(find_sockets(top), scope)
                    await inotify.wait()

    def _follow(self, found: Mapping[Path, Identity], scope: Scope) -> None:
        before = dict(self._entries)
        for path, entry in before.items():
            if found.get(path) != entry.identity:
                entry.gone.set()
                del self._entries[path]
        for path, identity in found.items():
            if path not in self._entries:
                gone, previous = asyncio.Event(), before.get(path)
                keeping = self._keep(path, gone, scope, previous.task if previous else None)
                self._entries[path] = _Entry(identity, gone, scope.spawn(keeping, path.name))

    async def _keep(self, path: Path, gone: asyncio.Event, scope: Scope, previous: asyncio.Task[None] | None) -> None:
        """Register, however often it takes, and take it back when the socket is gone; one plugin after the other."""
        if previous is not None:
            await asyncio.wait((previous,))
        registering = scope.spawn(self._register(path), f"register {path.name}")
        leaving = scope.spawn(gone.wait(), f"follow {path.name}")
        await asyncio.wait((registering, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not registering.done():
            registering.cancel()
            await asyncio.wait((registering,))
            return
        await leaving
        registered = registering.result()
        log.info("plugin is gone name=%s socket=%s", registered.plugin.name, path)
        await registered.take_back()

    async def _register(self, path: Path) -> Registered:
        from pybernetes.kubelet.plugins.registration import register  # no plugin, no gRPC

        backoff = Backoff(FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS)
        while True:
            try:
                registered = await register(path, self._handlers, self._root)
            except Exception as error:
                log.warning("plugin not registered socket=%s error=%s", path, error)
                await self._clock.sleep(backoff.next())
            else:
                log.info("plugin registered name=%s socket=%s", registered.plugin.name, path)
                return registered


def directories(top: Path) -> list[Path]:
    """The directory and all below it but those whose names begin with a dot."""
    found = [top]
    for directory in found:
        found += [each for each in _entries(directory) if stat.S_ISDIR(_mode(each))]
    return found


def find_sockets(top: Path) -> dict[Path, Identity]:
    """All sockets of the tree."""
    found = {}
    for directory in directories(top):
        for path in _entries(directory):
            try:
                status = path.lstat()
            except OSError:
                continue
            if stat.S_ISSOCK(status.st_mode):
                found[path] = status.st_ino, status.st_mtime_ns
    return found


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(each for each in directory.iterdir() if not each.name.startswith("."))
    except OSError:
        return []


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0
