"""Patterns of files: those of .dockerignore, and the wildcards of COPY. Pure.

A .dockerignore pattern matches whole paths below the context: `*` and `?` stay within one name, `**` spans any number,
`!` takes back what earlier patterns excluded, the last pattern that matches decides, and what is below a match
matches too. COPY's wildcards are those of Go's filepath.Match.
"""

import re
from collections.abc import Sequence

_WILD = re.compile(r"[*?\[\\]")


class PatternError(ValueError):
    """A pattern that cannot be one."""


def is_wild(name: str) -> bool:
    """Whether the name has wildcards, or escapes, in it."""
    return _WILD.search(name) is not None


def clean(path: str) -> str:
    """Relative to the root, without `.`, doubled slashes, and `..`, which cannot leave it: `/a/../../b` is `b`."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def name_pattern(name: str) -> re.Pattern[str]:
    """One component of a COPY source. Raises PatternError."""
    return _compile(name, _translate(name, deep=False))


class Ignore:
    """What a list of .dockerignore patterns excludes. Raises PatternError for one that is malformed."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._rules: list[tuple[bool, re.Pattern[str]]] = []
        for pattern in patterns:
            negated = pattern.startswith("!")
            body = clean(pattern[1:] if negated else pattern)
            if body:
                self._rules.append((negated, _compile(pattern, _translate(body, deep=True))))
        self.has_exceptions = any(negated for negated, _ in self._rules)

    def excludes(self, path: str) -> bool:
        """Whether `path` (relative, clean) is left out. The root itself never is."""
        if not path or not self._rules:
            return False
        parts = path.split("/")
        paths = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
        excluded = False
        for negated, pattern in self._rules:
            if excluded == negated and any(pattern.fullmatch(each) for each in paths):
                excluded = not negated
        return excluded


def read_ignore(text: str) -> tuple[str, ...]:
    """The patterns of a .dockerignore: a line each, without comments and blanks; a byte-order mark is no part of it."""
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines() if not line.startswith("#"))
    return tuple(f"!{line[1:].strip()}" if line.startswith("!") else line for line in lines if line)


def _compile(pattern: str, expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression, re.DOTALL)
    except re.error:
        raise PatternError(f"syntax error in pattern {pattern!r}") from None


def _translate(pattern: str, deep: bool) -> str:
    out, position = "", 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*" and deep and pattern.startswith("*", position):
            position += 1
            if pattern.startswith("/", position):
                position += 1
            out += ".*" if position >= len(pattern) else "(?:.*/)?"
        elif char in "*?":
            out += "[^/]*" if char == "*" else "[^/]"
        elif char == "[":
            out, position = _class(pattern, position, out)
        elif char == "\\":
            if position >= len(pattern):
                raise PatternError(f"syntax error in pattern {pattern!r}")
            out += re.escape(pattern[position])
            position += 1
        else:
            out += re.escape(char)
    return out


def _class(pattern: str, position: int, out: str) -> tuple[str, int]:
    """A bracket expression: `[a-z]`, `[^0-9]`; a backslash escapes in it."""
    end = position
    while end < len(pattern) and (pattern[end] != "]" or end == position):
        end += 2 if pattern[end] == "\\" else 1
    if end >= len(pattern):
        raise PatternError(f"syntax error in pattern {pattern!r}")
    body = pattern[position:end]
    negated = body[:1] == "^"
    inner = body[1:] if negated else body
    if not inner:
        raise PatternError(f"syntax error in pattern {pattern!r}")
    return f"{out}(?!/)[{'^' if negated else ''}{inner.replace('[', chr(92) + '[')}]", end + 1
