"""An indexed set of objects as an informer holds them: read by everybody, changed by the informer only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct, field

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
Key: TypeAlias = tuple[str, str]
"""Namespace and name; the namespace is "" for objects of the cluster."""

IndexFunction: TypeAlias = Callable[[T], Iterable[str]]

GroupFunction: TypeAlias = Callable[[T], "tuple[str, Hashable] | None"]
"""The group that an object is in, and what it is within that group; None: it is in none."""


class View(Protocol[T_contra]):
    """What a cache keeps beside its objects, to find them by."""

    def put(self, key: Key, obj: T_contra, /) -> None: ...
    def pop(self, key: Key, /) -> None: ...


class Index(Generic[T]):
    """Objects by the values that a function of each object gives."""

    def __init__(self, values_of: IndexFunction[T]) -> None:
        self._values_of = values_of
        self._keys: dict[str, dict[Key, None]] = {}
        self._values: dict[Key, tuple[str, ...]] = {}

    def keys(self, value: str) -> Iterable[Key]:
        return self._keys.get(value, ())

    def put(self, key: Key, obj: T) -> None:
        values = tuple(self._values_of(obj))
        if values == self._values.get(key, ()):
            return
        self.pop(key)
        for value in values:
            self._keys.setdefault(value, {})[key] = None
        if values:
            self._values[key] = values

    def pop(self, key: Key) -> None:
        for value in self._values.pop(key, ()):
            keys = self._keys.get(value)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del self._keys[value]


class _Kind(Struct, frozen=True, eq=False):
    """Those of a group that are alike."""

    place: tuple[str, Hashable]
    keys: dict[Key, None] = field(default_factory=dict)


class Groups(Generic[T]):
    """Objects by group, and within a group by what they are alike in: so a large group is counted without a walk."""

    def __init__(self, place_of: GroupFunction[T]) -> None:
        self._place_of = place_of
        self._groups: dict[str, dict[Hashable, _Kind]] = {}
        self._kinds: dict[Key, _Kind] = {}

    def of(self, group: str) -> dict[Any, Collection[Key]]:
        return {what: kind.keys for what, kind in self._groups.get(group, {}).items()}

    def put(self, key: Key, obj: T) -> None:
        place, known = self._place_of(obj), self._kinds.get(key)
        if known is not None:
            if known.place == place:
                return
            self.pop(key)
        if place is not None:
            group = self._groups.setdefault(place[0], {})
            kind = group.get(place[1])
            if kind is None:
                kind = group[place[1]] = _Kind(place)
            kind.keys[key] = None
            self._kinds[key] = kind

    def pop(self, key: Key) -> None:
        kind = self._kinds.pop(key, None)
        if kind is None:
            return
        del kind.keys[key]
        if not kind.keys:
            group, what = kind.place
            del self._groups[group][what]
            if not self._groups[group]:
                del self._groups[group]


class Cache(Generic[T]):
    """Objects by key, by namespace, and by whatever indexes and groups were added."""

    def __init__(self) -> None:
        self._objects: dict[Key, T] = {}
        self._namespaces: dict[str, dict[Key, None]] = {}
        self._indexes: dict[str, Index[T]] = {}
        self._groups: dict[str, Groups[T]] = {}
        self._views: list[View[T]] = []

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: Key) -> T | None:
        return self._objects.get(key)

    def items(self) -> Mapping[Key, T]:
        return self._objects

    def of_namespace(self, namespace: str) -> list[T]:
        """All objects, or with a namespace those in it."""
        if not namespace:
            return list(self._objects.values())
        return [self._objects[key] for key in self._namespaces.get(namespace, ())]

    def by_index(self, index: str, value: str) -> list[T]:
        """The objects to which the index gives this value. KeyError for an index that was never added."""
        return [self._objects[key] for key in self._indexes[index].keys(value)]

    def add_index(self, name: str, values_of: IndexFunction[T]) -> None:
        """Add an index over what is there and what will come; a name that exists keeps its function."""
        if name not in self._indexes:
            index = self._indexes[name] = Index(values_of)
            self._fill(index)

    def group(self, groups: str, name: str) -> dict[Any, Collection[Key]]:
        """One of the groups, by what its members are alike in. KeyError for groups that were never added."""
        return self._groups[groups].of(name)

    def add_groups(self, name: str, place_of: GroupFunction[T]) -> None:
        """As `add_index`."""
        if name not in self._groups:
            groups = self._groups[name] = Groups(place_of)
            self._fill(groups)

    def _fill(self, view: View[T]) -> None:
        self._views.append(view)
        for key, obj in self._objects.items():
            view.put(key, obj)

    def put(self, key: Key, obj: T) -> T | None:
        """Store an object; returns the one that it replaces."""
        old = self._objects.get(key)
        self._objects[key] = obj
        if old is None:
            self._namespaces.setdefault(key[0], {})[key] = None
        for view in self._views:
            view.put(key, obj)
        return old

    def pop(self, key: Key) -> T | None:
        """Remove and return an object; None if there is none."""
        old = self._objects.pop(key, None)
        if old is None:
            return None
        keys = self._namespaces[key[0]]
        del keys[key]
        if not keys:
            del self._namespaces[key[0]]
        for view in self._views:
            view.pop(key)
        return old
