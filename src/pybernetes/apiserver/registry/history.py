"""What happened to a resource's objects before the window of its cache, as far as the store remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from pybernetes.apiserver.cacher.cache import Change
from pybernetes.apiserver.cacher.cacher import ROOT
from pybernetes.apiserver.cacher.item import Item, is_object
from pybernetes.store.backend import Backend, Event


class Past(Protocol):
    """The objects of a resource, in the version that is served."""

    async def at_revision(self, prefix: str, revision: int, after: str) -> list[Item]: ...

    async def read(self, items: list[Item]) -> list[Item]: ...


async def changes(
    store: Past, backend: Backend, base: str, prefix: str, after: int, upto: int
) -> AsyncIterator[list[Change]]:
    """Changes with revisions in (after, upto] of the objects under `prefix`, in batches; `base` is before their keys.

    Raises CompactedError where the store has forgotten, StatusError.
    """
    known = {item.key: item for item in await store.read(await store.at_revision(prefix, after, ""))}
    mine = f"{base}{prefix}".encode()
    # A store that others write to tells how far it is of its whole only.
    async with backend.watch(ROOT if backend.shared else mine, after) as watcher:
        await watcher.ask_progress()
        async for batch in watcher:
            events = [event for event in batch if event.revision <= upto and event.key.startswith(mine)]
            if events:
                yield await _changes(store, base, events, known)
            if watcher.revision >= upto:
                return


async def _changes(store: Past, base: str, events: list[Event], known: dict[str, Item]) -> list[Change]:
    """What the events change of what is known, which is brought up to date."""
    keys = [event.key.decode(errors="replace").removeprefix(base) for event in events]
    puts = [
        Item(key, event.value, event.revision, event.create_revision)
        for key, event in zip(keys, events, strict=True)
        if event.value is not None and is_object(event.value)
    ]
    read = {item.revision: item for item in await store.read(puts)}
    found: list[Change] = []
    for key, event in zip(keys, events, strict=True):
        item = read.get(event.revision)
        if item is not None:
            found.append(Change(item, known.get(key), event.revision, deleted=False))
            known[key] = item
        elif event.value is None and (last := known.pop(key, None)) is not None:
            found.append(Change(last.at(event.revision), last, event.revision, deleted=True))
    return found
