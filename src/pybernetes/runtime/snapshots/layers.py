"""Unpacked layers by chain id, each kept once whatever the number of images that share it.

A layer directory appears by one rename, complete; what a kill leaves behind is in `staging` and is swept at start.
Unpacking does not wait for the disk: a layer that was not yet synced when the machine (not the process) went down is
dropped at the next start, and its image unpacks it again from the blob.
"""

import ctypes
import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from pybernetes.runtime.snapshots import files
from pybernetes.runtime.snapshots.overlay import unmount_below
from pybernetes.runtime.snapshots.unpack import WHITEOUT_DEVICE, Applied, LayerError, Limits, unpack
from pybernetes.runtime.syscalls import open_in_root

if TYPE_CHECKING:
    from pybernetes.runtime.snapshots.pack import Packed

_libc = ctypes.CDLL(None, use_errno=True)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class _Info(msgspec.Struct, frozen=True):
    """What `layer.json` says: `boot` is the boot that unpacked it, empty once the content is on the disk."""

    diff_id: str
    parent: str
    size: int
    inodes: int
    boot: str


class Staged(Struct, frozen=True):
    """A layer that is unpacked but has no place yet."""

    path: Path
    applied: Applied


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The name of each layer with all below it (OCI image spec, config.md: ChainID)."""
    chains: list[str] = []
    for diff_id in diff_ids:
        chains.append(f"sha256:{_sha256(f'{chains[-1]} {diff_id}')}" if chains else diff_id)
    return chains


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Layers:
    """The layer directories below `root`. Every method may block; all are safe from several threads."""

    def __init__(self, root: Path) -> None:
        self._layers = root / "layers"
        self.staging = root / "staging"
        self._empty = root / "empty"
        self._limits = Limits()

    def start(self) -> None:
        """Make the directories, sweep what a kill left, drop what the machine lost."""
        for directory in (self._layers, self.staging, self._empty):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._empty.chmod(0o755)
        unmount_below(self.staging)
        for leftover in self.staging.iterdir():
            files.sweep_tree(leftover)
        boot = _boot_id()
        for path in list(self._layers.iterdir()):
            info = self._info(path)
            if info is None or info.boot not in ("", boot):
                files.discard(path, self.staging)

    def has(self, chain: str) -> bool:
        """Whether the layer and all below it are there."""
        while chain:
            info = self._info(self._path(chain))
            if info is None:
                return False
            chain = info.parent
        return True

    def stack(self, chain: str) -> list[Path]:
        """The directories of the layer and those below, topmost first; an empty one if there is no layer at all."""
        found: list[Path] = []
        for path in self._chain(chain):
            found.append(path / "fs")
        return found or [self._empty]

    def usage(self, chain: str) -> tuple[int, int]:
        """Bytes and inodes of the layer and those below."""
        infos = [info for path in self._chain(chain) if (info := self._info(path))]
        return sum(info.size for info in infos), sum(info.inodes for info in infos)

    def total(self) -> tuple[int, int]:
        """Bytes and inodes of all layers."""
        infos = [info for path in self._layers.iterdir() if (info := self._info(path))]
        return sum(info.size for info in infos), sum(info.inodes for info in infos)

    def stage(self, blob: int, diff_id: str) -> Staged:
        """Unpack the archive in file `blob`, whatever is below it. Raises LayerError if it is not `diff_id`."""
        path = self.staging / secrets.token_hex(8)
        (path / "fs").mkdir(parents=True)
        try:
            root = os.open(path / "fs", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                applied = unpack(blob, root, self._limits)
            finally:
                os.close(root)
            if applied.diff_id != diff_id:
                raise LayerError(f"wrong diff id calculated on extraction {applied.diff_id!r}, expected {diff_id!r}")
        except BaseException:
            files.sweep_tree(path)
            raise
        return Staged(path, applied)

    def commit(self, staged: Staged, parent: str) -> str:
        """Give a staged layer its place above `parent` (a chain id, or "" for the lowest); returns its chain id."""
        diff_id = staged.applied.diff_id
        chain = chain_ids([parent, diff_id])[-1] if parent else diff_id
        self._adopt(staged, parent)
        info = _Info(diff_id, parent, staged.applied.size, staged.applied.inodes, _boot_id())
        files.replace(staged.path / "layer.json", msgspec.json.encode(info), durable=False)
        try:
            staged.path.rename(self._path(chain))
        except OSError:
            if not self.has(chain):
                raise
            files.sweep_tree(staged.path)  # another image brought the same layer
        return chain

    def adopt(self, upper: Path, packed: "Packed", parent: str) -> str:
        """Make a layer of a writable one that nothing is mounted on any more; returns its chain id."""
        path = self.staging / secrets.token_hex(8)
        path.mkdir()
        upper.rename(path / "fs")
        return self.commit(Staged(path, Applied(packed.diff_id, packed.size, packed.inodes)), parent)

    def discard(self, staged: Staged) -> None:
        files.discard(staged.path, self.staging)

    def sync(self) -> None:
        """Bring all unpacked layers to the disk and note so on them."""
        pending = [(path, info) for path in self._layers.iterdir() if (info := self._info(path)) and info.boot]
        if not pending:
            return
        fd = os.open(self._layers, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _libc.syncfs(fd) != 0:
                raise OSError(ctypes.get_errno(), "syncfs")
        finally:
            os.close(fd)
        for path, info in pending:
            with suppress(FileNotFoundError):  # it was removed meanwhile
                synced = msgspec.structs.replace(info, boot="")
                files.replace(path / "layer.json", msgspec.json.encode(synced), durable=False)

    def detach(self, keep: Iterable[str]) -> list[Path]:
        """Take every layer that is neither in `keep` nor below one that is out of the store.

        Returns what the caller then removes at leisure with `files.sweep_tree`; the next start does otherwise.
        """
        kept = {path for chain in keep for path in self._chain(chain)}
        doomed: list[Path] = []
        for path in list(self._layers.iterdir()):
            if path not in kept:
                doomed.append(path.rename(self.staging / f"{path.name}.{secrets.token_hex(4)}"))
        return doomed

    def _path(self, chain: str) -> Path:
        return self._layers / chain.removeprefix("sha256:")

    def _chain(self, chain: str) -> list[Path]:
        paths: list[Path] = []
        while chain:
            paths.append(self._path(chain))
            info = self._info(paths[-1])
            chain = info.parent if info else ""
        return paths

    def _info(self, path: Path) -> _Info | None:
        try:
            return msgspec.json.decode((path / "layer.json").read_bytes(), type=_Info)
        except (OSError, msgspec.DecodeError):
            return None

    def _adopt(self, staged: Staged, parent: str) -> None:
        """Give directories that the layer uses without describing them the owner and mode they have below."""
        roots = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in self.stack(parent)]
        top = os.open(staged.path / "fs", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for path in sorted(staged.applied.implied):
                _adopt_directory(top, roots, path)
        finally:
            for fd in (*roots, top):
                os.close(fd)


def _adopt_directory(top: int, roots: list[int], path: bytes) -> None:
    for root in roots:
        try:
            below = open_in_root(root, path, os.O_PATH | os.O_NOFOLLOW, symlinks=False)
        except OSError:
            continue  # not in this layer, or not a directory there
        try:
            found = os.fstat(below)
        finally:
            os.close(below)
        if found.st_rdev == WHITEOUT_DEVICE and not _is_plain_directory(found.st_mode):
            return
        if _is_plain_directory(found.st_mode):
            with suppress(OSError):  # replaced by something else later in the layer
                fd = open_in_root(top, path, os.O_RDONLY | os.O_DIRECTORY, symlinks=False)
                try:
                    os.fchown(fd, found.st_uid, found.st_gid)
                    os.fchmod(fd, found.st_mode & 0o7777)
                    os.utime(fd, ns=(found.st_mtime_ns, found.st_mtime_ns))
                finally:
                    os.close(fd)
            return


def _is_plain_directory(mode: int) -> bool:
    return (mode & 0o170000) == 0o040000


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()
