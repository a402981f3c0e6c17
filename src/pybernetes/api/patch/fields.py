"""Sets of field paths in the very form of `fieldsV1`, so that a set is stored and read without conversion.

A set is a tree of path elements: `f:name` a field, `k:{...}` a list element by its keys, `v:...` an element of a set
by its value, `i:0` an element by position. An element that leads to `{}` is a member; one that leads to children is a
member only if `.` is among them. The root itself is never a member. All operations return sets that may share parts
with their arguments: a set is never changed in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from pybernetes.api.field import quote
from pybernetes.api.schema import Json, Kind, ListType, Schema

FieldSet: TypeAlias = "dict[str, FieldSet]"

MEMBER: FieldSet = {}
"""What a path element leads to that is a member and has no children."""

_SELF = "."


def ordered(fields: FieldSet) -> FieldSet:
    """The same set in the order in which it is stored: clients compare sets by their bytes."""
    return {element: ordered(fields[element]) if fields[element] else MEMBER for element in sorted(fields)}


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    """The paths of either set."""
    if not a or not b:
        return a or b
    return {**a, **b, **{element: _join(a[element], b[element]) for element in a.keys() & b.keys() if element != _SELF}}


def _join(a: FieldSet, b: FieldSet) -> FieldSet:
    if a is b or a == b:
        return a
    return union(a or {_SELF: {}}, b or {_SELF: {}})


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """The paths of `a` that are not in `b`; a path of `b` does not take its children along."""
    if not a or not b:
        return a
    out: FieldSet = {}
    for element, below in a.items():
        other = b.get(element)
        if other is None:
            out[element] = below
        elif element != _SELF and (rest := _subtract(below, other)) is not None:
            out[element] = rest
    return out


def _subtract(a: FieldSet, b: FieldSet) -> FieldSet | None:
    if not b:  # a member: takes only the path itself
        rest = {element: below for element, below in a.items() if element != _SELF}
        return rest or None
    if not a:
        return None if _SELF in b else a
    return _folded(difference(a, b))


def _folded(node: FieldSet) -> FieldSet | None:
    """The node in its one form: a lone `.` is a plain member, nothing at all is no element."""
    if not node:
        return None
    return MEMBER if len(node) == 1 and _SELF in node else node


def without(a: FieldSet, b: FieldSet) -> FieldSet:
    """The paths of `a` that are neither in `b` nor below a path of `b`."""
    if not a or not b:
        return a
    out: FieldSet = {}
    for element, below in a.items():
        other = b.get(element)
        if other is None:
            out[element] = below
        elif other and _SELF not in other:
            rest = _folded(without(below, other)) if below else MEMBER
            if rest is not None:
                out[element] = rest
    return out


def only(a: FieldSet, b: FieldSet) -> FieldSet:
    """The paths of `a` that are in `b` or below a path of `b`."""
    return difference(a, without(a, b))


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    """The paths of both sets."""
    out: FieldSet = {}
    small, large = (a, b) if len(a) <= len(b) else (b, a)
    for element, below in small.items():
        other = large.get(element)
        if other is None:
            continue
        if element == _SELF:
            out[element] = MEMBER
        elif (shared := _shared(below, other)) is not None:
            out[element] = shared
    return out


def _shared(a: FieldSet, b: FieldSet) -> FieldSet | None:
    if not a:
        return MEMBER if not b or _SELF in b else None
    if not b:
        return MEMBER if _SELF in a else None
    return _folded(intersection(a, b))


def has(fields: FieldSet, path: tuple[str, ...]) -> bool:
    """Whether the path, as its elements, is a member."""
    node: FieldSet | None = fields
    for element in path:
        node = node.get(element) if node else None
        if node is None:
            return False
    return is_member(node or {})


def is_member(node: FieldSet) -> bool:
    """Whether the element that leads to this node is in the set."""
    return not node or _SELF in node


def of_paths(*paths: str) -> FieldSet:
    """A set of dotted field paths such as `metadata.name`."""
    out: FieldSet = {}
    for path in paths:
        one: FieldSet = MEMBER
        for name in reversed(path.split(".")):
            one = {"f:" + name: one}
        out = union(out, one)
    return out


def closed(fields: FieldSet, schema: Schema) -> FieldSet:
    """The set with every declared field on the way to a member made a member too.

    Such a field exists only for what is inside; elements of lists and entries of maps stand for themselves.
    """
    out: FieldSet = {}
    for element, below in fields.items():
        if not below:
            out[element] = below
            continue
        child = _schema_below(schema, element)
        inner = closed(below, child) if child is not None else below
        if element.startswith("f:") and element[2:] in schema.properties:
            inner = {_SELF: MEMBER, **inner}
        out[element] = inner
    return out


def folded(fields: FieldSet, schema: Schema) -> FieldSet:
    """The set with paths inside of atomic lists and maps replaced by that of the list or map."""
    out: FieldSet = {}
    for element, below in fields.items():
        child = _schema_below(schema, element) if below else None
        if child is None:
            out[element] = below
        elif child.atomic or (child.kind is Kind.LIST and child.list_type is ListType.ATOMIC):
            out[element] = MEMBER
        else:
            out[element] = folded(below, child)
    return fields if out == fields else out


def _schema_below(schema: Schema, element: str) -> Schema | None:
    if element.startswith("f:"):
        return schema.child(element[2:])
    return schema.items if schema.kind is Kind.LIST else None


def key_element(keys: dict[str, Json]) -> str:
    """The path element of a list element with these keys."""
    plain = {name: _plain(value) for name, value in keys.items()}
    return "k:" + msgspec.json.encode(plain, order="sorted").decode()


def value_element(value: Json) -> str:
    """The path element of an element of a set."""
    return "v:" + msgspec.json.encode(_plain(value)).decode()


def _plain(value: Json) -> Json:
    """A whole number without a fraction, as Go writes it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def text(element: str) -> str:
    """The path element as messages show it: `.spec`, `[name="main"]`, `[="a"]`, `[0]`."""
    kind, _, rest = element.partition(":")
    if kind == "f":
        return "." + rest
    if kind == "i":
        return f"[{rest}]"
    if kind == "v":
        return f"[={_scalar(msgspec.json.decode(rest))}]"
    keys: dict[str, Json] = msgspec.json.decode(rest)
    return "[" + ",".join(f"{name}={_scalar(value)}" for name, value in keys.items()) + "]"


def _scalar(value: Json) -> str:
    return quote(value) if isinstance(value, str) else msgspec.json.encode(value).decode()


_ORDER = {"f": 0, "k": 1, "v": 2, "i": 3}


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """All members as messages show them, members of a level before what is below them."""
    elements = sorted((e for e in fields if e != _SELF), key=lambda e: (_ORDER.get(e[0], 4), e))
    for element in elements:
        if is_member(fields[element]):
            yield prefix + text(element)
    for element in elements:
        if fields[element]:
            yield from paths(fields[element], prefix + text(element))
