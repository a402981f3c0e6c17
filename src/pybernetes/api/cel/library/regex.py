"""Regular expressions: RE2, as in Go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Functions, matching, method
from pybernetes.api.cel.types import INT, STRING, list_of
from pybernetes.api.regexp import RegexpError, compiled

if TYPE_CHECKING:
    import re


def pattern_of(text: str) -> re.Pattern[str]:
    """A compiled pattern. Raises EvaluationError in Go's words."""
    try:
        return compiled(text)
    except RegexpError as error:
        raise EvaluationError(str(error)) from error


def matches(text: str, pattern: str) -> bool:
    return pattern_of(pattern).search(text) is not None


def _find(text: str, pattern: str) -> str:
    found = pattern_of(pattern).search(text)
    return found.group() if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[object]:
    found: list[object] = [each.group() for each in pattern_of(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


FUNCTIONS: Final[Functions] = {
    "find": [method(STRING, STRING, to=STRING, do=_find, cost=matching)],
    "findAll": [
        method(STRING, STRING, to=list_of(STRING), do=_find_all, cost=matching),
        method(STRING, STRING, INT, to=list_of(STRING), do=_find_all, cost=matching),
    ],
}
