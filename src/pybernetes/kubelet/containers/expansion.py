"""`$(NAME)` in commands, arguments and values (API field `command`: unknown names stay, `$$` is an escaped dollar)."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with known variables in place; `$$(NAME)` gives `$(NAME)`."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return variables.get(match[2], match[0])

    return _REFERENCE.sub(replace, text)


class UnknownVariableError(Exception):
    """A subPathExpr names a variable that the container does not have."""


def expand_strictly(text: str, variables: Mapping[str, str]) -> str:
    """As `expand`, but an unknown variable is an error. Raises UnknownVariableError."""
    for match in _REFERENCE.finditer(text):
        if match[1] != "$" and match[2] not in variables:
            raise UnknownVariableError(f'missing value for "{match[2]}"')
    return expand(text, variables)
