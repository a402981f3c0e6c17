"""Texts become syntax trees: recursive descent over the grammar of the CEL specification, macros expanded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

from pybernetes.api.cel.ast import (  # fmt: skip
    Call,
    Entry,
    Identifier,
    ListLiteral,
    Literal,
    Macro,
    MapLiteral,
    Node,
    ObjectLiteral,
    Select,
)
from pybernetes.api.cel.errors import CompileError, Issue
from pybernetes.api.cel.lexer import Token, bytes_value, string_value
from pybernetes.api.cel.stream import StopError, TokenStream
from pybernetes.api.cel.values import Uint

MAX_LENGTH: Final = 100_000
MAX_DEPTH: Final = 250

_RESERVED: Final = frozenset(
    {
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip
_RELATIONS: Final = {
    "<": "_<_", "<=": "_<=_", ">": "_>_", ">=": "_>=_", "==": "_==_", "!=": "_!=_", "in": "@in",
}  # fmt: skip
_SUMS: Final = {"+": "_+_", "-": "_-_"}
_PRODUCTS: Final = {"*": "_*_", "/": "_/_", "%": "_%_"}

# Names of macros that are methods, by the number of their arguments; how many of these are variables.
_MACROS: Final = {
    ("all", 2): 1, ("exists", 2): 1, ("exists_one", 2): 1, ("existsOne", 2): 1, ("map", 2): 1, ("map", 3): 1,
    ("filter", 2): 1, ("all", 3): 2, ("exists", 3): 2, ("exists_one", 3): 2, ("existsOne", 3): 2,
    ("transformList", 3): 2, ("transformList", 4): 2, ("transformMap", 3): 2, ("transformMap", 4): 2,
    ("transformMapEntry", 3): 2, ("transformMapEntry", 4): 2, ("optMap", 2): 1, ("optFlatMap", 2): 1,
    ("sortBy", 2): 1,
}  # fmt: skip

_BIND: Final = ("cel", "bind", 3)


def parse(source: str, *, binds: bool = False) -> Node:
    """Raises CompileError with all that is wrong with the text. `binds`: there is the macro `cel.bind`."""
    if len(source) > MAX_LENGTH:
        message = f"expression code point size exceeds limit: size: {len(source)}, limit {MAX_LENGTH}"
        raise CompileError(source, [Issue(0, message)])
    parser = _Parser(source, binds)
    try:
        node = parser.whole()
    except StopError:
        node = None
    if parser.issues or node is None:
        raise CompileError(source, sorted(parser.issues, key=lambda issue: issue.offset))
    return node


class _Parser(TokenStream):
    def __init__(self, source: str, binds: bool) -> None:
        super().__init__(source)
        self._binds = binds
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression()
        if self.token.kind != "end":
            word = "extraneous" if self.following.kind == "end" else "mismatched"
            raise self.fail(self.token.offset, f"Syntax error: {word} input '{self.token.text}' expecting <EOF>")
        return node

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.fail(0, f"expression recursion limit exceeded: {MAX_DEPTH}")
        try:
            condition = self._or()
            if (mark := self.accept("?")) is None:
                return condition
            with self.within(":"):
                yes = self._or()
            self.expect(":")
            return Call(mark.offset, "_?_:_", (condition, yes, self._expression()))
        finally:
            self._depth -= 1

    def _binary(self, below: Callable[[], Node], operators: dict[str, str]) -> Node:
        node = below()
        while (name := operators.get(self._sign())) is not None:
            node = Call(self.next().offset, name, (node, below()))
        return node

    def _sign(self) -> str:
        return "in" if self.token.kind == "name" and self.token.text == "in" else self.token.kind

    def _or(self) -> Node:
        return self._binary(self._and, {"||": "_||_"})

    def _and(self) -> Node:
        return self._binary(self._relation, {"&&": "_&&_"})

    def _relation(self) -> Node:
        return self._binary(self._sum, _RELATIONS)

    def _sum(self) -> Node:
        return self._binary(self._product, _SUMS)

    def _product(self) -> Node:
        return self._binary(self._unary, _PRODUCTS)

    def _unary(self) -> Node:
        signs: list[Token] = []
        while self.token.kind in ("!", "-") and (not signs or signs[0].kind == self.token.kind):
            signs.append(self.next())
        if signs and signs[-1].kind == "-" and self.token.kind in ("int", "float"):
            node = self._members(self._literal(self.next(), signs.pop()))
        else:
            node = self._members(self._primary())
        if len(signs) % 2:
            name = "!_" if signs[0].kind == "!" else "-_"
            node = Call(signs[0].offset, name, (node,))
        return node

    def _members(self, node: Node) -> Node:
        depth = 0
        while True:
            depth += 1
            if depth > MAX_DEPTH:
                raise self.fail(0, f"expression recursion limit exceeded: {MAX_DEPTH}")
            if (dot := self.accept(".")) is not None:
                node = self._member(node, dot)
            elif (bracket := self.accept("[")) is not None:
                name = "_[?_]" if self.accept("?") else "_[_]"
                with self.within("]"):
                    index = self._expression()
                self.expect("]")
                node = Call(bracket.offset, name, (node, index))
            else:
                return node

    def _member(self, node: Node, dot: Token) -> Node:
        optional = self.accept("?") is not None
        name = self.token
        if name.kind == "quoted":
            self.next()
            return Select(dot.offset, node, name.text[1:-1], optional=optional)
        if name.kind != "name":
            if name.kind == "end":
                raise self.fail(name.offset, "Syntax error: no viable alternative at input '.'")
            raise self.fail(name.offset, f"Syntax error: no viable alternative at input '.{name.text}'")
        self.next()
        if not optional and (bracket := self.accept("(")) is not None:
            return self._method(node, name.text, bracket, self._arguments())
        return Select(dot.offset, node, name.text, optional=optional)

    def _method(self, target: Node, name: str, bracket: Token, arguments: list[Node]) -> Node:
        if self._binds and isinstance(target, Identifier) and (target.name, name, len(arguments)) == _BIND:
            return Macro(bracket.offset, name, arguments[1], (self._variable(name, arguments[0]),), (arguments[2],))
        count = _MACROS.get((name, len(arguments)))
        if count is None:
            return Call(bracket.offset, name, tuple(arguments), target)
        variables = tuple(self._variable(name, each) for each in arguments[:count])
        if len(set(variables)) < count:
            raise self.fail(arguments[1].offset, f"duplicate variable name: {variables[1]}")
        name = "exists_one" if name == "existsOne" else name
        return Macro(bracket.offset, name, target, variables, tuple(arguments[count:]))

    def _variable(self, macro: str, node: Node) -> str:
        if isinstance(node, Identifier):
            return node.name
        wrong = "is not an identifier" if macro in ("map", "filter") else "must be a simple name"
        raise self.fail(node.offset, f"argument {wrong}")

    def _arguments(self) -> list[Node]:
        """Those of a call, behind its bracket."""
        found: list[Node] = []
        if self.accept(")") is not None:
            return found
        if not self.begins_expression():
            raise self.no_expression(")")
        with self.within(",", ")"):
            found.append(self._expression())
            while self.accept(",") is not None:
                found.append(self._expression())
        self.expect(")")
        return found

    def _primary(self) -> Node:
        token = self.token
        if not self.begins_expression():
            raise self.no_expression()
        if token.kind in ("float", "int", "uint", "string", "raw", "bytes"):
            return self._literal(self.next())
        self.next()
        if token.kind == "(":
            with self.within(")"):
                node = self._expression()
            self.expect(")")
            return node
        if token.kind == "[":
            return self._list(token)
        if token.kind == "{":
            return self._map(token)
        return self._named(self.expect("name") if token.kind == "." else token)

    def _named(self, token: Token) -> Node:
        constants: dict[str, object] = {"true": True, "false": False, "null": None}
        if token.text in constants:
            return Literal(token.offset, constants[token.text])
        if token.text in _RESERVED:
            self.issues.append(Issue(token.offset, f"reserved identifier: {token.text}"))
        if (bracket := self.accept("(")) is not None:
            return self._function(token, bracket, self._arguments())
        if self._begins_object():
            return self._object(token)
        return Identifier(token.offset, token.text)

    def _function(self, name: Token, bracket: Token, arguments: list[Node]) -> Node:
        if name.text != "has" or len(arguments) != 1:
            return Call(bracket.offset, name.text, tuple(arguments))
        chosen = arguments[0]
        if not isinstance(chosen, Select) or chosen.optional:
            raise self.fail(chosen.offset, "invalid argument to has() macro")
        return Select(bracket.offset, chosen.operand, chosen.field, test=True)

    def _begins_object(self) -> bool:
        """Whether `{` or `.name.name{` follows: a message, which no other expression can be."""
        count = 0
        while self.ahead(count).kind == "." and self.ahead(count + 1).kind == "name":
            count += 2
        return self.ahead(count).kind == "{"

    def _object(self, token: Token) -> Node:
        name = token.text
        while self.accept("."):
            name += "." + self.next().text
        brace = self.expect("{")
        fields: list[tuple[str, Node, bool, int]] = []
        for optional in self._parts("}"):
            key = self.next()
            if key.kind not in ("name", "quoted"):
                raise self.fail(key.offset, f"Syntax error: mismatched input '{key.text}' expecting IDENTIFIER")
            colon = self.expect(":")
            fields.append((key.text.strip("`"), self._expression(), optional, colon.offset))
        return ObjectLiteral(brace.offset, name, tuple(fields))

    def _list(self, bracket: Token) -> Node:
        elements: list[Node] = []
        optional = set()
        for is_optional in self._parts("]"):
            if is_optional:
                optional.add(len(elements))
            elements.append(self._expression())
        return ListLiteral(bracket.offset, tuple(elements), frozenset(optional))

    def _map(self, brace: Token) -> Node:
        entries: list[Entry] = []
        for optional in self._parts("}"):
            with self.within(":"):
                key = self._expression()
            colon = self.expect(":")
            entries.append(Entry(colon.offset, key, self._expression(), optional))
        return MapLiteral(brace.offset, tuple(entries))

    def _parts(self, closing: str) -> Iterator[bool]:
        """The places of a literal's parts, with commas between them; whether each is optional."""
        if self.token.kind not in (closing, "?", ",", "quoted") and not self.begins_expression():
            raise self.no_expression(closing, ",", "?")
        with self.within(",", closing):
            while self.token.kind in ("?", "quoted") or self.begins_expression():
                yield self.accept("?") is not None
                if self.accept(",") is None:
                    break
        self.expect(closing)

    def _literal(self, token: Token, minus: Token | None = None) -> Node:
        offset = token.offset if minus is None else minus.offset
        text = ("-" if minus else "") + token.text
        if token.kind == "float":
            if math.isinf(value := float(text)):
                raise self.fail(offset, "invalid double literal")
            return Literal(offset, value)
        if token.kind == "int":
            return Literal(offset, self._integer(offset, text, -(1 << 63), (1 << 63) - 1, "int"))
        if token.kind == "uint":
            return Literal(offset, Uint(self._integer(offset, text[:-1], 0, (1 << 64) - 1, "uint")))
        try:
            read = bytes_value(text) if token.kind == "bytes" else string_value(text, token.kind)
        except ValueError as error:
            raise self.fail(offset, str(error)) from error
        return Literal(offset, read)

    def _integer(self, offset: int, text: str, low: int, high: int, kind: str) -> int:
        value = int(text, 16) if "x" in text else int(text)
        if not low <= value <= high:
            raise self.fail(offset, f"invalid {kind} literal")
        return value
