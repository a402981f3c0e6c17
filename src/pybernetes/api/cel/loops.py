"""Comprehensions: what goes over lists and maps, or binds a variable for a part of an expression."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from operator import itemgetter
from typing import Any

from pybernetes.api.cel.errors import CostError, EvaluationError
from pybernetes.api.cel.frame import Frame, Step, hashable, truth
from pybernetes.api.cel.functions import kind_of
from pybernetes.api.cel.values import NONE, Optional


class Loop:
    """Goes over a list or a map with its variables set.

    `each` is what a round costs beside what is evaluated in it, `end` the result: what reading and writing the
    accumulator costs that upstream has for each macro.
    """

    def __init__(self, ranged: Step, variables: Sequence[str], each: int = 1, end: int = 1) -> None:
        self._ranged = ranged
        self._variables = variables
        self._each = each
        self._end = end

    def over(self, frame: Frame) -> Generator[tuple[object, ...], None, None]:
        items = _items(self._ranged(frame), len(self._variables) == 2)
        outer = frame.variables
        frame.variables = inner = dict(outer)
        try:
            for values in items:
                frame.left -= self._each
                if frame.left < frame.mark:
                    frame.pass_mark()
                inner.update(zip(self._variables, values, strict=True))
                yield values
            frame.spend(self._end)
        finally:
            frame.variables = outer


def _items(value: object, pairs: bool) -> Iterator[tuple[object, ...]]:
    if isinstance(value, list):
        return enumerate(value) if pairs else ((each,) for each in value)
    if isinstance(value, dict):
        return iter(value.items()) if pairs else ((key,) for key in value)
    raise EvaluationError(f"got 'types.{kind_of(value).title()}', expected iterable type")


def quantifier(loop: Loop, condition: Step, decisive: bool) -> Step:
    """`all` and `exists`: errors count only where nothing decides, as for `&&` and `||`."""

    def evaluate(frame: Frame) -> bool:
        error: EvaluationError | None = None
        items = loop.over(frame)
        try:
            for _ in items:
                try:
                    if truth(condition(frame)) is decisive:
                        return decisive
                except CostError:
                    raise
                except EvaluationError as found:
                    error = error or found
        finally:
            items.close()
        if error is not None:
            raise error
        return not decisive

    return evaluate


def collector(name: str, loop: Loop, body: Sequence[Step]) -> Step:
    """`map` and the transformations, each with an optional condition before the result."""
    result = body[-1]
    condition = body[0] if len(body) == 2 else None
    # A list is read, and joined with a new one; a map gets a key, or the entries of another.
    grows = {"map": 11, "transformList": 11, "transformMap": 2}.get(name, 1)

    def chosen(frame: Frame) -> Iterator[tuple[tuple[object, ...], Any]]:
        for values in loop.over(frame):
            if condition is None or truth(condition(frame)):
                frame.spend(grows)
                yield values, result(frame)

    if name in ("map", "transformList"):
        return lambda frame: [value for _, value in chosen(frame)]
    if name == "transformMap":
        return lambda frame: {hashable(values[0]): value for values, value in chosen(frame)}
    return lambda frame: _entries(value for _, value in chosen(frame))


def _entries(maps: Iterator[dict[object, object]]) -> dict[object, object]:
    found: dict[object, object] = {}
    for each in maps:
        for key, value in each.items():
            if key in found:
                raise EvaluationError(f"insert failed: key {key} already exists")
            found[key] = value
    return found


def sort_by(loop: Loop, key: Step) -> Step:
    """The elements in the order of their keys."""

    def evaluate(frame: Frame) -> list[object]:
        keyed = [(key(frame), values[0]) for values in loop.over(frame)]
        if len({type(each) for each, _ in keyed}) > 1:
            raise EvaluationError("list elements must have the same type")
        return [value for _, value in sorted(keyed, key=itemgetter(0))]

    return evaluate


def bind(name: str, value: Step, body: Step) -> Step:
    """`cel.bind(name, value, body)`."""

    def evaluate(frame: Frame) -> object:
        bound = value(frame)
        outer = frame.variables
        frame.variables = {**outer, name: bound}
        try:
            return body(frame)
        finally:
            frame.variables = outer

    return evaluate


def opt_map(name: str, value: Step, body: Step, *, flat: bool) -> Step:
    """`value.optMap(name, body)`; `flat`: optFlatMap, whose body gives an optional itself."""
    bound = bind(name, lambda frame: frame.variables["@optional"], body)

    def evaluate(frame: Frame) -> object:
        optional = value(frame)
        if not isinstance(optional, Optional):
            raise EvaluationError("no such overload")
        if not optional.is_set:
            return NONE
        outer = frame.variables
        frame.variables = {**outer, "@optional": optional.value}
        try:
            found = bound(frame)
        finally:
            frame.variables = outer
        return found if flat else Optional(found, True)

    return evaluate
