"""Types of expressions. `size` is what is known about how large a value can get; it takes no part in equality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

UNBOUNDED: Final = (1 << 64) - 1
"""The size of what has no known bound."""


@dataclass(frozen=True, slots=True)
class Type:
    """`kind` is a basic kind, or `list`, `map`, `optional_type`, `type`, `object`, `opaque`, `param` with their parts.

    `name` is that of an object, an opaque type or a type parameter; `fields` are those of an object, by the name that an
    expression uses. `size` bounds elements of lists and maps, and bytes of strings.
    """

    kind: str
    parameters: tuple[Type, ...] = ()
    name: str = ""
    fields: Mapping[str, Type] | None = field(default=None, compare=False, hash=False)
    size: int = field(default=UNBOUNDED, compare=False, hash=False)
    least: int = field(default=0, compare=False, hash=False)
    """The fewest bytes that a value takes as JSON."""

    def __str__(self) -> str:
        if self.kind in ("list", "map", "optional_type", "type"):
            inside = ", ".join(map(str, self.parameters))
            return f"{self.kind}({inside})" if inside else self.kind
        return self.name or self.kind


DYN: Final = Type("dyn")
ERROR: Final = Type("error", name="!error!")
BOOL: Final = Type("bool", size=1)
INT: Final = Type("int", size=1)
UINT: Final = Type("uint", size=1)
DOUBLE: Final = Type("double", size=1)
STRING: Final = Type("string")
BYTES: Final = Type("bytes")
NULL: Final = Type("null_type", name="null")
TIMESTAMP: Final = Type("timestamp")
DURATION: Final = Type("duration")
FREE: Final = Type("param", name="dyn")
"""Of what is in an empty list or map: it is whatever a function wants first."""
A: Final = Type("param", name="A")
B: Final = Type("param", name="B")

_VAGUE: Final = frozenset({"dyn", "error", "param"})
SCALARS: Final = frozenset({"bool", "int", "uint", "double", "null_type", "timestamp", "duration"})
NUMBERS: Final = (INT, UINT, DOUBLE)


def list_of(element: Type, size: int = UNBOUNDED) -> Type:
    return Type("list", (element,), size=size, least=2)


def map_of(key: Type, value: Type, size: int = UNBOUNDED) -> Type:
    return Type("map", (key, value), size=size, least=2)


def optional_of(inner: Type) -> Type:
    return Type("optional_type", (inner,))


def type_of(inner: Type) -> Type:
    return Type("type", (inner,))


def opaque(name: str) -> Type:
    """A type that only functions look into."""
    return Type("opaque", name=name)


def object_of(name: str, fields: Mapping[str, Type]) -> Type:
    return Type("object", name=name, fields=fields, least=2)


def assign(wanted: Type, given: Type, bound: dict[str, Type]) -> bool:
    """Whether a value of the type `given` can stand where `wanted` is. Type parameters are bound on the way."""
    if wanted.kind == "param":
        known = bound.get(wanted.name)
        if known is None or (known.kind == "param" and given.kind not in _VAGUE):
            bound[wanted.name] = given
            return True
        if known.kind == "null_type" and is_nullable(given):
            bound[wanted.name] = given
            return True
        return assign(known, given, bound)
    if wanted.kind in ("dyn", "error") or given.kind in ("dyn", "error"):
        return True
    if given.kind == "param":
        return True
    if given.kind == "null_type" and is_nullable(wanted):
        return True
    if wanted.kind == "null_type" and is_nullable(given):
        return True
    if wanted.kind != given.kind or wanted.name != given.name:
        return False
    if len(wanted.parameters) != len(given.parameters):
        return wanted.kind == "type"
    if wanted.kind == "type":
        return True
    return all(assign(w, g, bound) for w, g in zip(wanted.parameters, given.parameters, strict=True))


def settled(given: Type, wanted: Type) -> Type:
    """What is free in a type that was given where another was wanted is what was wanted."""
    if given == FREE:
        return wanted
    if given.kind != wanted.kind or len(given.parameters) != len(wanted.parameters):
        return given
    inside = tuple(settled(g, w) for g, w in zip(given.parameters, wanted.parameters, strict=True))
    return replace(given, parameters=inside)


def is_nullable(type_: Type) -> bool:
    """What null can stand for: objects and opaque things, as messages of protobuf."""
    return type_.kind in ("object", "opaque", "timestamp", "duration", "null_type", "optional_type", "dyn")


def substitute(type_: Type, bound: Mapping[str, Type]) -> Type:
    """With type parameters replaced; one that nothing was bound to is free."""
    if type_.kind == "param":
        return bound.get(type_.name, FREE)
    if not type_.parameters:
        return type_
    inside = tuple(substitute(each, bound) for each in type_.parameters)
    return Type(type_.kind, inside, type_.name, type_.fields, type_.size, type_.least)
