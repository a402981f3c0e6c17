"""Text to instructions: parser directives, comments, continued lines, here-documents."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pybernetes.builder.dockerfile.errors import ParseError
from pybernetes.builder.dockerfile.expand import split_words

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.*?)\s*")
_KEYWORD = re.compile(r"(\S+)(?:\s+(.*))?", re.DOTALL)
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")
_WITH_HEREDOCS = ("RUN", "COPY", "ADD")


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: variables in it are expanded unless its name was quoted."""

    name: str
    content: str
    expand: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """`keyword` is in upper case, `rest` all behind it, continued lines joined; `line` to `end` is where it stands.

    `written` is the keyword as the file has it.
    """

    keyword: str
    rest: str
    line: int
    end: int
    heredocs: tuple[Heredoc, ...] = ()
    written: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """The instructions of a file, and its escape character; what its `check` directive says, and blank lines in the
    middle of instructions."""

    instructions: tuple[Instruction, ...]
    escape: str = "\\"
    check: str = ""
    empty_continuations: tuple[int, ...] = ()


def read(text: str) -> Document:
    """Raises ParseError."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    directives = dict(_directives(lines))
    escape = directives.get("escape", ("\\", 0))[0]
    if escape not in ("\\", "`"):
        raise ParseError(directives["escape"][1], f"invalid escape token '{escape}' does not match ` or \\")
    reader = _Reader(lines, escape)
    instructions = tuple(reader.instructions())
    return Document(instructions, escape, directives.get("check", ("", 0))[0], tuple(reader.empty_continuations))


def read_one(text: str, escape: str, line: int) -> Instruction:
    """A single instruction, as a trigger of ONBUILD holds it. Raises ParseError."""
    found = next(_Reader(text.split("\n"), escape).instructions(), None)
    if found is None:
        raise ParseError(line, "ONBUILD requires at least one argument")
    return Instruction(found.keyword, found.rest, line, line, found.heredocs)


def _directives(lines: list[str]) -> Iterator[tuple[str, tuple[str, int]]]:
    """`# name=value` lines at the very top; a comment, a blank line or an instruction ends them."""
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None or found[1].lower() not in ("syntax", "escape", "check"):
            return
        name = found[1].lower()
        if name in seen:
            raise ParseError(number, f"only one {name} parser directive can be used")
        seen.add(name)
        yield name, (found[2], number)


class _Reader:
    def __init__(self, lines: list[str], escape: str) -> None:
        self._lines = lines
        self._position = 0
        self.empty_continuations: list[int] = []
        self._escape = escape
        mark = re.escape(escape)
        self._continued = re.compile(rf"^(|.*[^{mark}]){mark}[ \t]*$", re.DOTALL)

    def instructions(self) -> Iterator[Instruction]:
        while self._position < len(self._lines):
            begin = self._position + 1
            text = self._logical_line()
            if not text.strip():
                continue
            found = _KEYWORD.fullmatch(text.strip())
            if found is None:
                raise ParseError(begin, f"unknown instruction: {text.strip()}")
            keyword, rest = found[1].upper(), (found[2] or "").strip()
            heredocs = tuple(self._heredocs(keyword, rest, begin))
            yield Instruction(keyword, rest, begin, self._position, heredocs, found[1])

    def _logical_line(self) -> str:
        """The next line with those that continue it; comments and blank lines between them are skipped."""
        text, continues = "", False
        while self._position < len(self._lines):
            line = self._lines[self._position]
            self._position += 1
            if line.lstrip().startswith("#") or (continues and not line.strip()):
                if continues:
                    if not line.strip():
                        self.empty_continuations.append(self._position)
                    continue
                return ""
            found = self._continued.match(line)
            if found is None:
                return text + line
            text, continues = text + found[1], True
        return text

    def _heredocs(self, keyword: str, rest: str, line: int) -> Iterator[Heredoc]:
        if keyword == "ONBUILD":
            keyword, _, rest = rest.partition(" ")
        if keyword.upper() not in _WITH_HEREDOCS or "<<" not in rest or rest.startswith("["):
            return
        for word in split_words(rest, self._escape, line):
            if (found := _HEREDOC.fullmatch(word)) is None:
                continue
            name = found[2].strip("'\"")
            if name and not re.search(r"\s", name):
                content = self._heredoc_content(name, bool(found[1]), line)
                yield Heredoc(name, content, expand=name == found[2])

    def _heredoc_content(self, name: str, strip_tabs: bool, line: int) -> str:
        found: list[str] = []
        while self._position < len(self._lines):
            text = self._lines[self._position]
            self._position += 1
            if strip_tabs:
                text = text.lstrip("\t")
            if text == name:
                return "".join(f"{each}\n" for each in found)
            found.append(text)
        raise ParseError(line, "unterminated heredoc")
