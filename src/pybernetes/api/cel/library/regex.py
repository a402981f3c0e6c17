"""Regular expressions: RE2, as in Go, so that none takes more than linear time."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Functions, matching, method
from pybernetes.api.cel.types import INT, STRING, list_of

if TYPE_CHECKING:
    import re

_WORDS: Final = {
    "missing )": "missing closing )", "missing ]": "missing closing ]", "bad repetition operator": "invalid nested repetition operator",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid escape sequence": "invalid escape sequence", "trailing \\": "trailing backslash at end of expression",
    "invalid character class range": "invalid character class range", "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax", "invalid UTF-8": "invalid UTF-8",
}  # fmt: skip
"""What RE2 says, in the words of Go's regexp."""


@lru_cache(maxsize=256)
def pattern_of(text: str) -> re.Pattern[str]:
    """A compiled pattern. Raises EvaluationError in Go's words."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled: re.Pattern[str] = re2.compile(text, options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
        what, _, part = said.partition(": ")
        raise EvaluationError(f"error parsing regexp: {_WORDS.get(what, what)}: `{part}`") from error
    return compiled


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
