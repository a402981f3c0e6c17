"""The instructions that change files, as operations of a runtime. Pure, but for where `--from` leads."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pybernetes.builder.dockerfile.errors import ParseError, RefusedError
from pybernetes.builder.dockerfile.instruction import is_on, json_form, split_flags
from pybernetes.builder.dockerfile.source import Heredoc, Instruction
from pybernetes.builder.dockerfile.stages import sources_of
from pybernetes.builder.mounts import Given, Options, make_mount
from pybernetes.builder.paths import absolute, target_of
from pybernetes.builder.remote import remote_files, remote_repository
from pybernetes.builder.scope import Scope
from pybernetes.cri.building import (
    Copy,
    FileMount,
    InlineFile,
    MakeDirectory,
    Mount,
    Operation,
    RemoteFile,
    RemoteRepository,
    Run,
    Source,
)

REMOTE_MODE = "0600"
"""Of files that ADD fetches, as docker gives it."""
STEPS = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})

FindSource = Callable[[str], Awaitable[Source]]
"""The files that a name in `--from` stands for; those of the context if it is empty."""
FetchFiles = Callable[[Sequence[RemoteFile] | RemoteRepository], Awaitable[Source]]
"""Files of the network, or a repository's, as a source of their own."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An operation, how it is shown, how history and errors tell it, and what of it is private (see keys.py)."""

    operation: Operation
    shown: str
    told: str
    private: tuple[str, ...] = ()


async def plan(
    instruction: Instruction, scope: Scope, given: Given, find_source: FindSource, fetch: FetchFiles
) -> Planned:
    """Raises ParseError, and what `find_source` and `fetch` raise."""
    if instruction.keyword == "WORKDIR":
        return _workdir(instruction, scope)
    sources = {name: await find_source(name) for name in ("", *sources_of(instruction, scope.escape))}
    if instruction.keyword == "RUN":
        return _run(instruction, scope, given, sources)
    return await _copy(instruction, scope, sources, fetch)


def _workdir(instruction: Instruction, scope: Scope) -> Planned:
    path = absolute(scope.image.cwd, scope.expand(instruction.rest, instruction.line))
    scope.image.config["WorkingDir"] = path
    return Planned(MakeDirectory(path, scope.image.user), f"WORKDIR {instruction.rest}", f"WORKDIR {path}")


def _run(instruction: Instruction, scope: Scope, given: Given, sources: dict[str, Source]) -> Planned:
    flags, rest = split_flags(instruction, scope.escape)
    line, image = instruction.line, scope.image
    if flags.get("security", ["sandbox"])[0] != "sandbox":
        raise RefusedError(line, "granting entitlement security.insecure is not allowed by build daemon configuration")
    network = flags.get("network", [given.network])[0]
    if network not in ("default", "none"):
        kind = "granting entitlement network.host is not allowed by build daemon configuration"
        raise RefusedError(line, kind if network == "host" else f"unsupported network mode {network!r}")
    args, files = _command(instruction.heredocs, rest, scope)
    proxies = scope.proxies()
    env = {name: value.encode(errors="surrogateescape") for name, value in (scope.process_env() | proxies).items()}
    mounts: list[Mount] = [*files]
    private = [*proxies]
    for text in flags.get("mount", []):
        options = Options(scope.expand(text, line), line)
        mount, added = make_mount(options, image.cwd, given, lambda name: sources[name])
        if mount is not None:
            mounts.append(mount)
        if options.kind == "secret":
            private += [*added, *([mount.target] if mount else [])]
        env |= added
    run = Run(
        args=tuple(args),
        env=tuple(f"{name}={value.decode(errors='surrogateescape')}" for name, value in env.items()),
        cwd=image.cwd,
        user=image.user,
        network=network,
        mounts=tuple(mounts),
        hosts=given.hosts,
    )
    return Planned(run, f"RUN {_shown(instruction)}", " ".join(args), tuple(private))


def _command(heredocs: tuple[Heredoc, ...], rest: str, scope: Scope) -> tuple[list[str], list[FileMount]]:
    """The words to run, and the script if a here-document is one of its own."""
    shell = scope.image.shell
    if not heredocs:
        words = json_form(rest)
        return ([*shell, rest] if words is None else words), []
    first = heredocs[0]
    is_alone = len(heredocs) == 1 and len(rest.split()) == 1
    if is_alone and first.content.startswith("#!"):
        path = f"/dev/pipes/{first.name}"
        return [path], [FileMount(path, first.content.encode(), mode=0o755)]
    if is_alone:
        return [*shell, first.content], []
    return [*shell, rest + "".join(f"\n{each.content}{each.name}" for each in heredocs) + "\n"], []


async def _copy(instruction: Instruction, scope: Scope, sources: dict[str, Source], fetch: FetchFiles) -> Planned:
    flags, rest = split_flags(instruction, scope.escape)
    line, keyword = instruction.line, instruction.keyword
    given = json_form(rest)
    words = scope.expand_words(rest, line) if given is None else [scope.expand(word, line) for word in given]
    if len(words) < 2:
        raise ParseError(
            line,
            f"{keyword} requires at least two arguments, but only one was provided. Destination could not be determined",
        )
    *patterns, target = words
    names = {f"<<{each.name}": each for each in instruction.heredocs} | {
        f"<<-{each.name}": each for each in instruction.heredocs
    }
    inline = tuple(_inline(names[word], scope, line) for word in patterns if word in names)
    patterns = [word for word in patterns if word not in names]
    if len(patterns) + len(inline) > 1 and not target_of("/", target).endswith("/"):
        raise ParseError(
            line,
            f"When using {keyword} with more than one source file, the destination must be a directory and end with a /",
        )
    is_on(flags, "link", line)
    checksum = scope.expand(flags.get("checksum", [""])[0], line)
    repository = remote_repository(patterns, is_on(flags, "keep-git-dir", line), line) if keyword == "ADD" else None
    remote = remote_files(patterns, target, checksum, line) if keyword == "ADD" and repository is None else ()
    if repository is not None:
        source, patterns = await fetch(repository[0]), [_literal(repository[1])]
    elif remote:
        source, patterns = await fetch(remote), [_literal(file.name) for file in remote]
    else:
        source = sources[flags.get("from", [""])[0]]
    operation = Copy(
        source=source,
        patterns=tuple(patterns),
        target=target_of(scope.image.cwd, target),
        inline=inline,
        owner=scope.expand(flags.get("chown", [""])[0], line),
        mode=scope.expand(flags.get("chmod", [REMOTE_MODE if remote else ""])[0], line),
        # What comes from elsewhere stays as it is, unless asked for.
        unpack=keyword == "ADD"
        and flags.get("unpack", ["true" if repository is None and not remote else "false"])[0] == "true",
        parents=is_on(flags, "parents", line),
        excludes=tuple(scope.expand(each, line) for each in flags.get("exclude", ())),
    )
    return Planned(operation, f"{keyword} {_shown(instruction)}", f"{keyword} {instruction.rest}")


def _literal(name: str) -> str:
    """A pattern that matches this name only."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", name)


def _inline(heredoc: Heredoc, scope: Scope, line: int) -> InlineFile:
    content = scope.expand_raw(heredoc.content, line) if heredoc.expand else heredoc.content
    return InlineFile(heredoc.name, content.encode(errors="surrogateescape"))


def _shown(instruction: Instruction) -> str:
    """The instruction in one line, with the beginning of its here-document."""
    text = " ".join(instruction.rest.split())
    if not instruction.heredocs:
        return text
    first = " ".join(instruction.heredocs[0].content.split())
    return f"{text} ({first[:30]}{'...' if len(first) > 30 else ''})"
