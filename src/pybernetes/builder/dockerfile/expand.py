"""Words and variables: `$name`, `${name:-default}` and their kin, quotes and escapes, as docker's frontend has them."""

import re
from collections.abc import Callable, Mapping
from fnmatch import translate

from pybernetes.builder.dockerfile.errors import ParseError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#]")


def expand(text: str, variables: Mapping[str, str], escape: str = "\\", line: int = 0) -> str:
    """The text with its variables replaced, and without quotes and escapes. Raises ParseError."""
    return "".join(_Scanner(text, variables, escape, line, split=False).words())


def expand_words(text: str, variables: Mapping[str, str], escape: str = "\\", line: int = 0) -> list[str]:
    """The same, split at blanks that are not quoted; also those that came out of variables."""
    return _Scanner(text, variables, escape, line, split=True).words()


def expand_raw(text: str, variables: Mapping[str, str], escape: str = "\\", line: int = 0) -> str:
    """Only variables: quotes stay, and mean nothing. For here-documents."""
    return "".join(_Scanner(text, variables, escape, line, split=False, quotes=False).words())


def split_words(text: str, escape: str = "\\", line: int = 0) -> list[str]:
    """The words as they stand, quotes and variables included."""
    words, word, quote, position = [], "", "", 0
    while position < len(text):
        char = text[position]
        if quote:
            if char == escape and quote == '"' and position + 1 < len(text):
                word += char
                position += 1
                char = text[position]
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == escape and position + 1 < len(text):
            word += char
            position += 1
            char = text[position]
        elif char.isspace():
            if word:
                words.append(word)
            word = ""
            position += 1
            continue
        word += char
        position += 1
    return [*words, word] if word else words


class _Scanner:
    def __init__(
        self, text: str, variables: Mapping[str, str], escape: str, line: int, *, split: bool, quotes: bool = True
    ) -> None:
        self._text = text
        self._variables = variables
        self._escape = escape
        self._line = line
        self._split = split
        self._quotes = quotes
        self._position = 0

    def words(self) -> list[str]:
        found: list[str] = []
        word: str | None = None
        while self._position < len(self._text):
            char = self._text[self._position]
            if self._split and char.isspace():
                self._position += 1
                if word is not None:
                    found.append(word)
                word = None
            elif char == "$" and (value := self._variable()) is not None:
                if self._split and re.search(r"\s", value):
                    first, *others = re.split(r"\s+", value)
                    pieces = [(word or "") + first, *others]
                    found += [piece for piece in pieces[:-1] if piece]
                    word = pieces[-1] or None
                elif value or word is not None:
                    word = (word or "") + value
            elif self._quotes and char in "'\"":
                word = (word or "") + self._quoted(char)
            else:
                word = (word or "") + self._plain(char)
        return found if word is None else [*found, word]

    def _plain(self, char: str) -> str:
        """A character, or the one behind an escape; an escape at the end is gone."""
        self._position += 1
        if char != self._escape:
            return char
        if self._position >= len(self._text):
            return ""
        following = self._text[self._position]
        if not self._quotes and following not in ("$", self._escape):
            return char
        self._position += 1
        return following

    def _quoted(self, quote: str) -> str:
        self._position += 1
        out = ""
        while self._position < len(self._text):
            char = self._text[self._position]
            if char == quote:
                self._position += 1
                return out
            if quote == '"' and char == "$" and (value := self._variable()) is not None:
                out += value
                continue
            if quote == '"' and char == self._escape:
                following = self._text[self._position + 1 : self._position + 2]
                if not following:
                    break
                out += following if following in ('"', "$", self._escape) else char + following
                self._position += 2
                continue
            out += char
            self._position += 1
        raise ParseError(self._line, "unexpected end of statement while looking for matching " + _QUOTES[quote])

    def _variable(self) -> str | None:
        """The value of the variable that begins here; None if the dollar is only a dollar."""
        begin = self._position
        if self._text[begin + 1 : begin + 2] == "{":
            return self._braced(begin)
        found = _NAME.match(self._text, begin + 1)
        if found is None:
            return None
        self._position = found.end()
        return self._variables.get(found[0]) or ""

    def _braced(self, begin: int) -> str:
        found = _NAME.match(self._text, begin + 2)
        if found is None:
            raise ParseError(self._line, f"unsupported modifier in substitution: {self._text[begin:]}")
        end = self._closing(found.end())
        self._position = end + 1
        value, modifier = self._variables.get(found[0]), self._text[found.end() : end]
        try:
            return _modified(found[0], value, modifier, self._inner) if modifier else value or ""
        except ParseError as error:
            raise ParseError(self._line, str(error)) from None

    def _closing(self, position: int) -> int:
        depth = 1
        while position < len(self._text):
            char = self._text[position]
            if char == self._escape:
                position += 1
            elif self._text.startswith("${", position):
                depth += 1
                position += 1
            elif char == "}":
                depth -= 1
                if depth == 0:
                    return position
            position += 1
        raise ParseError(self._line, "syntax error: missing '}'")

    def _inner(self, text: str) -> str:
        return expand(text, self._variables, self._escape, self._line)


_QUOTES = {"'": "single-quote", '"': "double-quote"}


def _modified(name: str, value: str | None, modifier: str, inner: Callable[[str], str]) -> str:
    """Bash's modifiers; with a colon an empty variable counts as one that is not set."""
    colon = modifier.startswith(":")
    kind, word = (modifier[1:2], modifier[2:]) if colon else (modifier[:1], modifier[1:])
    is_set = bool(value) if colon else value is not None
    if kind == "-":
        return value or "" if is_set else inner(word)
    if kind == "+":
        return inner(word) if is_set else ""
    if kind == "?":
        if is_set:
            return value or ""
        raise ParseError(0, f"{name}: {inner(word) or 'not allowed to be ' + ('empty' if colon else 'unset')}")
    if not colon and kind in ("#", "%"):
        return _trimmed(value or "", kind, inner(word))
    if not colon and kind == "/":
        return _replaced(value or "", word, inner)
    raise ParseError(0, f"unsupported modifier ({modifier[: 2 if colon else 1]}) in substitution")


def _trimmed(value: str, kind: str, word: str) -> str:
    """`#` and `%` take the shortest match away from the beginning or the end, doubled the longest."""
    longest = word.startswith(kind)
    pattern = re.compile(translate(word[1:] if longest else word))
    cuts = range(len(value) + 1)
    if kind == "#":
        order = reversed(cuts) if longest else cuts
        return next((value[cut:] for cut in order if pattern.match(value[:cut])), value)
    order = cuts if longest else reversed(cuts)
    return next((value[:cut] for cut in order if pattern.match(value[cut:])), value)


def _replaced(value: str, word: str, inner: Callable[[str], str]) -> str:
    """`${name/pattern/replacement}`, with `//` everywhere."""
    everywhere = word.startswith("/")
    pattern, _, replacement = (word[1:] if everywhere else word).partition("/")
    expression = translate(inner(pattern)).removesuffix(r"\Z").removesuffix(r"\z")
    return re.sub(expression, lambda _: inner(replacement), value, count=0 if everywhere else 1)
