"""Types of every part of an expression, and what cannot work whatever the values are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from pybernetes.api.cel.ast import (  # fmt: skip
    Call,
    Identifier,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    ObjectLiteral,
    Select,
)
from pybernetes.api.cel.errors import Issue
from pybernetes.api.cel.functions import Functions, Overload
from pybernetes.api.cel.literals import wrong_literals
from pybernetes.api.cel.macro_types import macro_type
from pybernetes.api.cel.schema import KEYWORDS, escaped_keyword
from pybernetes.api.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    ERROR,
    FREE,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    assign,
    list_of,
    map_of,
    opaque,
    optional_of,
    settled,
    substitute,
    type_of,
)
from pybernetes.api.cel.values import Uint

_TYPE_NAMES = ("bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", "optional_type")
_QUALIFIED_TYPES = {
    "google.protobuf.Timestamp": TIMESTAMP, "google.protobuf.Duration": DURATION,
    **{name: opaque(name) for name in ("net.IP", "net.CIDR")},
}  # fmt: skip


class Checked(Struct):
    """What was found out: the type of each node, the overloads that a call may mean, the global name of a call."""

    types: dict[Node, Type] = field(default_factory=dict)
    overloads: dict[Call, Sequence[Overload]] = field(default_factory=dict)
    globals: dict[Call, str] = field(default_factory=dict)
    constants: dict[Node, Type] = field(default_factory=dict)
    """Nodes that name a type."""
    qualified: dict[Node, str] = field(default_factory=dict)
    """Selections that are the name of a variable."""
    renamed: dict[Select, str] = field(default_factory=dict)
    """Selections of a field that has another name in its type."""

    def field_of(self, select: Select) -> str:
        """The name that the selected field has in its type."""
        return self.renamed.get(select, select.field)

    def parts(self, call: Call) -> tuple[Node, ...]:
        """What a call is applied to: a target that is only part of the function's name is not."""
        return call.arguments if call in self.globals else call.operands


def check(node: Node, variables: Mapping[str, Type], functions: Functions) -> tuple[Checked, list[Issue]]:
    """`variables` and `functions` are what may be named; the issues are in the order of the text."""
    checker = _Checker(functions)
    checker.type_of(node, variables)
    return checker.checked, sorted(checker.issues, key=lambda issue: issue.offset)


class _Checker:
    def __init__(self, functions: Functions) -> None:
        self.checked = Checked()
        self.issues: list[Issue] = []
        self._functions = functions
        self._mixed = False
        """Whether literals may have parts of different types: in the arguments of `format` alone."""

    def type_of(self, node: Node, scope: Mapping[str, Type]) -> Type:
        found = self._find(node, scope)
        self.checked.types[node] = found
        return found

    def _find(self, node: Node, scope: Mapping[str, Type]) -> Type:
        if isinstance(node, Literal):
            return _literal(node.value)
        if isinstance(node, Identifier):
            return self._identifier(node, scope)
        if isinstance(node, Select):
            return self._select(node, scope)
        if isinstance(node, Call):
            return self._call(node, scope)
        if isinstance(node, ListLiteral):
            return self._list(node, scope)
        if isinstance(node, MapLiteral):
            return self._map(node, scope)
        if isinstance(node, ObjectLiteral):
            return self._object(node, scope)
        return macro_type(self, node, scope)

    def fail(self, offset: int, message: str) -> Type:
        self.issues.append(Issue(offset, message))
        return ERROR

    def _undeclared(self, offset: int, name: str) -> Type:
        return self.fail(offset, f"undeclared reference to '{name}' (in container '')")

    def _identifier(self, node: Identifier, scope: Mapping[str, Type]) -> Type:
        if (found := scope.get(node.name)) is not None:
            return found
        if node.name in _TYPE_NAMES:
            self.checked.constants[node] = NULL if node.name == "null_type" else Type(node.name)
            return type_of(self.checked.constants[node])
        return self._undeclared(node.offset, node.name)

    def _select(self, node: Select, scope: Mapping[str, Type]) -> Type:
        name = _dotted(node)
        if name in _QUALIFIED_TYPES and name.split(".")[0] not in scope:
            self.checked.constants[node] = _QUALIFIED_TYPES[name]
            return type_of(self.checked.constants[node])
        if name in scope and not (node.test or node.optional):
            self.checked.qualified[node] = name
            return scope[name]
        operand = self.type_of(node.operand, scope)
        inside, was_optional = operand, False
        if operand.kind == "optional_type":
            inside, was_optional = operand.parameters[0], True
        found = self._field(node, inside)
        if node.test:
            return BOOL
        if node.optional or was_optional:
            return optional_of(found) if found.kind != "optional_type" else found
        return found

    def _field(self, node: Select, operand: Type) -> Type:
        if operand.kind in ("dyn", "error", "param"):
            return DYN if operand.kind != "error" else ERROR
        if operand.kind == "map":
            return operand.parameters[1]
        if operand.kind != "object":
            return self.fail(node.offset, f"type '{operand}' does not support field selection")
        if operand.fields is None:  # it is only known when it is evaluated
            return DYN
        found = operand.fields.get(node.field)
        if found is None and node.field in KEYWORDS:  # they need not be escaped where they follow a dot
            name = escaped_keyword(node.field)
            if (found := operand.fields.get(name)) is not None:
                self.checked.renamed[node] = name
        return self.fail(node.offset, f"undefined field '{node.field}'") if found is None else found

    def _call(self, node: Call, scope: Mapping[str, Type]) -> Type:
        if node.function in ("_&&_", "_||_"):
            return self._logic(node, scope)
        if node.function == "_?_:_":
            return self._conditional(node, scope)
        if node.target is None:
            overloads = [each for each in self._functions.get(node.function, ()) if not each.is_method]
            known = bool(self._functions.get(node.function))
            return self._resolve(node, overloads, known, [self.type_of(each, scope) for each in node.arguments])
        path = _dotted(node.target)
        name = f"{path}.{node.function}"
        if path and path.split(".")[0] not in scope and name in self._functions:
            self.checked.globals[node] = name
            given = [self.type_of(each, scope) for each in node.arguments]
            return self._resolve(node, self._functions[name], True, given)
        overloads = [each for each in self._functions.get(node.function, ()) if each.is_method]
        given = [self._operand(node.function, each, scope) for each in node.operands]
        return self._resolve(node, overloads, node.function in self._functions, given)

    def _operand(self, function: str, node: Node, scope: Mapping[str, Type]) -> Type:
        before, self._mixed = self._mixed, self._mixed or function == "format"
        found = self.type_of(node, scope)
        self._mixed = before
        return found

    def _resolve(self, node: Call, overloads: Sequence[Overload], known: bool, given: Sequence[Type]) -> Type:
        if not known:
            return self._undeclared(node.offset, node.function)
        fitting, results = [], []
        for overload in overloads:
            bound: dict[str, Type] = {}
            if len(overload.parameters) == len(given) and all(
                assign(wanted, type_, bound) for wanted, type_ in zip(overload.parameters, given, strict=True)
            ):
                fitting.append(overload)
                results.append(substitute(overload.result, bound))
                given = [
                    settled(type_, substitute(wanted, bound))
                    for wanted, type_ in zip(overload.parameters, given, strict=True)
                ]
        if not fitting:
            return self._no_overload(node, given)
        self.checked.overloads[node] = fitting
        for offset, message in wrong_literals(node, fitting, self.checked.types):
            self.fail(offset, message)
        alike = all(result == results[0] and not _is_vague(result) for result in results)
        return results[0] if alike or len(results) == 1 else DYN

    def _no_overload(self, node: Call, given: Sequence[Type]) -> Type:
        if node.target is not None and node not in self.checked.globals:
            shown = f"{given[0]}.({', '.join(map(str, given[1:]))})"
        else:
            shown = f"({', '.join(map(str, given))})"
        name = self.checked.globals.get(node, node.function)
        return self.fail(node.offset, f"found no matching overload for '{name}' applied to '{shown}'")

    def _logic(self, node: Call, scope: Mapping[str, Type]) -> Type:
        for each in node.arguments:
            self.expect_truth(each, self.type_of(each, scope))
        return BOOL

    def expect_truth(self, node: Node, type_: Type) -> None:
        if type_.kind not in ("bool", "dyn", "error", "param"):
            self.fail(node.offset, f"expected type 'bool' but found '{type_}'")

    def _conditional(self, node: Call, scope: Mapping[str, Type]) -> Type:
        given = [self.type_of(each, scope) for each in node.arguments]
        bound: dict[str, Type] = {}
        fits = assign(BOOL, given[0], bound)
        joined = _joined(given[1], given[2])
        if not fits or joined is None:
            return self._no_overload(node, given)
        return joined

    def _list(self, node: ListLiteral, scope: Mapping[str, Type]) -> Type:
        types = []
        for index, element in enumerate(node.elements):
            found = self.type_of(element, scope)
            types.append(self._opened(element, found) if index in node.optional else found)
        return list_of(self._common(node.elements, types), size=len(types))

    def _map(self, node: MapLiteral, scope: Mapping[str, Type]) -> Type:
        keys = [self.type_of(entry.key, scope) for entry in node.entries]
        values = []
        for entry in node.entries:
            found = self.type_of(entry.value, scope)
            values.append(self._opened(entry.value, found) if entry.optional else found)
        key = self._common([entry.key for entry in node.entries], keys)
        return map_of(key, self._common([entry.value for entry in node.entries], values), size=len(keys))

    def _opened(self, node: Node, type_: Type) -> Type:
        if type_.kind == "optional_type":
            return type_.parameters[0]
        if type_.kind in ("dyn", "error", "param"):
            return DYN
        return self.fail(node.offset, f"expected type 'optional_type(A)' but found '{type_}'")

    def _common(self, nodes: Sequence[Node], types: Sequence[Type]) -> Type:
        """The one type of all parts of a literal."""
        if not types:
            return FREE
        joined = types[0]
        for node, type_ in zip(nodes[1:], types[1:], strict=True):
            found = _joined(joined, type_)
            if (joined.kind == "dyn") is not (type_.kind == "dyn"):
                found = None  # what is known and what is not are not of one type
            if found is None and not self._mixed:
                self.fail(node.offset, f"expected type '{joined}' but found '{type_}'")
                return DYN
            joined = found or DYN
        return joined

    def _object(self, node: ObjectLiteral, scope: Mapping[str, Type]) -> Type:
        # Parts of an object (`Object.spec{}`) are what the object is.
        type_ = scope.get(f"{node.name}{{}}") or scope.get(f"{node.name.partition('.')[0]}{{}}")
        if type_ is None:
            return self._undeclared(node.offset, node.name)
        if type_.fields is None:
            type_ = Type(type_.kind, name=node.name)
        for name, value, optional, offset in node.fields:
            given = self.type_of(value, scope)
            given = self._opened(value, given) if optional else given
            wanted = DYN if type_.fields is None else type_.fields.get(name)
            if wanted is None or not assign(wanted, given, {}):
                shown = wanted or ""
                self.fail(offset, f"expected type of field '{name}' is '{shown}' but provided type is '{given}'")
        return type_


def _joined(one: Type, other: Type) -> Type | None:
    """The type of a value that is of the one or of the other type; None if there is none."""
    if FREE in (one, other):
        return one if other == FREE else other
    if not assign(one, other, {}):
        return None
    if one.kind in ("dyn", "error") or other.kind in ("dyn", "error"):
        return DYN
    return other if one.kind == "null_type" or _is_vague(one) else one


def _is_vague(type_: Type) -> bool:
    return any(each.kind in ("dyn", "param") or _is_vague(each) for each in type_.parameters)


def _literal(value: object) -> Type:
    kinds: dict[type, Type] = {
        bool: BOOL, int: INT, Uint: UINT, float: DOUBLE, str: STRING, bytes: BYTES, type(None): NULL,
    }  # fmt: skip
    return kinds[type(value)]


def _dotted(node: Node) -> str:
    """`a.b.c` if the node is nothing but names."""
    if isinstance(node, Identifier):
        return node.name
    if isinstance(node, Select) and not node.test and not node.optional:
        operand = _dotted(node.operand)
        return f"{operand}.{node.field}" if operand else ""
    return ""
