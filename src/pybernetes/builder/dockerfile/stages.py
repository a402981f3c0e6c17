"""Stages: which there are, which need which, and which a target needs."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.builder.dockerfile.errors import ParseError
from pybernetes.builder.dockerfile.expand import expand, split_words
from pybernetes.builder.dockerfile.instruction import KEYWORDS, split_flags
from pybernetes.builder.dockerfile.source import Document, Instruction, read_one
from pybernetes.wire.numbers import parse_number

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Stage:
    """From a FROM to the next. `base` is an image's name, `scratch`, or with `parent` the index of another stage."""

    index: int
    name: str
    base: str
    parent: int | None
    platform: str
    begin: Instruction
    instructions: tuple[Instruction, ...]

    @property
    def shown_name(self) -> str:
        return self.name or f"stage-{self.index}"


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The stages in order, and the ARGs in front of the first FROM with what they came to."""

    stages: tuple[Stage, ...]
    escape: str
    globals: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str, before: int | None = None) -> Stage | None:
        """A stage by name or index, as FROM and COPY --from mean it: only those in front of stage `before`."""
        stages = self.stages[:before]
        for stage in reversed(stages):
            if stage.name and stage.name == name.lower():
                return stage
        number = parse_number(name, len(stages) - 1)
        return None if number is None else stages[number]

    def target(self, name: str) -> Stage:
        """The stage to build; the last one if no name is given. Raises ParseError."""
        if not name:
            return self.stages[-1]
        if (found := self.find(name)) is None:
            raise ParseError(0, f'target stage "{name}" could not be found')
        return found

    def needs(self, stage: Stage) -> set[int]:
        """The stages that this one takes its files from."""
        found = {stage.parent} if stage.parent is not None else set()
        for instruction in stage.instructions:
            for name in sources_of(instruction, self.escape):
                if (other := self.find(name, stage.index)) is not None:
                    found.add(other.index)
        return found


def sources_of(instruction: Instruction, escape: str) -> list[str]:
    """What COPY --from and RUN --mount=...,from= name."""
    if instruction.keyword == "COPY":
        return split_flags(instruction, escape)[0].get("from", [])
    if instruction.keyword == "RUN":
        mounts = split_flags(instruction, escape)[0].get("mount", [])
        options = [option for mount in mounts for option in mount.split(",")]
        return [option.removeprefix("from=") for option in options if option.startswith("from=")]
    if instruction.keyword == "ONBUILD":
        return sources_of(read_one(instruction.rest, escape, instruction.line), escape)
    return []


def divide(document: Document, build_args: Mapping[str, str | None], platform: Mapping[str, str]) -> Dockerfile:
    """The document's stages. `platform` are the automatic arguments (TARGETARCH, ...). Raises ParseError."""
    escape = document.escape
    global_args: dict[str, str] = {}
    groups: list[tuple[Instruction, list[Instruction]]] = []
    for instruction in document.instructions:
        check(instruction)
        if instruction.keyword == "FROM":
            groups.append((instruction, []))
        elif groups:
            groups[-1][1].append(instruction)
        elif instruction.keyword == "ARG":
            for name, default in arguments(instruction, escape):
                known = {**platform, **global_args}
                value = build_args.get(name)
                if value is None and default is not None:
                    value = expand(default, known, escape, instruction.line)
                if value is not None:
                    global_args[name] = value
        else:
            raise ParseError(instruction.line, f"no build stage in current context: {instruction.keyword}")
    if not groups:
        raise ParseError(0, "file with no instructions" if not document.instructions else "no build stage")
    made = Dockerfile((), escape, global_args)
    for begin, instructions in groups:
        stage = _stage(made, begin, tuple(instructions), {**platform, **global_args})
        made = Dockerfile((*made.stages, stage), escape, global_args)
    return made


def check(instruction: Instruction) -> None:
    """Raises ParseError, with a guess, for what is no instruction."""
    if instruction.keyword not in KEYWORDS:
        near = difflib.get_close_matches(instruction.keyword, KEYWORDS, 1, 0.6)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ParseError(instruction.line, f"unknown instruction: {instruction.keyword}{hint}")
    if not instruction.rest:
        count = "exactly one argument" if instruction.keyword in _ONE else "at least one argument"
        raise ParseError(instruction.line, f"{instruction.keyword} requires {count}")


_ONE = ("WORKDIR", "USER", "STOPSIGNAL", "MAINTAINER")


def arguments(instruction: Instruction, escape: str) -> list[tuple[str, str | None]]:
    """The names that an ARG declares, with their defaults as they stand. Raises ParseError."""
    found: list[tuple[str, str | None]] = []
    for word in split_words(instruction.rest, escape, instruction.line):
        name, equals, default = word.partition("=")
        if not name:
            raise ParseError(instruction.line, "ARG names can not be blank")
        found.append((name, default if equals else None))
    return found


def _stage(made: Dockerfile, begin: Instruction, instructions: tuple[Instruction, ...], known: dict[str, str]) -> Stage:
    flags, rest = split_flags(begin, made.escape)
    words = split_words(rest, made.escape, begin.line)
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise ParseError(begin.line, "FROM requires either one or three arguments")
    name = words[2].lower() if len(words) == 3 else ""
    if name and not _STAGE_NAME.fullmatch(name):
        raise ParseError(
            begin.line,
            f'invalid name for build stage: "{words[2]}", name can\'t start with a number or contain symbols',
        )
    base = expand(words[0], known, made.escape, begin.line)
    if not base:
        raise ParseError(begin.line, f"base name ({words[0]}) should not be blank")
    parent = next((stage.index for stage in reversed(made.stages) if stage.name and stage.name == base.lower()), None)
    platform = expand(flags.get("platform", [""])[0], known, made.escape, begin.line)
    return Stage(len(made.stages), name, base, parent, platform, begin, instructions)
