"""What functions are: overloads with their types, what they do, and what a call costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from pybernetes.api.cel.types import UNBOUNDED, Type
from pybernetes.api.cel.values import Duration, Optional, Timestamp, Uint

Sizes: TypeAlias = Sequence[int]
Measure: TypeAlias = Callable[[Sizes], int]
"""From the sizes of the operands (elements, or characters; 1 for scalars) to a cost, or to the size of the result."""


LIST_COST: Final = 10
"""Of making a list, beside its elements."""


class Overload(Struct, frozen=True):
    """One signature of a function; the first parameter of a method is its target.

    `apply` gets values that have the parameters' types and raises EvaluationError. `cost` must grow with the sizes: it
    serves the estimate (with bounds) as well as the running count (with what is there).
    """

    parameters: tuple[Type, ...]
    result: Type
    apply: Callable[..., object]
    is_method: bool = False
    cost: Measure | None = None
    size: Measure | None = None
    inside: bool = False
    """`cost` and `size` get one more number, the size of the elements of the first operand."""
    makes: Callable[..., int] | None = None
    """What the list costs that a call with these values makes, in the running count alone: without it an expression that
    costs next to nothing could fill the memory."""


Functions: TypeAlias = Mapping[str, Sequence[Overload]]


def tenth(number: int) -> int:
    """The cost of walking over a string: a tenth of its length, rounded up."""
    return number if number >= UNBOUNDED else (number + 9) // 10


def walks(*operands: int) -> Measure:
    """Walks over the operands, once each."""
    return lambda sizes: sum(tenth(sizes[index]) for index in operands)


def elements(sizes: Sizes) -> int:
    """Looks at each element of the first operand."""
    return max(1, sizes[0])


def each_walked(sizes: Sizes) -> int:
    """Looks at each element of the first operand, which is a string."""
    return sizes[0] * (1 + tenth(sizes[-1]))


def twice(sizes: Sizes) -> int:
    """Walks over the first operand, and makes the result."""
    return tenth(2 * sizes[0])


def matching(sizes: Sizes) -> int:
    """A regular expression (second operand) over a string (first)."""
    return tenth(min(sizes[0] + 1, UNBOUNDED)) * ((sizes[1] + 3) // 4)


def function(
    *parameters: Type,
    to: Type,
    do: Callable[..., object],
    cost: Measure | None = None,
    size: Measure | None = None,
    makes: Callable[..., int] | None = None,
) -> Overload:
    return Overload(parameters, to, do, False, cost, size, makes=makes)


def method(
    *parameters: Type,
    to: Type,
    do: Callable[..., object],
    cost: Measure | None = None,
    size: Measure | None = None,
    inside: bool = False,
) -> Overload:
    return Overload(parameters, to, do, True, cost, size, inside)


def merged(libraries: Iterable[Functions]) -> dict[str, tuple[Overload, ...]]:
    """One table of all libraries' functions; overloads of one name are put together."""
    table: dict[str, tuple[Overload, ...]] = {}
    for library in libraries:
        for name, overloads in library.items():
            table[name] = (*table.get(name, ()), *overloads)
    return table


_KINDS: Final[dict[type, str]] = {
    bool: "bool", int: "int", Uint: "uint", float: "double", str: "string", bytes: "bytes", type(None): "null_type",
    Timestamp: "timestamp", Duration: "duration", Optional: "optional_type",
}  # fmt: skip


class OpaqueValue:
    """A value that only functions look into; `type_name` is that of its type."""

    __slots__ = ()
    type_name = ""


def is_of(value: object, wanted: Type) -> bool:
    """Whether a value can be what a parameter of that type wants, as far as can be told without looking inside."""
    kind = wanted.kind
    if kind in ("param", "dyn"):
        return True
    if kind == "opaque":
        return isinstance(value, OpaqueValue) and value.type_name == wanted.name
    if isinstance(value, list):
        return kind == "list"
    if isinstance(value, dict):
        return kind in ("map", "object")
    if isinstance(value, Type):
        return kind == "type"
    return _KINDS.get(type(value)) == kind


def kind_of(value: object) -> str:
    """The name of a value's type, as messages have it."""
    if isinstance(value, OpaqueValue):
        return value.type_name
    if isinstance(value, Type):
        return "type"
    kind = "list" if isinstance(value, list) else "map" if isinstance(value, dict) else _KINDS[type(value)]
    return {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}.get(kind, kind)


def spent(overload: Overload, values: Sequence[object]) -> int:
    """What a call with these values costs."""
    made = 0 if overload.makes is None else overload.makes(*values)
    if overload.cost is None:
        return 1 + made
    sizes = [size_of(value) for value in values]
    if overload.inside:
        first = values[0] if isinstance(values[0], list) else []
        sizes.append(-(-sum(map(size_of, first)) // len(first)) if first else 0)
    return overload.cost(sizes) + made


def size_of(value: object) -> int:
    """The size of a value, as costs count it."""
    return len(value) if isinstance(value, str | bytes | list | dict) else 1
