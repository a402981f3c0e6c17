"""The instructions that change an image's config and none of its files. Pure."""

import re
import signal
from typing import Any

from pybernetes.builder.dockerfile.errors import ParseError
from pybernetes.builder.dockerfile.instruction import json_form, pairs, split_flags
from pybernetes.builder.dockerfile.source import Instruction, read_one
from pybernetes.builder.scope import Scope
from pybernetes.wire.numbers import parse_number

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_NANOS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def apply(instruction: Instruction, scope: Scope) -> str:
    """Change the image; what its history says of it. Raises ParseError."""
    said = _APPLY[instruction.keyword](instruction, scope)
    scope.image.note(said)
    return said


def _env(instruction: Instruction, scope: Scope) -> str:
    """All values see the environment as it was before the instruction."""
    found = [
        (scope.expand(key, instruction.line), scope.expand(value, instruction.line))
        for key, value in pairs(instruction, instruction.rest, scope.escape)
    ]
    for key, value in found:
        scope.image.set_env(key, value)
    return "ENV " + " ".join(f"{key}={value}" for key, value in found)


def _label(instruction: Instruction, scope: Scope) -> str:
    found = {
        scope.expand(key, instruction.line): scope.expand(value, instruction.line)
        for key, value in pairs(instruction, instruction.rest, scope.escape)
    }
    scope.image.add_labels(found)
    return "LABEL " + " ".join(f"{key}={value}" for key, value in found.items())


def _arg(instruction: Instruction, scope: Scope) -> str:
    return "ARG " + " ".join(scope.declare(instruction))


def _command(instruction: Instruction, scope: Scope) -> list[str]:
    """The words of the JSON form, or the shell that is given the rest as it stands."""
    words = json_form(instruction.rest)
    return [*scope.image.shell, instruction.rest] if words is None else words


def _cmd(instruction: Instruction, scope: Scope) -> str:
    words = _command(instruction, scope)
    scope.image.set_cmd(words)
    return f"CMD {_shown(words)}"


def _entrypoint(instruction: Instruction, scope: Scope) -> str:
    words = _command(instruction, scope)
    scope.image.set_entrypoint(words)
    return f"ENTRYPOINT {_shown(words)}"


def _shown(words: list[str]) -> str:
    return "[" + " ".join(f'"{word}"' for word in words) + "]"


def _shell(instruction: Instruction, scope: Scope) -> str:
    words = json_form(instruction.rest)
    if not words:
        raise ParseError(instruction.line, f"SHELL requires the arguments to be in JSON form: {instruction.rest}")
    scope.image.config["Shell"] = words
    return f"SHELL {_shown(words)}"


def _user(instruction: Instruction, scope: Scope) -> str:
    scope.image.config["User"] = scope.expand(instruction.rest, instruction.line)
    return f"USER {scope.image.user}"


def _expose(instruction: Instruction, scope: Scope) -> str:
    words = scope.expand_words(instruction.rest, instruction.line)
    scope.image.add_keys("ExposedPorts", [port for word in words for port in _ports(word, instruction.line)])
    return f"EXPOSE {' '.join(words)}"


def _ports(word: str, line: int) -> list[str]:
    """Of `[ADDRESS:][HOST:]CONTAINER[-LAST][/PROTOCOL]` what concerns the image."""
    found = _PORT.fullmatch(word.lower().rpartition(":")[2])
    first = int(found[1]) if found else 0
    last = int(found[2] or first) if found else 0
    if found is None or not 0 < first <= last < 1 << 16:
        raise ParseError(line, f"invalid containerPort: {word}")
    return [f"{port}/{found[3] or 'tcp'}" for port in range(first, last + 1)]


def _volume(instruction: Instruction, scope: Scope) -> str:
    words = json_form(instruction.rest)
    if words is None:
        words = scope.expand_words(instruction.rest, instruction.line)
    else:
        words = [scope.expand(word, instruction.line) for word in words]
    if not all(words):
        raise ParseError(instruction.line, "VOLUME specified can not be an empty string")
    scope.image.add_keys("Volumes", words)
    return f"VOLUME {_shown(words)}"


def _stopsignal(instruction: Instruction, scope: Scope) -> str:
    name = scope.image.config["StopSignal"] = scope.expand(instruction.rest, instruction.line)
    if not _is_signal(name):
        raise ParseError(instruction.line, f"Invalid signal: {name}")
    return f"STOPSIGNAL {name}"


def _is_signal(text: str) -> bool:
    """A number, or a name with or without SIG; also one of the real-time signals (RTMIN+3)."""
    if (number := parse_number(text)) is not None:
        return 0 < number <= signal.SIGRTMAX
    name, _, more = re.sub("^SIG", "", text.upper()).partition("+" if "+" in text else "-")
    return f"SIG{name}" in signal.Signals.__members__ and (not more or (name.startswith("RT") and more.isdecimal()))


def _maintainer(instruction: Instruction, scope: Scope) -> str:
    scope.image.document["author"] = instruction.rest
    return f"MAINTAINER {instruction.rest}"


def _onbuild(instruction: Instruction, scope: Scope) -> str:
    trigger = read_one(instruction.rest, scope.escape, instruction.line)
    if trigger.keyword == "ONBUILD":
        raise ParseError(instruction.line, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger.keyword in ("FROM", "MAINTAINER"):
        raise ParseError(instruction.line, f"{trigger.keyword} isn't allowed as an ONBUILD trigger")
    text = instruction.rest + "".join(f"\n{each.content}{each.name}" for each in instruction.heredocs)
    scope.image.config["OnBuild"] = [*(scope.image.config.get("OnBuild") or []), text]
    return f"ONBUILD {instruction.rest}"


def _healthcheck(instruction: Instruction, scope: Scope) -> str:
    flags, rest = split_flags(instruction, scope.escape)
    kind, _, command = rest.partition(" ")
    if kind.upper() == "NONE":
        if command.strip() or flags:
            raise ParseError(instruction.line, "HEALTHCHECK NONE takes no arguments")
        scope.image.config["Healthcheck"] = {"Test": ["NONE"]}
        return "HEALTHCHECK NONE"
    if kind.upper() != "CMD":
        raise ParseError(instruction.line, f'unknown type "{kind}" in HEALTHCHECK (try CMD)')
    if not command.strip():
        raise ParseError(instruction.line, "missing command after HEALTHCHECK CMD")
    words = json_form(command.strip())
    check: dict[str, Any] = {"Test": ["CMD-SHELL", command.strip()] if words is None else ["CMD", *words]}
    for flag, field in _HEALTH_TIMES.items():
        if flag in flags:
            check[field] = _duration(flag, flags[flag][0], instruction.line)
    if "retries" in flags:
        if (retries := parse_number(flags["retries"][0])) is None:
            raise ParseError(instruction.line, f"--retries must be a number, not {flags['retries'][0]}")
        check["Retries"] = retries
    scope.image.config["Healthcheck"] = check
    return f"HEALTHCHECK {instruction.rest}"


_HEALTH_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}


def _duration(flag: str, text: str, line: int) -> int:
    """Go's durations, in nanoseconds."""
    found = _DURATION.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise ParseError(line, f'invalid duration "{text}" for --{flag}')
    return int(sum(float(number) * _NANOS[unit] for number, unit in found))


_APPLY = {
    "ARG": _arg,
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
}
