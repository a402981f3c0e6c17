"""Texts become syntax trees: recursive descent over the grammar of the CEL specification, macros expanded."""

from __future__ import annotations

from collections.abc import Callable
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
from pybernetes.api.cel.lexer import Token, bytes_value, string_value, tokens
from pybernetes.api.cel.values import Uint

MAX_LENGTH: Final = 100_000
MAX_DEPTH: Final = 250

_PRIMARY: Final = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"  # fmt: skip
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
_STARTS: Final = frozenset({"[", "{", "(", ".", "-", "!", "float", "int", "uint", "string", "raw", "bytes", "name"})

# Names of macros that are methods, by the number of their arguments; how many of these are variables.
_MACROS: Final = {
    ("all", 2): 1, ("exists", 2): 1, ("exists_one", 2): 1, ("existsOne", 2): 1, ("map", 2): 1, ("map", 3): 1,
    ("filter", 2): 1, ("all", 3): 2, ("exists", 3): 2, ("exists_one", 3): 2, ("existsOne", 3): 2,
    ("transformList", 3): 2, ("transformList", 4): 2, ("transformMap", 3): 2, ("transformMap", 4): 2,
    ("transformMapEntry", 3): 2, ("transformMapEntry", 4): 2, ("optMap", 2): 1, ("optFlatMap", 2): 1,
    ("sortBy", 2): 1,
}  # fmt: skip


class _StopError(Exception):
    """The rest cannot be made sense of."""


def parse(source: str) -> Node:
    """Raises CompileError with all that is wrong with the text."""
    if len(source) > MAX_LENGTH:
        message = f"expression code point size exceeds limit: size: {len(source)}, limit {MAX_LENGTH}"
        raise CompileError(source, [Issue(0, message)])
    parser = _Parser(source)
    try:
        node = parser.whole()
    except _StopError:
        node = None
    if parser.issues or node is None:
        raise CompileError(source, sorted(parser.issues, key=lambda issue: issue.offset))
    return node


class _Parser:
    def __init__(self, source: str) -> None:
        self.issues: list[Issue] = []
        self._tokens = list(tokens(source, self.issues))
        self._at = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._token
        self._at += token.kind != "end"
        return token

    def _accept(self, kind: str) -> Token | None:
        return self._next() if self._token.kind == kind else None

    def _fail(self, offset: int, message: str) -> _StopError:
        self.issues.append(Issue(offset, message))
        return _StopError()

    def _expect(self, kind: str) -> Token:
        token = self._token
        if token.kind == kind:
            return self._next()
        if token.kind == "end":
            raise self._fail(token.offset, f"Syntax error: missing '{kind}' at '{token.text}'")
        if self._tokens[self._at + 1].kind == kind:
            # What is too much is passed over.
            self._fail(token.offset, f"Syntax error: extraneous input '{token.text}' expecting '{kind}'")
            self._next()
            return self._next()
        raise self._fail(token.offset, f"Syntax error: mismatched input '{token.text}' expecting '{kind}'")

    def whole(self) -> Node:
        node = self._expression()
        if self._token.kind != "end":
            word = "extraneous" if self._tokens[self._at + 1].kind == "end" else "mismatched"
            raise self._fail(self._token.offset, f"Syntax error: {word} input '{self._token.text}' expecting <EOF>")
        return node

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fail(0, f"expression recursion limit exceeded: {MAX_DEPTH}")
        try:
            condition = self._or()
            if (mark := self._accept("?")) is None:
                return condition
            yes = self._or()
            self._expect(":")
            return Call(mark.offset, "_?_:_", (condition, yes, self._expression()))
        finally:
            self._depth -= 1

    def _binary(self, below: Callable[[], Node], operators: dict[str, str]) -> Node:
        node = below()
        while (name := operators.get(self._sign())) is not None:
            node = Call(self._next().offset, name, (node, below()))
        return node

    def _sign(self) -> str:
        return "in" if self._token.kind == "name" and self._token.text == "in" else self._token.kind

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
        while self._token.kind in ("!", "-") and (not signs or signs[0].kind == self._token.kind):
            signs.append(self._next())
        if signs and signs[-1].kind == "-" and self._token.kind in ("int", "float"):
            node = self._members(self._literal(self._next(), signs.pop()))
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
                raise self._fail(0, f"expression recursion limit exceeded: {MAX_DEPTH}")
            if (dot := self._accept(".")) is not None:
                node = self._member(node, dot)
            elif (bracket := self._accept("[")) is not None:
                name = "_[?_]" if self._accept("?") else "_[_]"
                index = self._expression()
                self._expect("]")
                node = Call(bracket.offset, name, (node, index))
            else:
                return node

    def _member(self, node: Node, dot: Token) -> Node:
        optional = self._accept("?") is not None
        name = self._token
        if name.kind == "quoted":
            self._next()
            return Select(dot.offset, node, name.text[1:-1], optional=optional)
        if name.kind != "name":
            if name.kind == "end":
                raise self._fail(name.offset, "Syntax error: no viable alternative at input '.'")
            raise self._fail(name.offset, f"Syntax error: no viable alternative at input '.{name.text}'")
        self._next()
        if not optional and (bracket := self._accept("(")) is not None:
            return self._method(node, name.text, bracket, self._arguments(")"))
        return Select(dot.offset, node, name.text, optional=optional)

    def _method(self, target: Node, name: str, bracket: Token, arguments: list[Node]) -> Node:
        count = _MACROS.get((name, len(arguments)))
        if count is None:
            return Call(bracket.offset, name, tuple(arguments), target)
        variables = tuple(self._variable(each) for each in arguments[:count])
        name = "exists_one" if name == "existsOne" else name
        return Macro(bracket.offset, name, target, variables, tuple(arguments[count:]))

    def _variable(self, node: Node) -> str:
        if isinstance(node, Identifier):
            return node.name
        raise self._fail(node.offset, "argument must be a simple name")

    def _arguments(self, closing: str) -> list[Node]:
        found: list[Node] = []
        while self._token.kind != closing:
            found.append(self._expression())
            if self._accept(",") is None:
                break
        self._expect(closing)
        return found

    def _primary(self) -> Node:
        token = self._token
        if token.kind not in _STARTS or (token.kind == "name" and token.text == "in"):
            raise self._no_primary(token)
        if token.kind in ("float", "int", "uint", "string", "raw", "bytes"):
            return self._literal(self._next())
        self._next()
        if token.kind == "(":
            node = self._expression()
            self._expect(")")
            return node
        if token.kind == "[":
            return self._list(token)
        if token.kind == "{":
            return self._map(token)
        if token.kind == ".":
            token = self._expect("name")
        if token.kind != "name":
            raise self._no_primary(token)
        return self._named(token)

    def _no_primary(self, token: Token) -> _StopError:
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        word = "extraneous" if token.kind != "end" and following.kind in _STARTS else "mismatched"
        return self._fail(token.offset, f"Syntax error: {word} input '{token.text}' expecting {_PRIMARY}")

    def _named(self, token: Token) -> Node:
        constants: dict[str, object] = {"true": True, "false": False, "null": None}
        if token.text in constants:
            return Literal(token.offset, constants[token.text])
        if token.text in _RESERVED:
            self.issues.append(Issue(token.offset, f"reserved identifier: {token.text}"))
        if (bracket := self._accept("(")) is not None:
            return self._function(token, bracket, self._arguments(")"))
        if self._begins_object():
            return self._object(token)
        return Identifier(token.offset, token.text)

    def _function(self, name: Token, bracket: Token, arguments: list[Node]) -> Node:
        if name.text != "has" or len(arguments) != 1:
            return Call(bracket.offset, name.text, tuple(arguments))
        chosen = arguments[0]
        if not isinstance(chosen, Select) or chosen.optional:
            raise self._fail(chosen.offset, "invalid argument to has() macro")
        return Select(bracket.offset, chosen.operand, chosen.field, test=True)

    def _begins_object(self) -> bool:
        """Whether `{` or `.name.name{` follows: a message, which no other expression can be."""
        at = self._at
        while self._tokens[at].kind == "." and self._tokens[at + 1].kind == "name":
            at += 2
        return self._tokens[at].kind == "{"

    def _object(self, token: Token) -> Node:
        name = token.text
        while self._accept("."):
            name += "." + self._next().text
        brace = self._expect("{")
        fields: list[tuple[str, Node, bool, int]] = []
        while self._token.kind != "}":
            optional = self._accept("?") is not None
            key = self._next()
            if key.kind not in ("name", "quoted"):
                raise self._fail(key.offset, f"Syntax error: mismatched input '{key.text}' expecting IDENTIFIER")
            colon = self._expect(":")
            fields.append((key.text.strip("`"), self._expression(), optional, colon.offset))
            if self._accept(",") is None:
                break
        self._expect("}")
        return ObjectLiteral(brace.offset, name, tuple(fields))

    def _list(self, bracket: Token) -> Node:
        elements: list[Node] = []
        optional = set()
        while self._token.kind != "]":
            if self._accept("?"):
                optional.add(len(elements))
            elements.append(self._expression())
            if self._accept(",") is None:
                break
        self._expect("]")
        return ListLiteral(bracket.offset, tuple(elements), frozenset(optional))

    def _map(self, brace: Token) -> Node:
        entries: list[Entry] = []
        while self._token.kind != "}":
            optional = self._accept("?") is not None
            key = self._expression()
            colon = self._expect(":")
            entries.append(Entry(colon.offset, key, self._expression(), optional))
            if self._accept(",") is None:
                break
        self._expect("}")
        return MapLiteral(brace.offset, tuple(entries))

    def _literal(self, token: Token, minus: Token | None = None) -> Node:
        offset = token.offset if minus is None else minus.offset
        text = ("-" if minus else "") + token.text
        if token.kind == "float":
            return Literal(offset, float(text))
        if token.kind == "int":
            return Literal(offset, self._integer(offset, text, -(1 << 63), (1 << 63) - 1, "int"))
        if token.kind == "uint":
            return Literal(offset, Uint(self._integer(offset, text[:-1], 0, (1 << 64) - 1, "uint")))
        try:
            value = bytes_value(text) if token.kind == "bytes" else string_value(text, token.kind)
        except ValueError as error:
            raise self._fail(offset, str(error)) from error
        return Literal(offset, value)

    def _integer(self, offset: int, text: str, low: int, high: int, kind: str) -> int:
        value = int(text, 16) if "x" in text else int(text)
        if not low <= value <= high:
            raise self._fail(offset, f"invalid {kind} literal")
        return value
