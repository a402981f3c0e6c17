"""Caches of the API's objects, kept current by watches and shared by all who read the same selection."""

from __future__ import annotations

import asyncio
import builtins
import logging
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar, cast, overload

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.api.types import meta_v1
from pybernetes.api.types.base import Object
from pybernetes.client.cache import Cache, GroupFunction, IndexFunction, Key
from pybernetes.client.codec import PartialObjectMetadata, WatchEvent, metadata_codec
from pybernetes.client.rest import Client, codec_of
from pybernetes.client.watch import Reflector, Selection

log = logging.getLogger(__name__)

T = TypeVar("T")
ObjectT = TypeVar("ObjectT", bound=Object)


class LabelMatcher(Protocol):
    """A selector over labels (`api.selectors`)."""

    def matches(self, labels: dict[str, str], /) -> bool: ...


class Informer(Generic[T]):
    """The current objects of one selection. Objects are shared: never change one.

    Handlers run on the event loop, in the order of the events, after the cache has the new object.
    """

    def __init__(self, selection: Selection[T]) -> None:
        self.selection = selection
        self.synced = asyncio.Event()
        self._cache: Cache[T] = Cache()
        self._handlers: list[Callable[[T | None, T | None], None]] = []
        # The newest revision that the watch has told, and objects that came ahead of it from our own writes.
        self._revision = 0
        self._assumed: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._cache)

    def get(self, name: str, namespace: str = "") -> T | None:
        return self._cache.get((namespace, name))

    def list(self, namespace: str = "", selector: LabelMatcher | None = None) -> list[T]:
        """All objects, those of a namespace, or those whose labels a selector matches; a list of the caller's own."""
        found = self._cache.of_namespace(namespace)
        if selector is None:
            return found
        return [obj for obj in found if selector.matches(self.selection.codec.metadata(obj).labels)]

    def by_index(self, index: str, value: str) -> builtins.list[T]:
        """The objects to which `index` gives `value`. KeyError for an index that was never added."""
        return self._cache.by_index(index, value)

    def add_index(self, name: str, values_of: IndexFunction[T]) -> None:
        """Add an index; it may be added at any time, and again (the first function stays)."""
        self._cache.add_index(name, values_of)

    def add_groups(self, name: str, place_of: GroupFunction[T]) -> None:
        """As `add_index`, for objects that are counted: `place_of` gives the group, and what an object is in it."""
        self._cache.add_groups(name, place_of)

    def group(self, groups: str, name: str) -> dict[Any, Collection[Key]]:
        """The keys of one group's objects, by what they are in it. KeyError for groups that were never added.

        The keys are live: they follow the cache.
        """
        return self._cache.group(groups, name)

    def subscribe(self, on_change: Callable[[T | None, T | None], None]) -> None:
        """Call `on_change(old, new)` for each change from now on; first with (None, object) for each that is there."""
        self._handlers.append(on_change)
        for obj in list(self._cache.items().values()):
            try:
                on_change(None, obj)
            except Exception:
                self._failed()

    def assume(self, obj: T) -> None:
        """Take what a write of this process answered, without waiting for the watch to tell it.

        So whoever writes reads its own writes. What the watch has seen already, or sees later, is not lost: the newer
        resourceVersion counts.
        """
        meta = self.selection.codec.metadata(obj)
        key, revision = _key(meta), _number(meta.resource_version)
        if revision > max(self._revision, self._assumed.get(key, 0)):
            self._store(key, obj, meta)
            self._assumed[key] = revision

    def replace(self, objects: Sequence[T], resource_version: str) -> None:
        """Take a complete list; what is not in it is gone. Called by the reflector."""
        self._revision = _number(resource_version)
        metadata = self.selection.codec.metadata
        present = {_key(meta): (obj, meta) for obj in objects for meta in (metadata(obj),)}
        ahead = {key for key, revision in self._assumed.items() if revision > self._revision}
        for key in [key for key in self._cache.items() if key not in present and key not in ahead]:
            self._remove(key)
        for key, (obj, meta) in present.items():
            if key not in ahead:
                self._store(key, obj, meta)
        self._assumed = {key: self._assumed[key] for key in ahead}
        self.synced.set()

    def apply(self, event: WatchEvent[T]) -> None:
        """Take one event. Called by the reflector."""
        revision, obj = _number(event.resource_version), event.object
        self._revision = max(self._revision, revision)
        if obj is None:
            return
        meta = self.selection.codec.metadata(obj)
        key = _key(meta)
        if self._assumed:
            if self._assumed.get(key, 0) > self._revision:
                return
            self._assumed.pop(key, None)
        if event.type == "DELETED":
            self._remove(key, obj)
        else:
            self._store(key, obj, meta)

    def _store(self, key: Key, obj: T, meta: meta_v1.ObjectMeta) -> None:
        """An object that was deleted and made anew behind our back is told as a deletion and a creation."""
        old = self._cache.get(key)
        if old is not None:
            before = self.selection.codec.metadata(old)
            if before.uid != meta.uid:
                self._remove(key)
                old = None
            elif before.resource_version == meta.resource_version:
                return
        self._cache.put(key, obj)
        self._notify(old, obj)

    def _remove(self, key: Key, last: T | None = None) -> None:
        """Handlers get the object as it was at the end, if the event told."""
        old = self._cache.pop(key)
        if old is not None:
            self._notify(last if last is not None else old, None)

    def _notify(self, old: T | None, new: T | None) -> None:
        for handler in self._handlers:
            try:
                handler(old, new)
            except Exception:
                self._failed()

    def _failed(self) -> None:
        log.exception("handler failed resource=%s", self.selection.codec.resource.group_resource)


def _key(meta: meta_v1.ObjectMeta) -> Key:
    return (meta.namespace or "", meta.name or "")


def _number(resource_version: str | None) -> int:
    """Resource versions are numbers that grow (KEP-5504)."""
    return int(resource_version) if resource_version and resource_version.isdigit() else 0


class Informers:
    """The informers of a process: one per selection, however many ask for it."""

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self.client = client
        self._clock = clock or SystemClock()
        self._informers: dict[Hashable, Informer[Any]] = {}
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}
        self._scope: Scope | None = None

    @overload
    def of(
        self, kind: type[ObjectT], namespace: str = "", *, field_selector: str = "", label_selector: str = ""
    ) -> Informer[ObjectT]: ...
    @overload
    def of(
        self, kind: Resource, namespace: str = "", *, field_selector: str = "", label_selector: str = ""
    ) -> Informer[Tree]: ...
    def of(self, kind: Any, namespace: str = "", *, field_selector: str = "", label_selector: str = "") -> Any:
        """The informer of a selection. Made on first use; one that is made while running starts at once."""
        key = (codec_of(kind).resource, isinstance(kind, Resource), namespace, field_selector, label_selector)
        return self._informer(key, Selection(codec_of(kind), namespace, label_selector, field_selector))

    def metadata_of(self, resource: Resource) -> Informer[Any]:
        """An informer whose objects carry at least `.metadata`: the typed one where there is one, else metadata only."""
        typed = self._informers.get((resource, False, "", "", ""))
        if typed is not None:
            return typed
        found: Informer[PartialObjectMetadata] = self._informer(
            (resource, "metadata"), Selection(metadata_codec(resource))
        )
        return found

    def all(self) -> list[Informer[Any]]:
        """Every informer that was asked for so far."""
        return list(self._informers.values())

    def forget(self, informer: Informer[Any]) -> None:
        """Stop an informer and drop it (its resource is gone). Safe to repeat."""
        for key in [key for key, known in self._informers.items() if known is informer]:
            del self._informers[key]
            if task := self._tasks.pop(key, None):
                task.cancel()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep all informers current while the block runs."""
        async with open_scope("informers") as scope:
            self._scope = scope
            try:
                for key, informer in self._informers.items():
                    self._start(key, informer)
                yield
            finally:
                self._scope = None
                self._tasks.clear()

    async def wait_synced(self) -> None:
        """Until every informer that exists now has its first complete list. The caller sets the time-out."""
        for informer in self.all():
            await informer.synced.wait()

    def _informer(self, key: Hashable, selection: Selection[T]) -> Informer[T]:
        found = self._informers.get(key)
        if found is None:
            found = self._informers[key] = Informer(selection)
            self._start(key, found)
        return cast(Informer[T], found)

    def _start(self, key: Hashable, informer: Informer[Any]) -> None:
        if self._scope is None:
            return
        reflector = Reflector(self.client, informer.selection, informer, self._clock)
        name = informer.selection.codec.resource.group_resource
        self._tasks[key] = self._scope.spawn(reflector.run(), name)
