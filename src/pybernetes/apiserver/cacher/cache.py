"""The objects of one resource in memory, its recent events, and who wants to hear of the next ones."""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from pybernetes.apiserver.cacher.item import Item, Listener

log = logging.getLogger(__name__)

SAMPLES = 8


class Change:
    """Something that happened. `item` is the object after it; of a deletion, as last seen, at the deletion's revision.

    `previous` is None for a creation. `frames` are the change's encodings, each made once for all watchers.
    """

    __slots__ = ("deleted", "frames", "item", "previous", "revision")

    def __init__(self, item: Item, previous: Item | None, revision: int, *, deleted: bool) -> None:
        self.item = item
        self.previous = previous
        self.revision = revision
        self.deleted = deleted
        self.frames: dict[object, bytes] = {}

    def frame(self, key: object, make: Callable[[Change], bytes]) -> bytes:
        """An encoding of the change: `key` says which."""
        found = self.frames.get(key)
        if found is None:
            found = self.frames[key] = make(self)
        return found


class Watcher(Protocol):
    """Receives the changes of a cache, in order, on the event loop; must not block or raise."""

    def deliver(self, change: Change) -> None: ...

    def stop(self) -> None:
        """No change will come any more, and some may be lost: the client must list again."""
        ...

    def count(self) -> int:
        """How many clients hear of changes by it."""
        ...


class TooOldError(Exception):
    """The revision is older than the window: `oldest` is the first one that can be watched from."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"older than {oldest}")
        self.oldest = oldest


class Cache:
    """See the module. Items are kept in the order of their keys, `<namespace>/<name>` or `<name>`."""

    def __init__(self, revision: int, window: int) -> None:
        self._items: dict[str, Item] = {}
        self._keys: list[str] = []
        self._window: deque[Change] = deque(maxlen=window)
        self._since = revision
        self._average = 0, 0
        self._watchers: dict[Watcher, None] = {}
        self._listeners: list[Listener] = []
        self.audiences: dict[object, Watcher] = {}
        """The watchers that stand for many, by what those see; kept by who makes them."""
        self.changed = revision
        """Revision of the latest change of this resource."""
        self.state = 0
        """Another number with every change of what is held: a list that is read anew may stand at the old revision."""

    def load(self, items: list[Item], changes: Iterable[Change] = ()) -> None:
        """Take the first list, and the changes that led to it; before any other change."""
        self.state += 1
        self._items.update((item.key, item) for item in items)
        self._keys = sorted(self._items)
        self._window.extend(changes)

    # Reading.

    def get(self, key: str) -> Item | None:
        return self._items.get(key)

    def select(self, prefix: str = "", after: str = "") -> list[Item]:
        """Items whose key has the prefix ("<namespace>/"), in order; only those behind the key `after`, if given."""
        keys, items = self._keys, self._items
        if not prefix and not after:
            return list(map(items.__getitem__, keys))
        start = bisect_right(keys, after) if after else bisect_left(keys, prefix)
        end = bisect_left(keys, prefix + "\U0010ffff") if prefix else len(keys)
        return list(map(items.__getitem__, keys[start:end]))

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def average_bytes(self) -> int:
        """How long an item is, judged by a few of them; looked at again when their number has changed by a quarter."""
        count, average = self._average
        if abs(len(self._keys) - count) * 4 > count:
            keys = self._keys[:: max(len(self._keys) // SAMPLES, 1)]
            average = sum(len(self._items[key].encoded) for key in keys) // max(len(keys), 1)
            self._average = len(self._keys), average
        return average

    # Hearing of changes.

    def subscribe(self, listener: Listener) -> None:
        """Tell the listener of each item there is, then of every change."""
        self._listeners.append(listener)
        for item in self.select():
            _tell(listener, None, item)

    def since(self, revision: int) -> list[Change]:
        """Changes after the revision, in order. Raises TooOldError."""
        if revision < self._since:
            raise TooOldError(self._since)
        window = self._window
        if not window or window[-1].revision <= revision:
            return []
        found: list[Change] = []
        for change in reversed(window):
            if change.revision <= revision:
                break
            found.append(change)
        found.reverse()
        return found

    @property
    def history(self) -> list[Change]:
        """The recent changes, in order; behind the revision `since_revision`."""
        return list(self._window)

    @property
    def since_revision(self) -> int:
        return self._since

    def watch(self, watcher: Watcher) -> None:
        """Deliver every change from now on."""
        self._watchers[watcher] = None

    def unwatch(self, watcher: Watcher) -> None:
        """Safe to repeat."""
        self._watchers.pop(watcher, None)

    def watching(self) -> int:
        """How many clients watch."""
        return sum(watcher.count() for watcher in self._watchers)

    # What the store tells.

    def put(self, item: Item) -> None:
        """The store holds this now."""
        previous = self._items.get(item.key)
        if previous is None:
            insort(self._keys, item.key)
        self._items[item.key] = item
        self._record(Change(item, previous, item.revision, deleted=False), item)

    def remove(self, key: str, revision: int) -> None:
        """The store holds this no longer."""
        previous = self._items.pop(key, None)
        if previous is None:
            return
        del self._keys[bisect_left(self._keys, key)]
        last = previous.at(revision)
        self._record(Change(last, previous, revision, deleted=True), None)

    def _record(self, change: Change, now: Item | None) -> None:
        self.changed = change.revision
        self.state += 1
        if len(self._window) == self._window.maxlen:
            self._since = self._window[0].revision
        self._window.append(change)
        for listener in self._listeners:
            _tell(listener, change.previous, now)
        for watcher in list(self._watchers):
            watcher.deliver(change)

    def reset(self, items: list[Item], revision: int) -> None:
        """Take a full list after changes were missed: watches end, listeners hear of the difference."""
        self.stop()
        self.state += 1
        before = self._items
        self._items = {item.key: item for item in items}
        self._keys = sorted(self._items)
        self._window.clear()
        self._since = self.changed = revision
        for listener in self._listeners:
            for key in before.keys() - self._items.keys():
                _tell(listener, before[key], None)
            for key, item in self._items.items():
                old = before.get(key)
                if old is None or old.revision != item.revision:
                    _tell(listener, old, item)

    def stop(self) -> None:
        """End all watches: changes may have been missed."""
        for watcher in list(self._watchers):
            watcher.stop()
        self._watchers.clear()
        self.audiences.clear()


def _tell(listener: Listener, old: Item | None, new: Item | None) -> None:
    """What a listener cannot take keeps it from no other item, and nobody else from this one."""
    try:
        listener(old, new)
    except Exception:
        log.exception("listener failed key=%s", new.key if new else old and old.key)
