"""Evaluation: a checked tree becomes one closure of closures, so that a rule that runs often is compiled once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from pybernetes.api.cel.ast import (  # fmt: skip
    Call,
    Identifier,
    ListLiteral,
    Literal,
    Macro,
    MapLiteral,
    Node,
    ObjectLiteral,
    Select,
)
from pybernetes.api.cel.checker import Checked
from pybernetes.api.cel.errors import CostError, EvaluationError
from pybernetes.api.cel.frame import Frame, Lazy, Step, hashable, truth
from pybernetes.api.cel.functions import LIST_COST, Overload, is_of, kind_of, spent
from pybernetes.api.cel.library.indexes import element, entry, shown_key
from pybernetes.api.cel.library.regex import pattern_of
from pybernetes.api.cel.loops import Loop, bind, collector, opt_map, quantifier, sort_by
from pybernetes.api.cel.types import UNBOUNDED
from pybernetes.api.cel.values import NONE, Optional, TypedObject

MAP_COST: Final = 30
OBJECT_COST: Final = 40


_CONVERSIONS: Final = frozenset(
    {"bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"}
)
"""Functions that are called once for all if what they are given is constant."""
_SEARCHES: Final = frozenset({"find", "findAll", "matches"})
"""Functions whose second operand is a regular expression, compiled once for all if it is constant."""


class Constant:
    """A step whose value is known before anything is evaluated; it costs nothing."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __call__(self, frame: Frame) -> object:
        return self.value


def folded(step: Step, parts: Iterable[Step]) -> Step:
    """The step, evaluated once for all if all its parts are constant. Raises EvaluationError if it has no value."""
    if not all(isinstance(part, Constant) for part in parts):
        return step
    return Constant(step(Frame({}, UNBOUNDED)))


def compile_node(node: Node, checked: Checked) -> Step:
    """What evaluates the node. Raises EvaluationError for a constant part that has no value."""
    return _Compiler(checked).compile(node)


class _Compiler:
    def __init__(self, checked: Checked) -> None:
        self._checked = checked

    def compile(self, node: Node) -> Step:
        if (constant := self._checked.constants.get(node)) is not None:
            return Constant(constant)
        if (qualified := self._checked.qualified.get(node)) is not None:
            return _identifier(qualified)
        if isinstance(node, Literal):
            return Constant(node.value)
        if isinstance(node, Identifier):
            return _identifier(node.name)
        if isinstance(node, Select):
            return self._select(node)
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, ListLiteral):
            return self._list(node)
        if isinstance(node, MapLiteral):
            return self._map(node)
        if isinstance(node, ObjectLiteral):
            return self._object(node)
        return self._macro(node)

    def _select(self, node: Select) -> Step:
        operand, name = self.compile(node.operand), self._checked.field_of(node)
        if node.test:
            return lambda frame: _has(operand(frame), name)
        if node.optional:
            return lambda frame: _optional_field(frame, operand(frame), name)
        return lambda frame: _field(frame, operand(frame), name)

    def _call(self, node: Call) -> Step:
        parts = self._checked.parts(node)
        steps = [self.compile(each) for each in parts]
        if node.function == "_&&_":
            return _logic(steps[0], steps[1], False)
        if node.function == "_||_":
            return _logic(steps[0], steps[1], True)
        if node.function == "_?_:_":
            return _conditional(*steps)
        overloads = self._checked.overloads[node]
        vague = any(
            self._checked.types[each].kind in ("dyn", "param", "error") and wanted.kind != "param"
            for each, wanted in zip(parts, overloads[0].parameters, strict=True)
        )
        if node.function in _SEARCHES and isinstance(steps[1], Constant):
            pattern_of(str(steps[1].value))
        name = self._checked.globals.get(node, node.function)
        if len(overloads) == 1 and not vague:
            call = _call_one(overloads[0], steps)
        elif name == "_[_]":
            call = _indexed(overloads, *steps)
        else:
            call = _call_any(name, overloads, steps)
        return folded(call, steps) if node.function in _CONVERSIONS else call

    def _list(self, node: ListLiteral) -> Step:
        steps = [(self.compile(each), index in node.optional) for index, each in enumerate(node.elements)]

        def evaluate(frame: Frame) -> list[object]:
            frame.spend(LIST_COST)
            found: list[object] = []
            for step, optional in steps:
                value = step(frame)
                if not optional:
                    found.append(value)
                elif value.is_set:
                    found.append(value.value)
            return found

        return evaluate if node.optional else folded(evaluate, [step for step, _ in steps])

    def _map(self, node: MapLiteral) -> Step:
        steps = [(self.compile(each.key), self.compile(each.value), each.optional) for each in node.entries]

        def evaluate(frame: Frame) -> dict[object, object]:
            frame.spend(MAP_COST)
            found: dict[object, object] = {}
            for key_step, value_step, optional in steps:
                key, value = hashable(key_step(frame)), value_step(frame)
                if not optional:
                    found[key] = value
                elif value.is_set:
                    found[key] = value.value
            return found

        has_optional = any(optional for _, _, optional in steps)
        return (
            evaluate if has_optional else folded(evaluate, [part for key, value, _ in steps for part in (key, value)])
        )

    def _object(self, node: ObjectLiteral) -> Step:
        steps = [(name, self.compile(value), optional) for name, value, optional, _ in node.fields]

        def evaluate(frame: Frame) -> dict[str, object]:
            frame.spend(OBJECT_COST)
            found = TypedObject(node.name)
            for name, step, optional in steps:
                value = step(frame)
                if not optional:
                    found[name] = value
                elif value.is_set:
                    found[name] = value.value
            return found

        return evaluate

    def _macro(self, node: Macro) -> Step:
        ranged = self.compile(node.range)
        body = [self.compile(each) for each in node.body]
        if node.name in ("optMap", "optFlatMap"):
            return opt_map(node.variables[0], ranged, body[0], flat=node.name == "optFlatMap")
        if node.name == "bind":
            return bind(node.variables[0], ranged, body[0])
        each, end = _LOOPS.get(node.name, (1, 1))
        loop = Loop(ranged, node.variables, each, end)
        if node.name == "sortBy":
            return sort_by(loop, body[0])
        if node.name == "all":
            return quantifier(loop, body[0], False)
        if node.name == "exists":
            return quantifier(loop, body[0], True)
        if node.name == "exists_one":
            return lambda frame: sum(_counted(frame, body[0], 1) for _ in loop.over(frame)) == 1
        if node.name == "filter":
            return lambda frame: [values[-1] for values in loop.over(frame) if _counted(frame, body[0], 12)]
        return collector(node.name, loop, body)


def _counted(frame: Frame, condition: Step, cost: int) -> bool:
    """Whether a condition holds; what is done about it then costs that much."""
    holds = truth(condition(frame))
    if holds:
        frame.spend(cost)
    return holds


_LOOPS: Final = {"all": (3, 1), "exists": (4, 1), "exists_one": (1, 2), "sortBy": (12, 1)}
"""What a round and the result of a macro cost, where it is not 1: see Loop."""


def _identifier(name: str) -> Step:
    def evaluate(frame: Frame) -> object:
        frame.left -= 1
        if frame.left < frame.mark:
            frame.pass_mark()
        try:
            found = frame.variables[name]
        except KeyError:
            raise EvaluationError(f"no such attribute(s): {name}") from None
        return found.get() if isinstance(found, Lazy) else found

    return evaluate


def _field(frame: Frame, value: Any, name: str) -> object:
    frame.left -= 1
    if frame.left < frame.mark:
        frame.pass_mark()
    if type(value) is Optional:
        return _optional_field(frame, value, name)
    if not isinstance(value, dict):
        if isinstance(value, list):
            return element(value, name)
        raise EvaluationError(f"no such key: {name}")
    found = value.get(name, NONE)
    if found is NONE:
        raise EvaluationError(f"no such key: {name}")
    return found


def _optional_field(frame: Frame, value: Any, name: str) -> Optional:
    frame.spend(1)
    if type(value) is Optional:
        value = value.value
    if value is None:
        return NONE
    if not isinstance(value, dict):
        raise EvaluationError("no such overload")
    return Optional(value.get(name), True) if name in value else NONE


def _has(value: Any, name: str) -> bool:
    if type(value) is Optional:
        value = value.value
    if isinstance(value, list):
        return bool(element(value, name))
    return isinstance(value, dict) and name in value


def _logic(first: Step, second: Step, decisive: bool) -> Step:
    """`&&` (False is decisive) and `||` (True is): an error counts only where the other side does not decide."""

    def evaluate(frame: Frame) -> bool:
        error: EvaluationError | None = None
        for step in (first, second):
            try:
                if truth(step(frame)) is decisive:
                    return decisive
            except CostError:
                raise
            except EvaluationError as found:
                error = error or found
        if error is not None:
            raise error
        return not decisive

    return evaluate


def _conditional(condition: Step, yes: Step, no: Step) -> Step:
    return lambda frame: yes(frame) if truth(condition(frame)) else no(frame)


def _call_one(overload: Overload, steps: Sequence[Step]) -> Step:
    apply = overload.apply
    if overload.cost is None and overload.makes is None and len(steps) == 2:
        return _cheap_operator(apply, *steps)

    def evaluate(frame: Frame) -> object:
        values = [step(frame) for step in steps]
        frame.spend(spent(overload, values))
        return apply(*values)

    return evaluate


def _cheap_operator(apply: Callable[..., object], first: Step, second: Step) -> Step:
    """What there is most of: comparisons of numbers, arithmetic, indexes."""

    def evaluate(frame: Frame) -> object:
        one, other = first(frame), second(frame)
        frame.left -= 1
        if frame.left < frame.mark:
            frame.pass_mark()
        return apply(one, other)

    return evaluate


def _call_any(name: str, overloads: Sequence[Overload], steps: Sequence[Step]) -> Step:
    """The overload is chosen by the values."""

    def evaluate(frame: Frame) -> object:
        return _chosen(frame, name, overloads, [step(frame) for step in steps])

    return evaluate


def _chosen(frame: Frame, name: str, overloads: Sequence[Overload], values: Sequence[object]) -> object:
    """What the first overload that takes the values makes of them. Raises EvaluationError if there is none."""
    for overload in overloads:
        if all(is_of(value, wanted) for value, wanted in zip(values, overload.parameters, strict=True)):
            frame.spend(spent(overload, values))
            try:
                return overload.apply(*values)
            except (TypeError, AttributeError) as error:  # lists have not been looked into
                raise EvaluationError(_no_overload(name, values)) from error
    raise EvaluationError(_no_overload(name, values))


def _indexed(overloads: Sequence[Overload], operand: Step, index: Step) -> Step:
    """An index of what is only known now: any whole number leads to an element of a list."""

    def evaluate(frame: Frame) -> object:
        values, at = operand(frame), index(frame)
        if isinstance(values, Optional):
            return _chosen(frame, "_[_]", overloads, [values, at])
        frame.spend(1)
        if isinstance(values, list):
            return element(values, at)
        if isinstance(values, dict):
            return entry(values, at)
        raise EvaluationError(f"no such key: {shown_key(at)}")

    return evaluate


def _no_overload(name: str, values: Sequence[object]) -> str:
    """As upstream: what values themselves implement is told without their types."""
    if name == "size":
        return "no such overload: size"
    if name in ("startsWith", "endsWith", "contains", "matches") or not name[0].isalpha():
        return "no such overload"
    return f"no such overload: {name}({', '.join(map(kind_of, values))})"
