"""Evaluation: a checked tree becomes one closure of closures, so that a rule that runs often is compiled once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

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
from pybernetes.api.cel.functions import Overload, is_of, size_of
from pybernetes.api.cel.values import NONE, Optional

LIST_COST: Final = 10
MAP_COST: Final = 30
OBJECT_COST: Final = 40


class Frame:
    """The variables of one evaluation, and the work that it may still do."""

    __slots__ = ("left", "variables")

    def __init__(self, variables: Mapping[str, object], limit: int) -> None:
        self.variables = dict(variables)
        self.left = limit

    def spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise CostError


Step: TypeAlias = Callable[[Frame], Any]


class Lazy:
    """A variable that is worked out when it is first asked for."""

    __slots__ = ("_compute", "_error", "_value")

    def __init__(self, compute: Callable[[], object]) -> None:
        self._compute: Callable[[], object] | None = compute
        self._value: object = None
        self._error: EvaluationError | None = None

    def get(self) -> object:
        if self._compute is not None:
            compute, self._compute = self._compute, None
            try:
                self._value = compute()
            except EvaluationError as error:
                self._error = error
        if self._error is not None:
            raise self._error
        return self._value


class LazyMap(dict[str, object]):
    """A map of such variables."""

    def get(self, key: str, default: object = None) -> object:
        found = super().get(key, default)
        return found.get() if isinstance(found, Lazy) else found


def compile_node(node: Node, checked: Checked) -> Step:
    """What evaluates the node; raises EvaluationError when it has no value."""
    return _Compiler(checked).compile(node)


class _Compiler:
    def __init__(self, checked: Checked) -> None:
        self._checked = checked

    def compile(self, node: Node) -> Step:
        if (constant := self._checked.constants.get(node)) is not None:
            return lambda frame: constant
        if (qualified := self._checked.qualified.get(node)) is not None:
            return _identifier(qualified)
        if isinstance(node, Literal):
            value = node.value
            return lambda frame: value
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
        operand, name = self.compile(node.operand), node.field
        if node.test:
            return lambda frame: _has(frame, operand(frame), name)
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
        vague = any(self._checked.types[each].kind in ("dyn", "param", "error") for each in parts)
        if len(overloads) == 1 and not vague:
            return _call_one(overloads[0], steps)
        return _call_any(overloads, steps)

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

        return evaluate

    def _map(self, node: MapLiteral) -> Step:
        steps = [(self.compile(each.key), self.compile(each.value), each.optional) for each in node.entries]

        def evaluate(frame: Frame) -> dict[object, object]:
            frame.spend(MAP_COST)
            found: dict[object, object] = {}
            for key_step, value_step, optional in steps:
                key, value = _hashable(key_step(frame)), value_step(frame)
                if optional and not value.is_set:
                    continue
                if key in found:
                    raise EvaluationError(f"Failed with repeated key {key}")
                found[key] = value.value if optional else value
            return found

        return evaluate

    def _object(self, node: ObjectLiteral) -> Step:
        steps = [(name, self.compile(value), optional) for name, value, optional, _ in node.fields]

        def evaluate(frame: Frame) -> dict[str, object]:
            frame.spend(OBJECT_COST)
            found: dict[str, object] = {}
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
        if node.name == "bind":
            return _bind(node.variables[0], ranged, body[0])
        if node.name in ("optMap", "optFlatMap"):
            return _opt_map(node.variables[0], ranged, body[0], flat=node.name == "optFlatMap")
        loop = _Loop(ranged, node.variables)
        if node.name == "all":
            return _quantifier(loop, body[0], False)
        if node.name == "exists":
            return _quantifier(loop, body[0], True)
        if node.name == "exists_one":
            return lambda frame: sum(_truth(body[0](frame)) for _ in loop.over(frame)) == 1
        if node.name == "filter":
            return lambda frame: [values[-1] for values in loop.over(frame) if _truth(body[0](frame))]
        return _collector(node.name, loop, body)


def _identifier(name: str) -> Step:
    def evaluate(frame: Frame) -> object:
        frame.spend(1)
        try:
            found = frame.variables[name]
        except KeyError:
            raise EvaluationError(f"no such attribute(s): {name}") from None
        return found.get() if isinstance(found, Lazy) else found

    return evaluate


def _field(frame: Frame, value: Any, name: str) -> object:
    frame.spend(1)
    if type(value) is Optional:
        return _optional_field(frame, value, name)
    if not isinstance(value, dict):
        raise EvaluationError("no such overload" if value is not None else f"no such key: {name}")
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


def _has(frame: Frame, value: Any, name: str) -> bool:
    frame.spend(1)
    if type(value) is Optional:
        value = value.value if value.is_set else {}
    if not isinstance(value, dict):
        raise EvaluationError("no such overload")
    return name in value


def _logic(first: Step, second: Step, decisive: bool) -> Step:
    """`&&` (False is decisive) and `||` (True is): an error counts only where the other side does not decide."""

    def evaluate(frame: Frame) -> bool:
        error: EvaluationError | None = None
        for step in (first, second):
            try:
                if _truth(step(frame)) is decisive:
                    return decisive
            except CostError:
                raise
            except EvaluationError as found:
                error = error or found
        if error is not None:
            raise error
        return not decisive

    return evaluate


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise EvaluationError("no such overload")


def _conditional(condition: Step, yes: Step, no: Step) -> Step:
    return lambda frame: yes(frame) if _truth(condition(frame)) else no(frame)


def _call_one(overload: Overload, steps: Sequence[Step]) -> Step:
    apply, cost = overload.apply, overload.cost

    def evaluate(frame: Frame) -> object:
        values = [step(frame) for step in steps]
        frame.spend(1 if cost is None else cost([size_of(value) for value in values]))
        return apply(*values)

    return evaluate


def _call_any(overloads: Sequence[Overload], steps: Sequence[Step]) -> Step:
    """The overload is chosen by the values."""

    def evaluate(frame: Frame) -> object:
        values = [step(frame) for step in steps]
        for overload in overloads:
            if all(is_of(value, wanted) for value, wanted in zip(values, overload.parameters, strict=True)):
                cost = overload.cost
                frame.spend(1 if cost is None else cost([size_of(value) for value in values]))
                return overload.apply(*values)
        raise EvaluationError("no such overload")

    return evaluate


class _Loop:
    """Goes over a list or a map with its variables set."""

    def __init__(self, ranged: Step, variables: Sequence[str]) -> None:
        self._ranged = ranged
        self._variables = variables

    def over(self, frame: Frame) -> Iterator[tuple[object, ...]]:
        items = _items(self._ranged(frame), len(self._variables) == 2)
        outer = frame.variables
        frame.variables = inner = dict(outer)
        try:
            for values in items:
                frame.spend(1)
                inner.update(zip(self._variables, values, strict=True))
                yield values
        finally:
            frame.variables = outer


def _items(value: object, pairs: bool) -> Iterator[tuple[object, ...]]:
    if isinstance(value, list):
        return enumerate(value) if pairs else ((each,) for each in value)
    if isinstance(value, dict):
        return iter(value.items()) if pairs else ((key,) for key in value)
    raise EvaluationError("no such overload")


def _quantifier(loop: _Loop, condition: Step, decisive: bool) -> Step:
    """`all` and `exists`: errors count only where nothing decides, as for `&&` and `||`."""

    def evaluate(frame: Frame) -> bool:
        error: EvaluationError | None = None
        items = loop.over(frame)
        try:
            for _ in items:
                try:
                    if _truth(condition(frame)) is decisive:
                        return decisive
                except CostError:
                    raise
                except EvaluationError as found:
                    error = error or found
        finally:
            items.close()  # type: ignore[attr-defined]  # a generator
        if error is not None:
            raise error
        return not decisive

    return evaluate


def _collector(name: str, loop: _Loop, body: Sequence[Step]) -> Step:
    """`map` and the transformations, each with an optional condition before the result."""
    result = body[-1]
    condition = body[0] if len(body) == 2 else None

    def chosen(frame: Frame) -> Iterator[tuple[tuple[object, ...], Any]]:
        for values in loop.over(frame):
            if condition is None or _truth(condition(frame)):
                yield values, result(frame)

    if name in ("map", "transformList"):
        return lambda frame: [value for _, value in chosen(frame)]
    if name == "transformMap":
        return lambda frame: {_hashable(values[0]): value for values, value in chosen(frame)}
    return lambda frame: _entries(value for _, value in chosen(frame))


def _entries(maps: Iterator[dict[object, object]]) -> dict[object, object]:
    found: dict[object, object] = {}
    for each in maps:
        for key, value in each.items():
            if key in found:
                raise EvaluationError(f"insert failed: key {key} already exists")
            found[key] = value
    return found


def _hashable(key: object) -> object:
    if isinstance(key, str | int):
        return key
    if isinstance(key, float) and key.is_integer():
        return int(key)
    raise EvaluationError("unsupported key type")


def _bind(name: str, value: Step, body: Step) -> Step:
    def evaluate(frame: Frame) -> object:
        bound = value(frame)
        outer = frame.variables
        frame.variables = {**outer, name: bound}
        try:
            return body(frame)
        finally:
            frame.variables = outer

    return evaluate


def _opt_map(name: str, value: Step, body: Step, *, flat: bool) -> Step:
    bound = _bind(name, lambda frame: frame.variables["@optional"], body)

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
