"""The tokens of an expression as the parser reads them, and what is said of one that does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pybernetes.api.cel.errors import Issue
from pybernetes.api.cel.lexer import Token, tokens

STARTS: Final = frozenset({"[", "{", "(", ".", "-", "!", "float", "int", "uint", "string", "raw", "bytes", "name"})
"""Tokens with which an expression begins."""
_GOES_ON: Final = frozenset(
    {".", "[", "?", "||", "&&", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"}
)  # fmt: skip
"""Tokens with which an expression goes on behind a bracket that closes."""
_ORDER: Final = ("[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?")
_PRIMARY: Final = "'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER"


class StopError(Exception):
    """The rest cannot be made sense of."""


class TokenStream:
    """Where the parser is; words and choices are those of the parser generator that cel-go uses."""

    def __init__(self, source: str) -> None:
        self.issues: list[Issue] = []
        self._tokens = list(tokens(source, self.issues))
        self._at = 0
        self._enclosing: list[frozenset[str]] = [frozenset({"end"})]

    @property
    def token(self) -> Token:
        return self._tokens[self._at]

    @property
    def following(self) -> Token:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def ahead(self, count: int) -> Token:
        return self._tokens[min(self._at + count, len(self._tokens) - 1)]

    def begins_expression(self) -> bool:
        return self.token.kind in STARTS and self.token.text != "in"

    def next(self) -> Token:
        token = self.token
        self._at += token.kind != "end"
        return token

    def accept(self, kind: str) -> Token | None:
        return self.next() if self.token.kind == kind else None

    def fail(self, offset: int, message: str) -> StopError:
        self.issues.append(Issue(offset, message))
        return StopError()

    @contextmanager
    def within(self, *ends: str) -> Iterator[None]:
        """While expressions are read that end with one of these tokens."""
        self._enclosing.append(frozenset(ends))
        try:
            yield
        finally:
            self._enclosing.pop()

    def expect(self, kind: str) -> Token:
        """The next token. One that is too much is passed over, one that is missing is made up."""
        token = self.token
        if token.kind == kind:
            return self.next()
        if self.following.kind == kind:
            self.fail(token.offset, f"Syntax error: extraneous input '{token.text}' expecting '{kind}'")
            self.next()
            return self.next()
        can_follow = STARTS if kind == ":" else _GOES_ON | self._enclosing[-1]
        if kind in (")", "]", "}", ":") and token.kind in can_follow:
            self.fail(token.offset, f"Syntax error: missing '{kind}' at '{token.text}'")
            return Token(kind, kind, token.offset)
        raise self.fail(token.offset, f"Syntax error: mismatched input '{token.text}' expecting '{kind}'")

    def no_expression(self, *also: str) -> StopError:
        """The token begins none; `also` are others that could stand there."""
        token = self.token
        fits = token.kind != "end" and (self.following.kind in STARTS or self.following.kind in also)
        signs = ", ".join(f"'{sign}'" for sign in _ORDER if sign in STARTS or sign in also)
        word = "extraneous" if fits else "mismatched"
        return self.fail(token.offset, f"Syntax error: {word} input '{token.text}' expecting {{{signs}, {_PRIMARY}}}")
