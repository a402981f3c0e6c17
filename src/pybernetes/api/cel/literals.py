"""What is wrong with what is written down: durations, moments, regular expressions, and what is to be formatted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pybernetes.api.cel.ast import Call, ListLiteral, Literal, MapLiteral, Node
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Overload
from pybernetes.api.cel.library.formatting import Clause, clauses, require_kind
from pybernetes.api.cel.types import Type

_NAMES = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}


def wrong_literals(call: Call, overloads: Sequence[Overload], types: Mapping[Node, Type]) -> Iterator[tuple[int, str]]:
    """Offsets and messages; `overloads` are those that fit the call."""
    if call.function == "format":
        yield from _wrong_format(call, types)
    elif call.function in ("duration", "timestamp", "matches") and isinstance(call.arguments[-1], Literal):
        value = call.arguments[-1].value
        message = f"invalid {call.function} argument"
        if not isinstance(value, str):
            # Of numbers there are timestamps alone.
            if call.function == "duration":
                yield call.arguments[-1].offset, message
            return
        try:
            overloads[0].apply("", value) if call.function == "matches" else overloads[0].apply(value)
        except EvaluationError:
            yield call.arguments[-1].offset, message


def _wrong_format(call: Call, types: Mapping[Node, Type]) -> Iterator[tuple[int, str]]:
    """The first thing that is wrong with a pattern and a list that are both written down."""
    pattern, values = call.target, call.arguments[0]
    if not isinstance(pattern, Literal) or not isinstance(values, ListLiteral):
        return
    at, used = call.offset, 0
    try:
        for part in clauses(str(pattern.value)):
            if isinstance(part, str):
                continue
            if used >= len(values.elements):
                raise EvaluationError(f"index {used} out of range")
            for each in _parts(values.elements[used]):
                at = each.offset
                _require(part, types[each])
            at, used = call.offset, used + 1
        given = len(values.elements)
        if used < given:
            raise EvaluationError(f"too many arguments supplied to string.format (expected {used}, got {given})")
    except EvaluationError as error:
        yield at, str(error)


def _parts(node: Node) -> Iterator[Node]:
    """A value, and what it is made of."""
    yield node
    if isinstance(node, ListLiteral):
        below: Sequence[Node] = node.elements
    elif isinstance(node, MapLiteral):
        below = [part for entry in node.entries for part in (entry.key, entry.value)]
    else:
        return
    for each in below:
        yield from _parts(each)


def _require(clause: Clause, type_: Type) -> None:
    if type_.kind not in ("dyn", "error", "param"):
        require_kind(
            clause, _NAMES.get(type_.kind) or (type_.name if type_.kind in ("opaque", "object") else type_.kind)
        )
