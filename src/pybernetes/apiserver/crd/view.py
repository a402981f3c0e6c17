"""The objects of a custom resource in one of its versions, kept up to date while others are stored.

A view begins when it is first asked for, and then follows the cache of what is stored. What has to be asked of a webhook
waits in a queue, so that neither the cache nor anybody else waits for the answer; what comes together is asked together.
If that fails, all who look at the view are told, and it begins anew when it is next asked for.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from pybernetes.aio.tasks import Scope
from pybernetes.api.decode import DecodeError
from pybernetes.api.errors import StatusError, too_many_requests, unexpected
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.cache import Cache, Change
from pybernetes.apiserver.cacher.cacher import Cacher
from pybernetes.apiserver.cacher.item import Item, stored_form
from pybernetes.apiserver.crd.conversion import Converter, rename
from pybernetes.apiserver.crd.shape import Shape

log = logging.getLogger(__name__)
CHUNK: Final = 100
"""So many objects are read without letting others have their turn."""


_State: TypeAlias = tuple[list[Item], int, list[Change]]
"""What is stored, and the changes since a revision that led to it."""


class Reader:
    """Makes stored objects, of whatever version, those of one version.

    An object is pruned and defaulted by the schema of the version in which it is stored; what it becomes in another
    version is only pruned. `shapes` are those of all versions of the definition, by apiVersion. Of a definition that
    has never had another version, objects that were written after the revision `settled_at` were written by its present
    schema: they are what they are.
    """

    def __init__(
        self, api_version: str, shapes: Mapping[str, Shape], converter: Converter, settled_at: int | None
    ) -> None:
        self._api_version = api_version
        self._shapes = shapes
        self._converter = converter
        self._settled_at = settled_at

    def at_once(self, item: Item) -> Item | None:
        """The item in this version; None if somebody has to be asked."""
        if self._settled_at is not None and item.revision > self._settled_at:
            return item
        if item.tree["apiVersion"] != self._api_version and not self._converter.at_once:
            return None
        return self._converted(item, rename(self._stored(item), self._api_version))

    async def read(self, items: list[Item]) -> list[Item]:
        """Raises StatusError."""
        found: list[Item | None] = []
        for index, item in enumerate(items, 1):
            found.append(self.at_once(item))
            if index % CHUNK == 0:
                await asyncio.sleep(0)
        asked = [item for item, made in zip(items, found, strict=True) if made is None]
        stored = [self._stored(item) for item in asked]
        trees = await self._converter.convert(stored, self._api_version) if asked else []
        converted = iter([self._converted(item, tree) for item, tree in zip(asked, trees, strict=True)])
        return [made if made is not None else next(converted) for made in found]

    def _stored(self, item: Item) -> Tree:
        """The object in the version in which it is stored."""
        tree = item.tree
        shape = self._shapes.get(tree["apiVersion"])
        if shape is None:
            raise unexpected(f"request to convert CR from an invalid group/version: {tree['apiVersion']}")
        try:
            return shape.prepare(tree)[0]
        except DecodeError as error:
            raise unexpected(str(error)) from error

    def _converted(self, item: Item, tree: Tree) -> Item:
        try:
            made = (
                tree if item.tree["apiVersion"] == self._api_version else self._shapes[self._api_version].pruned(tree)
            )
            if made == item.tree:
                return item
            stored = stored_form(made, keep_type=True)
        except (DecodeError, msgspec.MsgspecError, OverflowError) as error:
            raise unexpected(str(error)) from error
        return Item(item.key, stored, item.revision, item.create_revision)


class View:
    """See the module; a `Watcher` of the cache of what is stored."""

    def __init__(self, stored: Cache, cacher: Cacher, reader: Reader, scope: Scope, name: str) -> None:
        self._stored = stored
        self._cacher = cacher
        self._reader = reader
        self._scope = scope
        self._name = name
        self._cache: Cache | None = None
        self._pending: deque[Change] = deque()
        self._task: asyncio.Task[None] | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._told = self._done = 0
        """How many changes have come, and how many of them are in the view."""
        self._closed = False

    @property
    def revision(self) -> int:
        """Everything up to this revision is in the view."""
        return self._pending[0].revision - 1 if self._pending else self._cacher.revision

    def find(self, item: Item) -> Item | None:
        """The item in this version, if it is known already; what a dry run made is not, whatever its revision says."""
        if self._cache is None or self._stored.get(item.key) is not item:
            return None
        found = self._cache.get(item.key)
        return found if found is not None and found.revision == item.revision else None

    async def settled(self) -> Cache:
        """With all that is stored now. Raises StatusError."""
        if self._closed:
            raise _being_replaced()
        if self._task is None and self._cache is None:
            state = self._stored.select(), self._stored.since_revision, self._stored.history
            self._stored.watch(self)
            self._task = self._scope.spawn(self._work(state), f"view {self._name}")
        if self._cache is None or self._done < self._told:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append((self._told, waiter))
            await waiter
        assert self._cache is not None
        return self._cache

    def close(self) -> None:
        """The definition is another one now, or gone: who watches has to look again."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        self._give_up(_being_replaced())

    # The cache's side.

    def deliver(self, change: Change) -> None:
        self._told += 1
        self._pending.append(change)
        if self._task is not None or self._cache is None:
            return
        try:
            now = change.item if change.deleted else self._reader.at_once(change.item)
        except StatusError as error:
            self._give_up(error)
            return
        if now is not None:
            self._apply(self._cache, now)
        else:
            self._task = self._scope.spawn(self._work(), f"view {self._name}")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._give_up(_being_replaced())

    def count(self) -> int:
        return 0  # clients watch the view

    # The view's own.

    async def _work(self, state: _State = ([], 0, [])) -> None:
        """Bring the view up to date; with what was stored when it begins."""
        try:
            cache = self._cache if self._cache is not None else await self._load(*state)
            while self._pending:
                changes = list(self._pending)
                items = iter(await self._reader.read([each.item for each in changes if not each.deleted]))
                for change in changes:
                    self._apply(cache, change.item if change.deleted else next(items))
        except StatusError as error:
            log.warning("objects not converted resource=%s error=%s", self._name, error)
            self._give_up(error)
        except Exception as error:
            log.exception("view failed resource=%s", self._name)
            self._give_up(unexpected(str(error)))
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _load(self, items: list[Item], since: int, history: list[Change]) -> Cache:
        """What is stored, and of the latest changes those for which nobody has to be asked."""
        changes: deque[Change] = deque()
        for index, change in enumerate(reversed(history), 1):
            item = self._reader.at_once(change.item)
            before = None if change.previous is None else self._reader.at_once(change.previous)
            if item is None or (before is None and change.previous is not None):
                since = change.revision
                break
            changes.appendleft(Change(item, before, change.revision, deleted=change.deleted))
            if index % CHUNK == 0:
                await asyncio.sleep(0)
        made = await self._reader.read(items)
        for item in made:
            item.fields = None  # which fields can be selected is another matter now
        cache = self._cacher.new_cache(since)
        cache.load(made, changes)
        self._cache = cache
        self._wake()
        return cache

    def _apply(self, cache: Cache, item: Item) -> None:
        """The first of the pending changes, whose item in this version is that."""
        change = self._pending.popleft()
        self._done += 1
        if change.deleted:
            cache.remove(change.item.key, change.revision)
        else:
            cache.put(item)
        self._wake()

    def _wake(self) -> None:
        if self._cache is None:
            return
        still = [(count, waiter) for count, waiter in self._waiters if count > self._done]
        for count, waiter in self._waiters:
            if count <= self._done and not waiter.done():
                waiter.set_result(None)
        self._waiters = still

    def _give_up(self, error: StatusError) -> None:
        self._stored.unwatch(self)
        self._task = None
        cache, self._cache = self._cache, None
        self._pending.clear()
        self._done = self._told
        waiters, self._waiters = self._waiters, []
        for _, waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)
        if cache is not None:
            cache.stop()


def _being_replaced() -> StatusError:
    return too_many_requests("storage is (re)initializing", 1)
