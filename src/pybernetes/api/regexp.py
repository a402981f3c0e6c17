"""Regular expressions as Go has them: RE2, so that no pattern of a user takes more than linear time (google-re2)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import re

_WORDS: Final = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "unexpected )": "unexpected )",
    "bad repetition operator": "invalid nested repetition operator",
    "no argument for repetition operator": "missing argument to repetition operator",
    "trailing \\": "trailing backslash at end of expression",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
}
"""What RE2 says, where Go's regexp has other words."""


class RegexpError(ValueError):
    """Text that is no pattern; the message is Go's."""


@lru_cache(maxsize=512)
def compiled(text: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """A pattern to `search` or `match` with. Raises RegexpError."""
    import re2

    options = re2.Options()
    options.log_errors, options.case_sensitive = False, not ignore_case
    try:
        pattern: re.Pattern[str] = re2.compile(text, options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
        what, _, part = said.partition(": ")
        raise RegexpError(f"error parsing regexp: {_WORDS.get(what, what)}: `{part}`") from error
    return pattern
