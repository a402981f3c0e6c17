"""Types of macros: of what goes over lists and maps, and of what looks into optionals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from pybernetes.api.cel.ast import Macro, Node
from pybernetes.api.cel.types import BOOL, DYN, ERROR, INT, Type, list_of, map_of, optional_of

_VAGUE: Final = ("dyn", "error", "param")
_ORDERED: Final = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")


class Checking(Protocol):
    """What the checker does for the parts of a macro."""

    def type_of(self, node: Node, scope: Mapping[str, Type]) -> Type: ...

    def fail(self, offset: int, message: str) -> Type: ...

    def expect_truth(self, node: Node, type_: Type) -> None: ...


def macro_type(checking: Checking, node: Macro, scope: Mapping[str, Type]) -> Type:
    """The type of a macro, with what is wrong with its parts noted."""
    ranged = checking.type_of(node.range, scope)
    if node.name in ("optMap", "optFlatMap"):
        return _opt_map(checking, node, ranged, scope)
    if node.name == "bind":
        return checking.type_of(node.body[0], {**scope, node.variables[0]: ranged})
    variables = _loop_variables(checking, node, ranged)
    inner = {**scope, **dict(zip(node.variables, variables, strict=True))}
    types = [checking.type_of(each, inner) for each in node.body]
    result = _result(node, ranged, types, variables)
    _judge_body(checking, node, types, result)
    return result


def _judge_body(checking: Checking, node: Macro, types: Sequence[Type], result: Type) -> None:
    """In the words in which cel-go judges the operators that a macro stands for."""
    if node.name in ("all", "exists"):
        checking.expect_truth(node.body[0], types[0])
        return
    if node.name == "sortBy":
        if types[0].kind not in (*_VAGUE, *_ORDERED):
            _no_overload(checking, node, "@sortByAssociatedKeys", f"{result}.(list({types[0]}))")
        return
    has_condition = len(types) == 2 or node.name in ("exists_one", "filter")
    if has_condition and types[0].kind not in (*_VAGUE, "bool"):
        made = result if node.name.startswith("transform") else DYN
        _no_overload(checking, node, "_?_:_", f"({types[0]}, {made}, {made})")
    if node.name == "transformMapEntry" and types[-1].kind not in (*_VAGUE, "map"):
        _no_overload(checking, node, "cel.@mapInsert", f"({result}, {types[-1]})")


def _no_overload(checking: Checking, node: Macro, function: str, given: str) -> None:
    checking.fail(node.offset, f"found no matching overload for '{function}' applied to '{given}'")


def _loop_variables(checking: Checking, node: Macro, ranged: Type) -> list[Type]:
    pair = len(node.variables) == 2
    if ranged.kind == "list":
        return [INT, ranged.parameters[0]] if pair else [ranged.parameters[0]]
    if ranged.kind == "map":
        return [ranged.parameters[0], ranged.parameters[1]] if pair else [ranged.parameters[0]]
    if ranged.kind not in _VAGUE:
        checking.fail(
            node.range.offset,
            f"expression of type '{ranged}' cannot be range of a comprehension (must be list, map, or dynamic)",
        )
        return [ERROR] * len(node.variables)
    return [DYN] * len(node.variables)


def _opt_map(checking: Checking, node: Macro, ranged: Type, scope: Mapping[str, Type]) -> Type:
    inside = ranged.parameters[0] if ranged.kind == "optional_type" else DYN
    if ranged.kind not in ("optional_type", *_VAGUE):
        checking.fail(node.offset, f"found no matching overload for 'hasValue' applied to '{ranged}.()'")
    result = checking.type_of(node.body[0], {**scope, node.variables[0]: inside})
    if node.name == "optMap":
        return optional_of(result)
    return result if result.kind == "optional_type" else DYN


def _result(node: Macro, ranged: Type, types: Sequence[Type], variables: Sequence[Type]) -> Type:
    name = node.name
    if name in ("all", "exists", "exists_one"):
        return BOOL
    if name in ("filter", "sortBy"):
        return ranged if ranged.kind == "list" else list_of(variables[0], size=ranged.size)
    if name in ("map", "transformList"):
        return list_of(types[-1], size=ranged.size)
    if name == "transformMap":
        return map_of(variables[0], types[-1], size=ranged.size)
    return types[-1] if types[-1].kind == "map" else map_of(DYN, DYN)
