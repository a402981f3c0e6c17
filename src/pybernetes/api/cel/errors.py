"""What is wrong with an expression, in cel-go's words and form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from pybernetes.api.cel.types import Type


class Issue(Struct, frozen=True):
    """A fault found at an offset (in characters) of the expression."""

    offset: int
    message: str


class CompileError(Exception):
    """The expression cannot be compiled; its text is what a user sees, each fault with its place."""

    def __init__(self, source: str, issues: Sequence[Issue]) -> None:
        super().__init__("\n".join(shown(source, issue) for issue in issues))
        self.issues = issues

    @property
    def reason(self) -> str:
        """The text, with what could not be done."""
        return f"compilation failed: {self}"


class InstantiationError(CompileError):
    """The expression is of the type `type`, but a part of it that is constant has no value."""

    def __init__(self, error: EvaluationError, type_: Type) -> None:
        Exception.__init__(self, str(error))
        self.issues = ()
        self.type = type_

    @property
    def reason(self) -> str:
        return f"program instantiation failed: {self}"


class EvaluationError(Exception):
    """The expression has no value for these values; the text says why."""


class CostError(EvaluationError):
    """More work than an expression may do."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def shown(source: str, issue: Issue) -> str:
    """`ERROR: <input>:1:9: message`, the line, and a caret under the place; wide signs under what is not ASCII."""
    if not source:  # there is no line to show
        return f"ERROR: <input>:1:0: {issue.message}"
    before = source[: issue.offset]
    line_number = before.count("\n") + 1
    column = issue.offset - (before.rfind("\n") + 1)
    line = source.split("\n")[line_number - 1].replace("\t", " ")
    dots = "".join("." if each.isascii() else "\uff0e" for each in line[:column])
    caret = "^" if line[column : column + 1].isascii() else "\uff3e"
    return f"ERROR: <input>:{line_number}:{column + 1}: {issue.message}\n | {line}\n | {dots}{caret}"
