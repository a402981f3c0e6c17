"""Instructions in detail: flags, the JSON form, pairs."""

import json
import re
from collections.abc import Mapping

from pybernetes.builder.dockerfile.errors import ParseError
from pybernetes.builder.dockerfile.expand import split_words
from pybernetes.builder.dockerfile.source import Instruction

FLAGS: dict[str, frozenset[str]] = {
    "FROM": frozenset({"platform"}),
    "RUN": frozenset({"mount", "network", "security"}),
    "COPY": frozenset({"from", "chown", "chmod", "link", "parents", "exclude"}),
    "ADD": frozenset({"chown", "chmod", "link", "keep-git-dir", "checksum", "exclude", "unpack"}),
    "HEALTHCHECK": frozenset({"interval", "timeout", "start-period", "start-interval", "retries"}),
}
KEYWORDS = frozenset(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ]
)
_FLAG = re.compile(r"--([a-zA-Z][a-zA-Z0-9-]*)(?:=(.*))?", re.DOTALL)


def split_flags(instruction: Instruction, escape: str) -> tuple[dict[str, list[str]], str]:
    """The flags in front, by name with their values as they stand, and the rest. Raises ParseError."""
    flags: dict[str, list[str]] = {}
    rest = instruction.rest
    known = FLAGS.get(instruction.keyword, frozenset())
    while rest.startswith("--"):
        word = split_words(rest, escape, instruction.line)[0]
        if word == "--":
            return flags, rest[2:].lstrip()
        found = _FLAG.fullmatch(word)
        if found is None or found[1] not in known:
            raise ParseError(instruction.line, f"unknown flag: {word.partition('=')[0]}")
        if found[1] in flags and found[1] not in ("mount", "exclude"):
            raise ParseError(instruction.line, f"duplicate flag specified: {found[1]}")
        flags.setdefault(found[1], []).append("true" if found[2] is None else found[2])
        rest = rest[len(word) :].lstrip()
    return flags, rest


def is_on(flags: Mapping[str, list[str]], name: str, line: int) -> bool:
    """A flag that is true or false."""
    value = flags.get(name, ["false"])[0].lower()
    if value not in ("true", "false"):
        raise ParseError(line, f"expecting boolean value for flag {name}, not: {value}")
    return value == "true"


def json_form(rest: str) -> list[str] | None:
    """The strings of a JSON array; None for anything else, which is the shell form then."""
    if not rest.startswith("["):
        return None
    try:
        found = json.loads(rest)
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(each, str) for each in found) else None


def pairs(instruction: Instruction, rest: str, escape: str) -> list[tuple[str, str]]:
    """`key=value ...`, or the old `key value` of ENV and LABEL; values as they stand. Raises ParseError."""
    words = split_words(rest, escape, instruction.line)
    if not words:
        raise ParseError(instruction.line, f"{instruction.keyword} requires at least one argument")
    if "=" not in words[0]:
        if len(words) < 2:
            raise ParseError(instruction.line, f"{instruction.keyword} must have two arguments")
        return [(words[0], rest[len(words[0]) :].lstrip())]
    found: list[tuple[str, str]] = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            message = f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value'
            raise ParseError(instruction.line, message)
        if not key:
            raise ParseError(instruction.line, f"{instruction.keyword} names can not be blank")
        found.append((key, value))
    return found
