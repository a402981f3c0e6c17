"""What the runtime knows: records on disk, from which a restarted runtime begins, and the values in memory over them."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, NotFoundError
from pybernetes.runtime.monitor.client import Control

log = logging.getLogger(__name__)

LOST_EXIT_CODE = 255
STEP = "pybernetes.io/build-step"
"""The label of a sandbox that is a build step's: it is in no table, and recovery takes it away."""

T = TypeVar("T")


class SandboxRecord(msgspec.Struct, frozen=True):
    """A sandbox as it was asked for and made. `created_at` in nanoseconds; `address` is empty on the host's network."""

    id: str
    config: t.PodSandboxConfig
    handler: str
    created_at: int
    boot_id: str
    ready: bool = True
    address: str = ""

    @property
    def options(self) -> t.NamespaceOption:
        context = self.config.linux.security_context if self.config.linux else None
        return (context.namespace_options if context else None) or t.NamespaceOption(pid=t.NamespaceMode.CONTAINER)

    @property
    def users(self) -> t.UserNamespace | None:
        """The ids of its user namespace, None if it has that of the node."""
        asked = self.options.userns_options
        return asked if asked is not None and asked.mode == t.NamespaceMode.POD else None


class ContainerRecord(msgspec.Struct, frozen=True):
    """A container as it was asked for and prepared. `started` is set before anything is started."""

    id: str
    sandbox_id: str
    config: t.ContainerConfig
    image_id: str
    image_ref: str
    handler: str
    created_at: int
    cgroup: str
    user: t.LinuxContainerUser
    stop_signal: int
    log_path: str = ""
    started: bool = False


class Exit(msgspec.Struct, frozen=True):
    """A container's end, as its monitor wrote it."""

    exit_code: int
    reason: str
    finished_at: int
    message: str = ""


class Sandbox(Struct):
    """Who stops or removes it holds `lock`; from then on it is `stopping`, and takes no containers any more."""

    record: SandboxRecord
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopping: bool = False

    def check_running(self) -> None:
        """Raises CRIError."""
        if self.stopping or not self.record.ready:
            raise CRIError(f"sandbox container {self.id!r} is not running")

    @property
    def id(self) -> str:
        return self.record.id


class Container(Struct):
    """A container: created until it has a `pid` or an `exit`, exited once it has an `exit`."""

    record: ContainerRecord
    pid: int = 0
    started_at: int = 0
    exit: Exit | None = None
    control: Control | None = None
    exited: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    held: dict[str, int] = field(default_factory=dict)
    """Descriptors of its process and its output, while it runs: for a monitor that has to take another's place."""

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def state(self) -> t.ContainerState:
        if self.exit is not None:
            return t.ContainerState.CONTAINER_EXITED
        return t.ContainerState.CONTAINER_RUNNING if self.pid else t.ContainerState.CONTAINER_CREATED


class Records:
    """The records below `root`: `sandboxes/<id>/record` and `containers/<id>/record`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("sandboxes", "containers"):
            (root / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    def sandbox_directory(self, id: str) -> Path:
        return self.root / "sandboxes" / id

    def container_directory(self, id: str) -> Path:
        return self.root / "containers" / id

    def save(self, record: SandboxRecord | ContainerRecord) -> None:
        """Write the record in one step, making its directory."""
        folder = self.sandbox_directory if isinstance(record, SandboxRecord) else self.container_directory
        directory = folder(record.id)
        directory.mkdir(exist_ok=True, mode=0o700)
        temporary = directory / "record.new"
        temporary.write_bytes(msgspec.msgpack.encode(record))
        os.replace(temporary, directory / "record")

    def sandboxes(self) -> list[SandboxRecord]:
        return list(self._read("sandboxes", SandboxRecord))

    def containers(self) -> list[ContainerRecord]:
        return list(self._read("containers", ContainerRecord))

    def _read(self, kind: str, record: type[T]) -> Iterator[T]:
        """Only what was made whole has a record that can be read; the rest is removed as leftover."""
        for directory in (self.root / kind).iterdir():
            try:
                yield msgspec.msgpack.decode((directory / "record").read_bytes(), type=record)
            except FileNotFoundError:
                continue
            except msgspec.DecodeError as error:
                log.warning("record cannot be read path=%s error=%s", directory, error)


class Table:
    """All sandboxes and containers, by id or an unambiguous beginning of one, as CRI's clients use them.

    It is the event loop's: no other thread looks through it.
    """

    def __init__(self) -> None:
        self.sandboxes: dict[str, Sandbox] = {}
        self.being_made: dict[str, SandboxRecord] = {}
        self.containers: dict[str, Container] = {}

    def sandbox(self, id: str) -> Sandbox:
        """Raises NotFoundError."""
        return _find(self.sandboxes, id, "sandbox")

    def container(self, id: str) -> Container:
        """Raises NotFoundError."""
        return _find(self.containers, id, "container")

    def records(self) -> list[SandboxRecord]:
        """Of the sandboxes, and of those that are being made."""
        return [*(each.record for each in self.sandboxes.values()), *self.being_made.values()]

    def containers_of(self, sandbox_id: str, having: Callable[[Container], bool] = lambda _: True) -> list[Container]:
        return [each for each in self.containers.values() if each.record.sandbox_id == sandbox_id and having(each)]


def _find(table: dict[str, T], id: str, kind: str) -> T:
    if id in table:
        return table[id]
    matches = [key for key in table if id and key.startswith(id)]
    if len(matches) == 1:
        return table[matches[0]]
    raise NotFoundError(f'an error occurred when try to find {kind} "{id}": not found')
