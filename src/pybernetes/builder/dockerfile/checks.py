"""What is allowed in a Dockerfile and unwise: the checks of docker's frontend, under its names. Pure.

`# check=skip=RULE,RULE;error=true` at the top of the file leaves rules out (`all` for every one), or makes the rest errors.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pybernetes.builder.dockerfile.expand import split_words
from pybernetes.builder.dockerfile.instruction import json_form, pairs, split_flags
from pybernetes.builder.dockerfile.source import Document, Instruction
from pybernetes.builder.dockerfile.stages import Dockerfile, Stage, arguments

RESERVED = ("scratch", "context")
_VARIABLE = re.compile(r"(?<!\\)\$(?:\{(?P<braced>\w+)\}|(?P<plain>[A-Za-z_]\w*))")
_SECRET = re.compile(
    r"(?:^|_)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE
)
_PUBLIC = re.compile(r"(?:^|_)public(?:_|$)", re.IGNORECASE)
_EXPANDED = frozenset({"ADD", "COPY", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"})
"""Instructions whose variables the frontend replaces; those of RUN are the shell's."""
_ONCE = ("CMD", "ENTRYPOINT", "HEALTHCHECK")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found, and on which line."""

    rule: str
    message: str
    line: int

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the file's directive says: rules that are left out, and whether the others are errors."""

    skipped: frozenset[str] = frozenset()
    fails: bool = False

    @classmethod
    def read(cls, directive: str) -> "Policy":
        options = dict(part.strip().partition("=")[::2] for part in directive.split(";"))
        skipped = frozenset(name.strip() for name in options.get("skip", "").split(",") if name.strip())
        return cls(skipped, options.get("error", "").lower() == "true")

    def applies(self, finding: Finding) -> bool:
        return "all" not in self.skipped and finding.rule not in self.skipped


def examine(document: Document, dockerfile: Dockerfile, platform: Sequence[str]) -> list[Finding]:
    """What can be seen without a base image, in the order of the lines. `platform` are the automatic arguments."""
    found = [*_continuations(document), *_casing(document.instructions), *_names(dockerfile)]
    for stage in dockerfile.stages:
        found += _from(stage, {*dockerfile.globals, *_declared(document), *platform}, dockerfile.escape)
        for instruction in stage.instructions:
            for check in _CHECKS.get(instruction.keyword, ()):
                found += check(instruction, dockerfile.escape)
        found += [*_shell_forms(stage), *_repeated(stage), *_relative(stage, dockerfile)]
    return sorted(found, key=lambda each: each.line)


def undefined(instruction: Instruction, known: Sequence[str]) -> Iterator[Finding]:
    """Variables that nothing has set, where an instruction stands."""
    if instruction.keyword not in _EXPANDED:
        return
    text = re.sub(r"'[^']*'", "", instruction.rest)
    own = {name for name, _ in pairs(instruction, instruction.rest, "\\")} if instruction.keyword == "ENV" else set()
    for name in dict.fromkeys(found["braced"] or found["plain"] for found in _VARIABLE.finditer(text)):
        if name not in known and name not in own:
            yield Finding("UndefinedVar", f"Usage of undefined variable '${name}'", instruction.line)


def _continuations(document: Document) -> Iterator[Finding]:
    for line in document.empty_continuations:
        yield Finding("NoEmptyContinuation", "Empty continuation line", line)


def _casing(instructions: Sequence[Instruction]) -> Iterator[Finding]:
    """Keywords go by the majority."""
    lower = sum(each.written.islower() for each in instructions)
    upper = sum(each.written.isupper() for each in instructions)
    majority, is_right = ("lowercase", str.islower) if lower > upper else ("uppercase", str.isupper)
    for each in instructions:
        if not is_right(each.written):
            message = f"Command '{each.written}' should match the case of the command majority ({majority})"
            yield Finding("ConsistentInstructionCasing", message, each.line)


def _names(dockerfile: Dockerfile) -> Iterator[Finding]:
    seen: set[str] = set()
    for stage in dockerfile.stages:
        words, line = _from_words(stage, dockerfile.escape), stage.begin.line
        if len(words) == 3:
            word, name = words[1:]
            if word.isupper() != stage.begin.written.isupper():
                message = f"'{word}' and '{stage.begin.written}' keywords' casing do not match"
                yield Finding("FromAsCasing", message, line)
            if name != name.lower():
                yield Finding("StageNameCasing", f"Stage name '{name}' should be lowercase", line)
            if name.lower() in RESERVED:
                message = f'Stage name should not use the same name as reserved stage "{name}"'
                yield Finding("ReservedStageName", message, line)
            if name.lower() in seen:
                message = f'Duplicate stage name "{name}", stage names should be unique'
                yield Finding("DuplicateStageName", message, line)
            seen.add(name.lower())


def _from(stage: Stage, known: set[str], escape: str) -> Iterator[Finding]:
    base, line = _from_words(stage, escape)[0], stage.begin.line
    flag = split_flags(stage.begin, escape)[0].get("platform", [""])[0]
    for found in _VARIABLE.finditer(f"{base} {flag}"):
        name = found["braced"] or found["plain"]
        if name not in known:
            yield Finding("UndefinedArgInFrom", f"FROM argument '{name}' is not declared", line)
    if flag in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
        message = f"Setting platform to predefined {flag} in FROM is redundant as this is the default behavior"
        yield Finding("RedundantTargetPlatform", message, line)
    elif flag and "$" not in flag and flag.split("/")[1:2] != [] and flag.split("/")[1] not in stage.name:
        message = f'FROM --platform flag should not use constant value "{flag}"'
        yield Finding("FromPlatformFlagConstDisallowed", message, line)


def _from_words(stage: Stage, escape: str) -> list[str]:
    return split_words(split_flags(stage.begin, escape)[1], escape, stage.begin.line)


def _declared(document: Document) -> Iterator[str]:
    """ARGs in front of the first FROM, whether they have a value or not."""
    for instruction in document.instructions:
        if instruction.keyword == "FROM":
            return
        if instruction.keyword == "ARG":
            yield from (name for name, _ in arguments(instruction, document.escape))


def _shell_forms(stage: Stage) -> Iterator[Finding]:
    """Whoever sets the shell means to have it."""
    if any(each.keyword == "SHELL" for each in stage.instructions):
        return
    for each in stage.instructions:
        if each.keyword in ("CMD", "ENTRYPOINT") and json_form(each.rest) is None:
            message = (
                f"JSON arguments recommended for {each.keyword} to prevent unintended behavior related to OS signals"
            )
            yield Finding("JSONArgsRecommended", message, each.line)


def _repeated(stage: Stage) -> Iterator[Finding]:
    """Of several, all but the last mean nothing."""
    for keyword in _ONCE:
        for each in [each for each in stage.instructions if each.keyword == keyword][:-1]:
            message = f"Multiple {keyword} instructions should not be used in the same stage because only the last one will be used"
            yield Finding("MultipleInstructionsDisallowed", message, each.line)


def _relative(stage: Stage, dockerfile: Dockerfile) -> Iterator[Finding]:
    """A first WORKDIR below whatever the base image's is."""
    if _sets_directory(stage.parent, dockerfile):
        return
    first = next((each for each in stage.instructions if each.keyword == "WORKDIR"), None)
    if first is not None and not first.rest.strip("\"'").startswith(("/", "$")):
        message = f'Relative workdir "{first.rest}" can have unexpected results if the base image changes'
        yield Finding("WorkdirRelativePath", message, first.line)


def _sets_directory(index: int | None, dockerfile: Dockerfile) -> bool:
    while index is not None:
        stage = dockerfile.stages[index]
        if any(each.keyword == "WORKDIR" for each in stage.instructions):
            return True
        index = stage.parent
    return False


def _maintainer(instruction: Instruction, escape: str) -> Iterator[Finding]:
    message = "Maintainer instruction is deprecated in favor of using label"
    yield Finding("MaintainerDeprecated", message, instruction.line)


def _legacy(instruction: Instruction, escape: str) -> Iterator[Finding]:
    keyword = instruction.keyword
    if "=" not in split_words(instruction.rest, escape, instruction.line)[0]:
        message = f'"{keyword} key=value" should be used instead of legacy "{keyword} key value" format'
        yield Finding("LegacyKeyValueFormat", message, instruction.line)


def _secrets(instruction: Instruction, escape: str) -> Iterator[Finding]:
    keyword = instruction.keyword
    named = pairs(instruction, instruction.rest, escape) if keyword == "ENV" else arguments(instruction, escape)
    for name, _ in named:
        if _SECRET.search(name) and not _PUBLIC.search(name):
            message = f'Do not use ARG or ENV instructions for sensitive data ({keyword} "{name}")'
            yield Finding("SecretsUsedInArgOrEnv", message, instruction.line)


def _ports(instruction: Instruction, escape: str) -> Iterator[Finding]:
    for word in split_words(instruction.rest, escape, instruction.line):
        protocol = word.partition("/")[2]
        if "$" not in protocol and protocol != protocol.lower():
            message = f"Defined protocol '{word}' in EXPOSE instruction should be lowercase"
            yield Finding("ExposeProtoCasing", message, instruction.line)
        if ":" in re.sub(r"\$\{[^}]*\}", "", word):
            message = f"EXPOSE instruction should not define an IP address or host-port mapping, found '{word}'"
            yield Finding("ExposeInvalidFormat", message, instruction.line)


_CHECKS: dict[str, tuple[Callable[[Instruction, str], Iterator[Finding]], ...]] = {
    "MAINTAINER": (_maintainer,),
    "ENV": (_legacy, _secrets),
    "LABEL": (_legacy,),
    "ARG": (_secrets,),
    "EXPOSE": (_ports,),
}
