"""What is wrong with an expression, in cel-go's words and form."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Issue(Struct, frozen=True):
    """A fault found at an offset (in characters) of the expression."""

    offset: int
    message: str


class CompileError(Exception):
    """The expression cannot be compiled; its text is what a user sees, each fault with its place."""

    def __init__(self, source: str, issues: Sequence[Issue]) -> None:
        super().__init__("\n".join(shown(source, issue) for issue in issues))
        self.issues = issues


class EvaluationError(Exception):
    """The expression has no value for these values; the text says why."""


class CostError(EvaluationError):
    """More work than an expression may do."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def shown(source: str, issue: Issue) -> str:
    """`ERROR: <input>:1:9: message`, the line, and a caret under the place."""
    before = source[: issue.offset]
    line_number = before.count("\n") + 1
    column = issue.offset - (before.rfind("\n") + 1)
    line = source.split("\n")[line_number - 1].replace("\t", " ")
    return f"ERROR: <input>:{line_number}:{column + 1}: {issue.message}\n | {line}\n | {'.' * column}^"
