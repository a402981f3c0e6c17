"""The builder's door to a runtime, beside CRI's two services: what a Dockerfile's steps need of a node.

A state of files is named by its layers (`Filesystem`); a step turns one into another, whole or not at all. Paths
inside a context or a root are resolved there: no link leads out. Errors are those of cri/errors.py.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from pybernetes.cri.types import AuthConfig


class Layer(msgspec.Struct, frozen=True):
    """A layer in the store: the blob's digest, size in bytes and media type, and the digest of the tar inside."""

    digest: str
    diff_id: str
    size: int
    media_type: str


class Filesystem(msgspec.Struct, frozen=True):
    """Files as a stack of layers, lowest first; `chain` is the chain id of the topmost, and empty for `scratch`."""

    chain: str = ""
    layers: tuple[Layer, ...] = ()


class BaseImage(msgspec.Struct, frozen=True):
    """An image that is here: `config` is its config document, as it stands in the store."""

    id: str
    name: str
    config: bytes
    filesystem: Filesystem


class Source(msgspec.Struct, frozen=True):
    """Where files come from: the directory `context` of the runtime's machine, else the filesystem `chain`.

    `excludes` are patterns of a .dockerignore, `!` included; what they match is not there.
    """

    context: str = ""
    chain: str = ""
    excludes: tuple[str, ...] = ()


class RemoteFile(msgspec.Struct, frozen=True):
    """A file behind an http(s) URL, to be called `name`; `checksum` (`sha256:...`) is empty if any content will do."""

    url: str
    name: str
    checksum: str = ""


class RemoteRepository(msgspec.Struct, frozen=True):
    """A git repository at a branch, tag or commit `ref` (empty for its HEAD); `keeps_git` leaves its `.git` in place."""

    url: str
    ref: str = ""
    keeps_git: bool = False


class InlineFile(msgspec.Struct, frozen=True):
    """A file that stands in the Dockerfile itself (a here-document)."""

    name: str
    data: bytes


class Copy(msgspec.Struct, frozen=True, tag=True):
    """Copy what `patterns` match in the source, and the inline files, to `target` (absolute; a directory if it ends in /).

    `owner` is `user[:group]`, by name or number; empty keeps the owner of files of an image and gives those of a
    context to root. `mode` is octal or symbolic, empty to keep it. With `unpack`, local tar archives are extracted.
    `parents` keeps the directories of a pattern. `excludes` apply below each match.
    """

    source: Source
    patterns: tuple[str, ...]
    target: str
    inline: tuple[InlineFile, ...] = ()
    owner: str = ""
    mode: str = ""
    unpack: bool = False
    parents: bool = False
    excludes: tuple[str, ...] = ()


class MakeDirectory(msgspec.Struct, frozen=True, tag=True):
    """Make the directory and its parents where missing."""

    path: str
    owner: str = ""


class BindMount(msgspec.Struct, frozen=True, tag=True):
    """`path` of the source at `target`. What is written there is not kept."""

    target: str
    source: Source
    path: str = "/"
    writable: bool = False


class CacheMount(msgspec.Struct, frozen=True, tag=True):
    """A directory that outlives the build, by its `id`. `sharing` is shared, private or locked.

    `base` is a filesystem whose files below `path` a new one begins with; caches with other such files are other caches.
    """

    target: str
    id: str
    sharing: str = "shared"
    path: str = "/"
    readonly: bool = False
    uid: int = 0
    gid: int = 0
    mode: int = 0o755
    base: Source = Source()


class TmpfsMount(msgspec.Struct, frozen=True, tag=True):
    """Memory; `size` in bytes, 0 for no limit."""

    target: str
    size: int = 0


class FileMount(msgspec.Struct, frozen=True, tag=True):
    """A file in memory: a secret, or a script out of the Dockerfile."""

    target: str
    data: bytes
    uid: int = 0
    gid: int = 0
    mode: int = 0o400


class SocketMount(msgspec.Struct, frozen=True, tag=True):
    """The socket `path` of the runtime's machine: that of an SSH agent, whose keys a step uses and does not see."""

    target: str
    path: str


Mount = BindMount | CacheMount | TmpfsMount | FileMount | SocketMount


class Run(msgspec.Struct, frozen=True, tag=True):
    """A process: `env` are `key=value`, `user` as an image's, `network` is default (that of pods) or none.

    `hosts` are names with an address each, `NAME:ADDRESS`, for its /etc/hosts.
    """

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    user: str = ""
    network: str = "default"
    mounts: tuple[Mount, ...] = ()
    hosts: tuple[str, ...] = ()


Operation = Copy | MakeDirectory | Run


class Step(msgspec.Struct, frozen=True):
    """What is done to `parent`; the result is remembered under `key`."""

    parent: Filesystem
    operation: Operation
    key: str


class Result(msgspec.Struct, frozen=True, tag=True):
    """What came of a step, and when (RFC 3339). The same filesystem as before if nothing was changed."""

    filesystem: Filesystem
    created: str


class Output(msgspec.Struct, frozen=True, tag=True):
    """Bytes of the process; `stream` is 1 or 2."""

    stream: int
    data: bytes


class Exited(msgspec.Struct, frozen=True, tag=True):
    """The process ended with a code that is not 0; nothing is kept. `reason` is OOMKilled, or empty."""

    code: int
    reason: str = ""


StepEvent = Output | Exited | Result


class NewImage(msgspec.Struct, frozen=True):
    """A finished image: its config document, whose diff ids are those of the filesystem, and the names to give it."""

    config: bytes
    filesystem: Filesystem
    names: tuple[str, ...] = ()


class BuildService(Protocol):
    """Every call is safe to repeat."""

    async def find_image(self, name: str, pull: bool, auth: AuthConfig | None = None) -> BaseImage:
        """The image of that name, id or digest, pulled if it is not here, or in any case with `pull`.

        Raises ImageNotFoundError, PullError, InvalidError.
        """
        ...

    async def read_context_file(self, context: str, path: str) -> bytes | None:
        """A small file of the context; None if there is none. Raises InvalidError for one of over 16 MiB."""
        ...

    async def digest_files(self, source: Source, patterns: list[str]) -> str:
        """One digest over names, modes and contents of all that the patterns match.

        Raises NotFoundError for a pattern without wildcards that matches nothing (`"/x": not found`).
        """
        ...

    async def fetch_files(self, files: list[RemoteFile]) -> Source:
        """The files, fetched anew, as a directory of the runtime's machine that lasts for an hour.

        Raises CRIError for what cannot be had, or has another checksum.
        """
        ...

    async def fetch_repository(self, repository: RemoteRepository) -> Source:
        """A checkout of the repository, with its submodules, as such a directory. Raises CRIError."""
        ...

    async def find_result(self, key: str) -> Result | None:
        """What a step with this key has come to, if it is remembered and its layers are still here."""
        ...

    def run_step(self, step: Step) -> AsyncGenerator[StepEvent, None]:
        """Do it; the last event is a Result or an Exited. A reader that goes away ends it, and nothing stays."""
        ...

    async def store_image(self, image: NewImage) -> str:
        """Put the image into the store under its names; returns its id. Raises InvalidError for a bad name."""
        ...

    async def forget_builds(self) -> int:
        """Forget all results, and delete the cache mounts that no step uses now; returns the bytes that came free.

        What an image or a container stands on stays. Steps that run meanwhile are not disturbed.
        """
        ...
