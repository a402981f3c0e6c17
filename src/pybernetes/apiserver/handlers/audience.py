"""The watches of one cache that see the same: what a change is to them is worked out and encoded once."""

from __future__ import annotations

from typing import Protocol

from pybernetes.apiserver.cacher.cache import Cache, Change
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.encoding import ADDED, DELETED, MODIFIED, Encoder
from pybernetes.apiserver.handlers.list_options import ListOptions, matches
from pybernetes.apiserver.http.message import frame
from pybernetes.apiserver.resources.strategy import Strategy


class Member(Protocol):
    """One client's watch."""

    def take(self, told: bytes) -> None:
        """Send an event, framed as a chunk; must not block or raise."""
        ...

    def stop(self) -> None:
        """See `cache.Watcher`."""
        ...


class Selection:
    """Which objects a watch is about."""

    def __init__(self, prefix: str, options: ListOptions, strategy: Strategy) -> None:
        self.prefix = prefix
        self._options = options
        self._strategy = strategy
        self._everything = options.selects_everything

    def takes(self, item: Item) -> bool:
        return self._everything or matches(item, self._options, self._strategy)

    def kind(self, change: Change) -> bytes | None:
        """What the change is to who sees only these objects, for they enter and leave; None for nothing."""
        if not change.item.key.startswith(self.prefix):
            return None
        if self._everything:
            return DELETED if change.deleted else ADDED if change.previous is None else MODIFIED
        is_in = not change.deleted and self.takes(change.item)
        was_in = change.previous is not None and self.takes(change.previous)
        if is_in:
            return MODIFIED if was_in else ADDED
        return DELETED if was_in else None

    def told(self, change: Change, encoder: Encoder) -> bytes | None:
        """The change as an event, framed; None if it is none of these objects'."""
        kind = self.kind(change)
        if kind is None:
            return None
        if kind is DELETED and not change.deleted:
            # The object left the selection: shown as it was, at the revision of its leaving.
            return change.frame((encoder, "left"), lambda one: frame(encoder.event(DELETED, _before(one))))
        return change.frame((encoder, kind), lambda one: frame(encoder.event(kind, one.item)))


def _before(change: Change) -> Item:
    assert change.previous is not None
    return change.previous.at(change.revision)


class Audience:
    """A `Watcher` of the cache for all of its members."""

    def __init__(self, cache: Cache, key: object, selection: Selection, encoder: Encoder) -> None:
        self._cache = cache
        self._key = key
        self._selection = selection
        self._encoder = encoder
        self._members: dict[Member, None] = {}

    def deliver(self, change: Change) -> None:
        told = self._selection.told(change, self._encoder)
        if told is not None:
            for member in list(self._members):
                member.take(told)

    def stop(self) -> None:
        for member in list(self._members):
            member.stop()

    def count(self) -> int:
        return len(self._members)

    def join(self, member: Member) -> None:
        self._members[member] = None

    def leave(self, member: Member) -> None:
        """Safe to repeat."""
        self._members.pop(member, None)
        if not self._members:
            self._cache.unwatch(self)
            if self._cache.audiences.get(self._key) is self:
                del self._cache.audiences[self._key]


def join(cache: Cache, selection: Selection, selectors: tuple[str, str], encoder: Encoder, member: Member) -> Audience:
    """Tell the member of every change from now on, until it leaves. `selectors` are the selection's, as texts."""
    key = selection.prefix, selectors, encoder
    audience = cache.audiences.get(key)
    if not isinstance(audience, Audience):
        audience = cache.audiences[key] = Audience(cache, key, selection, encoder)
        cache.watch(audience)
    audience.join(member)
    return audience
