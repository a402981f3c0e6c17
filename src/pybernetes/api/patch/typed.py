"""Values read with their schema: the set of fields an object has, and what differs between two objects.

Absent fields of built-in types count as the zero that upstream's types write for them (`Schema.zeros`), so that
setting `spec` of a Deployment adds what is inside of it, and not `spec` itself.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct

from pybernetes.aio.turns import give_way
from pybernetes.api.patch.depth import CONTAINERS
from pybernetes.api.patch.fields import MEMBER, FieldSet, key_element, value_element
from pybernetes.api.schema import Json, Kind, ListType, Schema


class Absent(Enum):
    """No value at all, as opposed to null."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
Value: TypeAlias = "Json | Absent"

_SELF: FieldSet = {".": MEMBER}
_EMPTY: Final[list[Json]] = []


class ElementError(ValueError):
    """An element of a list that cannot be told from the others; the text is upstream's."""


def element_of(schema: Schema, item: Json) -> str:
    """The path element of an item of a set or map list; raises `ElementError`."""
    give_way()
    if schema.list_type is ListType.SET:
        return _set_element(item)
    if not isinstance(item, dict):
        what = "a null element" if item is None else "non-map elements"
        raise ElementError(f"associative list with keys may not have {what}")
    keys: dict[str, Json] = {}
    for name in schema.list_keys:
        value = item.get(name)
        if value is not None or name in item:
            keys[name] = value
        elif name in schema.key_defaults:
            keys[name] = schema.key_defaults[name]
    if not keys:
        names = " ".join(f'"{name}"' for name in schema.list_keys)
        raise ElementError(
            f"associative list with keys has an element that omits all key fields [{names}]"
            " (and doesn't have default values for any key fields)"
        )
    return key_element(keys)


def _set_element(item: Json) -> str:
    if isinstance(item, dict):
        raise ElementError("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise ElementError("not supported: associative list with lists as elements")
    if item is None:
        raise ElementError("associative list without keys has an element that's an explicit null")
    return value_element(item)


def is_granular(schema: Schema, value: Value) -> bool:
    """Whether the parts of this value have owners of their own, rather than the value as a whole."""
    kind = schema.kind
    if kind is Kind.LIST:
        return schema.list_type is not ListType.ATOMIC
    if kind is Kind.OBJECT or kind is Kind.MAP:
        return not schema.atomic
    return kind is Kind.ANY and not schema.atomic and (value is None or isinstance(value, dict))


def field_set(schema: Schema, value: Json) -> FieldSet:
    """The fields that a configuration states: leaves, list elements, map entries, and what is empty or null.

    A configuration must have passed `check.errors`.
    """
    out: FieldSet = {}
    if not value or not is_granular(schema, value):
        return out
    if isinstance(value, list):
        items = schema.items
        for element, group in grouped(schema, value).items():
            below = field_set(items, group[0]) if items is not None and len(group) == 1 else {}
            out[element] = {**_SELF, **below} if below else MEMBER
    elif isinstance(value, dict):
        properties = schema.properties
        for name, held in value.items():
            declared = properties.get(name)
            child = declared if declared is not None else schema.child(name)
            if child is None:
                continue
            below = field_set(child, held)
            if below:
                out["f:" + name] = below if declared is not None else {**_SELF, **below}
            elif declared is None or not _is_hollow(child, held):
                out["f:" + name] = MEMBER
    return out


def _is_hollow(schema: Schema, value: Json) -> bool:
    """Neither a granular list without elements states anything, nor a map that has only such in it."""
    if isinstance(value, list):
        return not value and is_granular(schema, value)
    return isinstance(value, dict) and bool(value) and is_granular(schema, value)


class Difference(Struct):
    """The fields that one object has and another has not, or has with another value."""

    added: FieldSet
    modified: FieldSet
    removed: FieldSet

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.modified or self.removed)


def compare(schema: Schema, old: Json, new: Json) -> Difference:
    """What changed from `old` to `new`, two objects of one kind. Raises `ElementError`."""
    walk = _Walk()
    found = walk.compare(schema, old, new)
    return Difference(*(node if node is not None else {} for node in found))


Nodes: TypeAlias = "tuple[FieldSet | None, FieldSet | None, FieldSet | None]"
"""What was added, modified and removed at and below one element; None where nothing was."""

_SAME: Final[Nodes] = (None, None, None)
_MODIFIED: Final[Nodes] = (None, MEMBER, None)


class _Walk:
    """The comparison, level by level. A side that is absent makes everything below it added or removed."""

    def compare(self, schema: Schema, old: Value, new: Value) -> Nodes:
        if old is ABSENT:
            return (added(schema, new), None, None) if not isinstance(new, Absent) else _SAME
        if new is ABSENT:
            return None, None, added(schema, old) if not isinstance(old, Absent) else None
        if old == new:
            return _SAME
        if not is_granular(schema, old) or not is_granular(schema, new):
            return self._reshaped(schema, old, new)
        if not old and not new:
            return _MODIFIED
        if schema.kind is Kind.LIST:
            return self._lists(schema, old if isinstance(old, list) else [], new if isinstance(new, list) else [])
        return self._maps(schema, old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {})

    def _reshaped(self, schema: Schema, old: Value, new: Value) -> Nodes:
        """A leaf that changed; a value without schema may also turn from a map into a scalar or back."""
        if is_granular(schema, old) and isinstance(old, dict) and old:
            return None, MEMBER, self._maps(schema, old, {})[2]
        if is_granular(schema, new) and isinstance(new, dict) and new:
            return self._maps(schema, {}, new)[0], MEMBER, None
        return _MODIFIED

    def _maps(self, schema: Schema, old: dict[str, Json], new: dict[str, Json]) -> Nodes:
        if not old:
            return self._first(schema, new)
        added_: FieldSet = {}
        modified: FieldSet = {}
        removed: FieldSet = {}
        properties, zeros = schema.properties, schema.zeros
        for name in old.keys() | new.keys():
            before, after = old.get(name, ABSENT), new.get(name, ABSENT)
            if before is after:
                continue
            if name in zeros:
                if before is ABSENT:
                    before = zeros[name]
                elif after is ABSENT:
                    after = zeros[name]
            child = properties.get(name) or schema.child(name)
            if child is None:
                continue
            found = self.compare(child, before, after)
            if found is not _SAME:
                _put(added_, modified, removed, "f:" + name, found)
        return added_ or None, modified or None, removed or None

    def _first(self, schema: Schema, new: dict[str, Json]) -> Nodes:
        """As `_maps`, where there was nothing before: a creation is nearly always that."""
        added_: FieldSet = {}
        modified: FieldSet = {}
        properties, zeros = schema.properties, schema.zeros
        for name, after in new.items():
            child = properties.get(name) or schema.child(name)
            if child is None:
                continue
            if name not in zeros:
                added_["f:" + name] = added(child, after) if after.__class__ in CONTAINERS else MEMBER
            else:
                found = self.compare(child, zeros[name], after)
                if found is not _SAME:
                    _put(added_, modified, {}, "f:" + name, found)
        return added_ or None, modified or None, None

    def _lists(self, schema: Schema, old: list[Json], new: list[Json]) -> Nodes:
        added_: FieldSet = {}
        modified: FieldSet = {}
        removed: FieldSet = {}
        before, after = grouped(schema, old), grouped(schema, new)
        items = schema.items
        for element in before.keys() | after.keys():
            was, now = before.get(element, _EMPTY), after.get(element, _EMPTY)
            if len(was) > 1 or len(now) > 1 or items is None:
                found = _duplicates(items, was, now)
            else:
                found = self.compare(items, was[0] if was else ABSENT, now[0] if now else ABSENT)
            if found is not _SAME:
                _put(added_, modified, removed, element, found)
        return added_ or None, modified or None, removed or None


def _duplicates(items: Schema | None, was: list[Json], now: list[Json]) -> Nodes:
    """Elements with one key are owned together: one more or less gives all of them, as new ones, to who did it."""
    if was == now:
        return _SAME
    if len(was) > 1 and len(now) > 1:
        return _MODIFIED
    return _node_of(items, now), None, _node_of(items, was)


def _node_of(items: Schema | None, group: list[Json]) -> FieldSet | None:
    if not group:
        return None
    return MEMBER if len(group) > 1 or items is None else added(items, group[0])


def _put(added_: FieldSet, modified: FieldSet, removed: FieldSet, element: str, found: Nodes) -> None:
    if found[0] is not None:
        added_[element] = found[0]
    if found[1] is not None:
        modified[element] = found[1]
    if found[2] is not None:
        removed[element] = found[2]


def added(schema: Schema, value: Json) -> FieldSet:
    """The node of a value that was not there before: itself, and all below it that can have an owner."""
    if not value or not is_granular(schema, value):
        return MEMBER
    out: FieldSet = {".": MEMBER}
    if isinstance(value, dict):
        properties = schema.properties
        for name, held in value.items():
            child = properties.get(name) or schema.child(name)
            if child is not None:
                out["f:" + name] = added(child, held) if held.__class__ in CONTAINERS else MEMBER
    elif isinstance(value, list):
        items = schema.items
        for element, group in grouped(schema, value).items():
            out[element] = _node_of(items, group) or MEMBER
    return out if len(out) > 1 else MEMBER


def grouped(schema: Schema, items: list[Json]) -> dict[str, list[Json]]:
    """Items by their path element. Raises `ElementError` for what has none: a null, an element without its keys."""
    out: dict[str, list[Json]] = {}
    for item in items:
        out.setdefault(element_of(schema, item), []).append(item)
    return out
