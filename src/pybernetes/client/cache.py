"""An indexed set of objects as an informer holds them: read by everybody, changed by the informer only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Key: TypeAlias = tuple[str, str]
"""Namespace and name; the namespace is "" for objects of the cluster."""

IndexFunction: TypeAlias = Callable[[T], Iterable[str]]


class Index(Generic[T]):
    """Objects by the values that a function of each object gives."""

    def __init__(self, values_of: IndexFunction[T]) -> None:
        self._values_of = values_of
        self._keys: dict[str, dict[Key, None]] = {}

    def keys(self, value: str) -> Iterable[Key]:
        return self._keys.get(value, ())

    def add(self, key: Key, obj: T) -> None:
        for value in self._values_of(obj):
            self._keys.setdefault(value, {})[key] = None

    def remove(self, key: Key, obj: T) -> None:
        for value in self._values_of(obj):
            keys = self._keys.get(value)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del self._keys[value]


class Cache(Generic[T]):
    """Objects by key, by namespace, and by whatever indexes were added."""

    def __init__(self) -> None:
        self._objects: dict[Key, T] = {}
        self._namespaces: dict[str, dict[Key, None]] = {}
        self._indexes: dict[str, Index[T]] = {}

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
        if name in self._indexes:
            return
        index = self._indexes[name] = Index(values_of)
        for key, obj in self._objects.items():
            index.add(key, obj)

    def put(self, key: Key, obj: T) -> T | None:
        """Store an object; returns the one that it replaces."""
        old = self._objects.get(key)
        self._objects[key] = obj
        if old is None:
            self._namespaces.setdefault(key[0], {})[key] = None
        for index in self._indexes.values():
            if old is not None:
                index.remove(key, old)
            index.add(key, obj)
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
        for index in self._indexes.values():
            index.remove(key, old)
        return old
