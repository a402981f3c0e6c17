"""Syntax trees. `offset` is where cel-go would point to when something is wrong with the node."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct


class Literal(Struct, frozen=True, eq=False):
    offset: int
    value: object


class Identifier(Struct, frozen=True, eq=False):
    offset: int
    name: str


class Select(Struct, frozen=True, eq=False):
    """`operand.field`; `optional` is `operand.?field`, `test` is `has(operand.field)`."""

    offset: int
    operand: Node
    field: str
    test: bool = False
    optional: bool = False


class Call(Struct, frozen=True, eq=False):
    """A function, an operator under cel-go's name (`_+_`), or a method if there is a target."""

    offset: int
    function: str
    arguments: tuple[Node, ...]
    target: Node | None = None

    @property
    def operands(self) -> tuple[Node, ...]:
        return self.arguments if self.target is None else (self.target, *self.arguments)


class ListLiteral(Struct, frozen=True, eq=False):
    """`optional` has the indexes of elements written `?x`."""

    offset: int
    elements: tuple[Node, ...]
    optional: frozenset[int] = frozenset()


class Entry(Struct, frozen=True, eq=False):
    offset: int
    key: Node
    value: Node
    optional: bool = False


class MapLiteral(Struct, frozen=True, eq=False):
    offset: int
    entries: tuple[Entry, ...]


class ObjectLiteral(Struct, frozen=True, eq=False):
    """`Name{field: value}`; for MutatingAdmissionPolicy's JSONPatch and Object."""

    offset: int
    name: str
    fields: tuple[tuple[str, Node, bool, int], ...]


class Macro(Struct, frozen=True, eq=False):
    """A comprehension: `range.name(variables, body...)`."""

    offset: int
    name: str
    range: Node
    variables: tuple[str, ...]
    body: tuple[Node, ...]


Node: TypeAlias = Literal | Identifier | Select | Call | ListLiteral | MapLiteral | ObjectLiteral | Macro


def uses(node: Node, name: str) -> bool:
    """Whether a free variable of that name occurs."""
    if isinstance(node, Identifier):
        return node.name == name
    if isinstance(node, Macro):
        inside = name not in node.variables and any(uses(each, name) for each in node.body)
        return uses(node.range, name) or inside
    return any(uses(each, name) for each in children(node))


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a node, in the order in which they are evaluated."""
    if isinstance(node, Select):
        return (node.operand,)
    if isinstance(node, Call):
        return node.operands
    if isinstance(node, ListLiteral):
        return node.elements
    if isinstance(node, MapLiteral):
        return tuple(part for entry in node.entries for part in (entry.key, entry.value))
    if isinstance(node, ObjectLiteral):
        return tuple(value for _, value, _, _ in node.fields)
    if isinstance(node, Macro):
        return (node.range, *node.body)
    return ()
