"""What an expression can cost at most, from the bounds that the schema gives: the model is cel-go's.

A cost and a size are each a pair of least and most; everything is cut off at UNBOUNDED.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Final, NamedTuple, TypeAlias

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
from pybernetes.api.cel.functions import LIST_COST, Measure, size_of
from pybernetes.api.cel.program import MAP_COST, OBJECT_COST
from pybernetes.api.cel.types import DYN, SCALARS, UNBOUNDED, Type, list_of

_VAGUE_LISTS: Final = (list_of(DYN), DYN)


class Range(NamedTuple):
    """From `least` to `most`."""

    least: int
    most: int

    def plus(self, other: Range) -> Range:
        return Range(min(self.least + other.least, UNBOUNDED), min(self.most + other.most, UNBOUNDED))

    def times(self, other: Range) -> Range:
        return Range(min(self.least * other.least, UNBOUNDED), min(self.most * other.most, UNBOUNDED))

    def either(self, other: Range) -> Range:
        return Range(min(self.least, other.least), max(self.most, other.most))


SIZELESS: Final = frozenset({"bool", "int", "uint", "double", "null_type", "object"})
_SELECTED_AT_A_COST: Final = frozenset({"map", "object", "param"})
"""Of what a field costs something; whether there is one costs nothing."""
_FREE: Final = Range(0, 0)
_ONE: Final = Range(1, 1)
_ANY: Final = Range(0, UNBOUNDED)
_PAIR_APPEND: Final = Range(LIST_COST + 2, LIST_COST + 2)
"""`accumulator + [element]` but for the element."""

Sizes: TypeAlias = Mapping[str, Range | None]
Entries: TypeAlias = tuple[Range, Range]
"""The sizes of what is in a list or map that the expression itself has made: keys (or indexes), and values."""


def estimate(node: Node, checked: Checked) -> Range:
    """The cost of an evaluation."""
    return _Estimator(checked).cost(node, {"self": None, "oldSelf": None})


class _Estimator:
    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._sizes: dict[Node, Range] = {}
        self._placed: set[Node] = set()
        """What is a place in the object, of which the schema knows the size; of scalars there it counts none."""
        self._entries: dict[Node, Entries] = {}

    def cost(self, node: Node, sizes: Sizes) -> Range:
        """`sizes` are those of variables that an expression itself has bound; None for places in the object."""
        if node in self._checked.constants or isinstance(node, Literal):
            return _FREE
        if node in self._checked.qualified:
            return _ONE
        if isinstance(node, Identifier):
            size = sizes.get(node.name, _ANY)
            if size is None:
                self._placed.add(node)
            elif node.name in sizes:
                self._sizes[node] = size
            return _ONE
        if isinstance(node, Select):
            cost = self.cost(node.operand, sizes)
            if node.test:
                return cost
            if self._checked.types[node.operand].kind in _SELECTED_AT_A_COST:
                cost = cost.plus(_ONE)
            fields = self._checked.types[node.operand].fields
            if node in self._checked.renamed:
                self._sizes[node] = _ANY  # upstream looks for it under the name that the expression has
            elif node.operand in self._placed and fields and node.field in fields:
                self._placed.add(node)
            return cost
        if isinstance(node, Call):
            return self._call(node, sizes)
        if isinstance(node, ListLiteral):
            total = self._sum(node.elements, sizes, LIST_COST)
            self._entries[node] = (_ONE, self._any(node.elements))
            return total
        if isinstance(node, MapLiteral):
            keys, values = [entry.key for entry in node.entries], [entry.value for entry in node.entries]
            total = self._sum([*keys, *values], sizes, MAP_COST)
            self._entries[node] = (self._any(keys), self._any(values))
            return total
        if isinstance(node, ObjectLiteral):
            return self._sum([value for _, value, _, _ in node.fields], sizes, OBJECT_COST)
        return self._macro(node, sizes)

    def _sum(self, nodes: list[Node] | tuple[Node, ...], sizes: Sizes, base: int) -> Range:
        total = Range(base, base)
        for each in nodes:
            total = total.plus(self.cost(each, sizes))
        return total

    def _any(self, nodes: Sequence[Node]) -> Range:
        """The size of any of them."""
        return reduce(Range.either, map(self.size, nodes), self.size(nodes[0])) if nodes else _FREE

    def size(self, node: Node) -> Range:
        """The size of a node's value; its cost has been asked for before."""
        if isinstance(node, Literal):
            return Range(size_of(node.value), size_of(node.value))
        if (known := self._sizes.get(node)) is not None:
            return known
        if node in self._placed:
            return size_of_place(self._checked.types[node])
        return size_of_type(self._checked.types[node])

    def _call(self, node: Call, sizes: Sizes) -> Range:
        parts = self._checked.parts(node)
        costs = [self.cost(each, sizes) for each in parts]
        if node.function in ("_&&_", "_||_"):
            return Range(costs[0].least, costs[0].plus(costs[1]).most)
        if node.function == "_?_:_":
            self._sizes[node] = self.size(parts[1]).either(self.size(parts[2]))
            return costs[0].plus(costs[1].either(costs[2]))
        own = [self.size(each) for each in parts]
        total = self._own_cost(node, own, self._inside(parts[0]) if parts else _FREE)
        if (
            node.function == "_[_]"
            and parts[0] in self._placed
            and self._checked.types[parts[0]].kind in ("list", "map")
        ):
            self._placed.add(node)
        for each in costs:
            total = total.plus(each)
        self._keep(node, parts)
        return total

    def _keep(self, node: Call, parts: tuple[Node, ...]) -> None:
        """What is known of the operands and still holds of the result."""
        if node.function == "dyn":
            self._sizes[node] = self.size(parts[0])
            if parts[0] in self._entries:
                self._entries[node] = self._entries[parts[0]]
        elif node.function == "_[_]" and parts[0] in self._entries:
            self._sizes[node] = self._entries[parts[0]][1]
        elif node.function == "range" and isinstance(parts[0], Literal) and isinstance(parts[0].value, int):
            self._sizes[node] = Range(max(0, parts[0].value), max(0, parts[0].value))
        elif node.function == "split":
            self._entries[node] = (_ONE, Range(0, self.size(parts[0]).most))
        elif (type_ := self._checked.types[node]).kind == "list":
            lists = [each for each in parts if self._checked.types[each] == type_]
            if lists and all(each in self._entries for each in lists):
                self._entries[node] = (_ONE, reduce(Range.either, [self._entries[each][1] for each in lists]))

    def _inside(self, node: Node) -> Range:
        """The size of a list's elements."""
        type_ = self._checked.types[node]
        if type_.kind != "list":
            return _FREE
        (element,) = type_.parameters
        return size_of_place(element) if node in self._placed else size_of_type(element)

    def _own_cost(self, node: Call, own: list[Range], inside: Range) -> Range:
        if node.function == "_==_" and self._checked.types[node.arguments[0]].kind == "opaque":
            # Only here upstream knows how large addresses, quantities and their like are: not for `!=`.
            return _ONE
        found: Range | None = None
        for overload in self._checked.overloads.get(node, ()):
            if overload.inside and self._checked.types[node.operands[0]] in _VAGUE_LISTS:
                continue  # upstream takes their elements for what has no size
            sizes = [*own, inside] if overload.inside else own
            cost = _measured(overload.cost, sizes) if overload.cost else _ONE
            found = cost if found is None else found.either(cost)
            if overload.size is not None:
                size = _measured(overload.size, sizes)
                known = self._sizes.get(node)
                self._sizes[node] = size if known is None else known.either(size)
        return found or _ONE

    def _macro(self, node: Macro, sizes: Sizes) -> Range:
        ranged = self.cost(node.range, sizes)
        count = self.size(node.range)
        if node.name in ("optMap", "optFlatMap"):
            return ranged.plus(self.cost(node.body[0], sizes)).plus(_ONE)
        if node.name == "bind":
            inside = self.cost(node.body[0], {**sizes, node.variables[0]: count})
            self._sizes[node] = self.size(node.body[0])
            return ranged.plus(inside).plus(Range(LIST_COST, LIST_COST))  # of a loop over an empty list
        inner = {name: size for name, size in sizes.items() if name not in node.variables}
        if node.range in self._placed:
            inner |= dict.fromkeys(node.variables)
        elif (entries := self._entries.get(node.range)) is not None:
            is_map = self._checked.types[node.range].kind == "map"
            inner |= zip(node.variables, entries if len(node.variables) == 2 or is_map else entries[1:], strict=False)
        body = [self.cost(each, inner) for each in node.body]
        each = _turn(node.name, body)
        self._sizes[node] = Range(0, count.most)
        if node.name in ("map", "transformList"):
            self._entries[node] = (_ONE, self.size(node.body[-1]))
        elif node.name in ("filter", "sortBy") and node.range in self._entries:
            self._entries[node] = self._entries[node.range]
        return ranged.plus(count.times(each)).plus(_result(node.name))


def _turn(name: str, body: list[Range]) -> Range:
    """One turn of a loop: the condition under which it goes on, and its step."""
    if name == "all":
        return body[0].plus(Range(3, 3))
    if name == "exists":
        return body[0].plus(Range(4, 4))
    if name == "exists_one":
        return body[0].plus(Range(1, 2))
    if name == "filter":
        return body[0].plus(Range(1, _PAIR_APPEND.most + 1))
    append = body[-1].plus(_PAIR_APPEND)
    return append if len(body) == 1 else body[0].plus(append.either(_ONE))


def _result(name: str) -> Range:
    """What comes before and after a loop."""
    if name in ("all", "exists"):
        return _ONE
    if name == "exists_one":
        return Range(2, 2)
    return Range(LIST_COST + 1, LIST_COST + 1)


def _measured(measure: Measure, sizes: list[Range]) -> Range:
    least = measure([size.least for size in sizes])
    return Range(min(least, UNBOUNDED), min(measure([size.most for size in sizes]), UNBOUNDED))


def size_of_place(type_: Type) -> Range:
    """What the schema says of how large a value gets; numbers, truth values and objects have no size there."""
    return _FREE if type_.kind in SIZELESS else Range(0, type_.size)


def size_of_type(type_: Type) -> Range:
    if type_.kind == "optional_type":
        return size_of_type(type_.parameters[0])
    if type_.kind in SCALARS or type_.kind == "type":
        return _ONE
    return Range(0, type_.size)
