"""`RUN --mount=...`: its options, as the mounts that a runtime knows. Pure, but for where `from` leads."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pybernetes.builder.dockerfile.errors import ParseError, RefusedError
from pybernetes.builder.paths import absolute
from pybernetes.cri.building import BindMount, CacheMount, FileMount, Mount, SocketMount, Source, TmpfsMount

_SIZE = re.compile(r"(\d+)([kmgt]?)b?", re.IGNORECASE)
_ALIASES = {"dst": "target", "destination": "target", "src": "source", "rw": "readwrite", "ro": "readonly"}
_OPTIONS = {
    "bind": {"target", "source", "from", "readwrite", "readonly"},
    "cache": {"target", "id", "sharing", "from", "source", "mode", "uid", "gid", "readonly", "readwrite"},
    "tmpfs": {"target", "size"},
    "secret": {"target", "id", "required", "mode", "uid", "gid", "env"},
    "ssh": {"target", "id", "required", "mode", "uid", "gid"},
}


class Options:
    """The options of one mount."""

    def __init__(self, text: str, line: int) -> None:
        self.line = line
        found: dict[str, str] = {}
        for field in text.split(","):
            key, equals, value = field.strip().partition("=")
            found[_ALIASES.get(key.lower(), key.lower())] = value if equals else "true"
        self.kind = found.pop("type", "bind")
        if self.kind not in _OPTIONS:
            raise ParseError(line, f'unsupported mount type "{self.kind}"')
        if unknown := sorted(found.keys() - _OPTIONS[self.kind]):
            raise ParseError(line, f"unexpected key '{unknown[0]}' for mount type '{self.kind}'")
        self._found = found

    def text(self, name: str, default: str = "") -> str:
        return self._found.get(name, default)

    def flag(self, name: str) -> bool:
        value = self._found.get(name, "false").lower()
        if value not in ("true", "false", "1", "0"):
            raise ParseError(self.line, f"invalid value for {name}: {value}")
        return value in ("true", "1")

    def number(self, name: str, default: int, base: int = 10) -> int:
        try:
            return int(self._found[name], base) if name in self._found else default
        except ValueError:
            raise ParseError(self.line, f"invalid value {self._found[name]} for {name}") from None

    def size(self) -> int:
        found = _SIZE.fullmatch(self._found.get("size", "0"))
        if found is None:
            raise ParseError(self.line, f"invalid value for size: {self._found['size']}")
        return int(found[1]) << 10 * "_kmgt".index(found[2].lower() or "_")


@dataclass(frozen=True, slots=True)
class Given:
    """What the caller of the build gives to its steps: secrets, and the sockets of SSH agents, by their ids.

    Their network, unless they ask for another, and names of hosts (see `Run`).
    """

    secrets: Mapping[str, bytes]
    ssh: Mapping[str, str]
    network: str = "default"
    hosts: tuple[str, ...] = ()


def make_mount(
    options: Options, cwd: str, given: Given, find_source: Callable[[str], Source]
) -> tuple[Mount | None, dict[str, bytes]]:
    """The mount, and what it adds to the environment. No mount for what is not given and not required.

    Raises ParseError. `find_source` gives the source that `from` names; empty is the context.
    """
    if options.kind == "secret":
        return _secret(options, cwd, given.secrets)
    if options.kind == "ssh":
        return _ssh(options, cwd, given.ssh)
    if not options.text("target"):
        raise ParseError(options.line, f"invalid mount: {options.kind} needs a target")
    target = absolute(cwd, options.text("target"))
    if target == "/":
        raise ParseError(options.line, 'invalid mount target "/"')
    if options.kind == "tmpfs":
        return TmpfsMount(target, options.size()), {}
    if options.kind == "bind":
        source = find_source(options.text("from"))
        return BindMount(target, source, absolute("/", options.text("source", "/")), options.flag("readwrite")), {}
    sharing = options.text("sharing", "shared")
    if sharing not in ("shared", "private", "locked"):
        raise ParseError(options.line, f'unsupported sharing value "{sharing}"')
    cache = CacheMount(
        target,
        options.text("id") or target,
        sharing,
        absolute("/", options.text("source", "/")),
        options.flag("readonly"),
        options.number("uid", 0),
        options.number("gid", 0),
        options.number("mode", 0o755, 8),
        find_source(options.text("from")) if options.text("from") else Source(),
    )
    return cache, {}


def _secret(options: Options, cwd: str, secrets: Mapping[str, bytes]) -> tuple[Mount | None, dict[str, bytes]]:
    name = options.text("id") or options.text("target").rpartition("/")[2]
    if not name:
        raise ParseError(options.line, "one of source, target required")
    if name not in secrets:
        if options.flag("required"):
            raise RefusedError(options.line, f"secret {name}: not found")
        return None, {}
    variable = options.text("env")
    given = {variable: secrets[name]} if variable else {}
    if variable and not options.text("target"):
        return None, given
    target = absolute(cwd, options.text("target") or f"/run/secrets/{name}")
    numbers = options.number("uid", 0), options.number("gid", 0), options.number("mode", 0o400, 8)
    return FileMount(target, secrets[name], *numbers), given


def _ssh(options: Options, cwd: str, sockets: Mapping[str, str]) -> tuple[Mount | None, dict[str, bytes]]:
    """The agent's socket as it is: its mode and owner are the agent's."""
    name = options.text("id", "default")
    if name not in sockets:
        if options.flag("required"):
            raise RefusedError(options.line, f"unset ssh forward key {name}")
        return None, {}
    target = absolute(cwd, options.text("target") or f"/run/buildkit/ssh_agent.{name}")
    return SocketMount(target, sockets[name]), {"SSH_AUTH_SOCK": target.encode()}
