"""A layer archive to a directory in overlayfs form. All work is by descriptor; the directory is the layer's `/`.

Names are taken relative to the layer's root, and a `..` in one is refused. A link inside the layer is followed within
the layer only; a link's own target is kept as it is, since only the container will follow it.
"""

import errno
import os
import shutil
import stat
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from msgspec import Struct, field

from pybernetes.runtime.snapshots import tar
from pybernetes.runtime.snapshots.compression import CompressionError, decompressed
from pybernetes.runtime.snapshots.tar import Entry, Stream, TarError
from pybernetes.runtime.syscalls import open_in_root

OPAQUE = "trusted.overlay.opaque"
WHITEOUT_DEVICE = os.makedev(0, 0)

_WHITEOUT, _AUFS, _OPAQUE_NAME = b".wh.", b".wh..wh.", b".wh..wh..opq"
_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_PARENTS = 64
_ID_LIMIT = (1 << 32) - 2
_SPACE_CHECK = 64 << 20
# What an archive's own content can make the kernel say; anything else is the disk's or the system's doing.
_MEMBER_ERRORS = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.EPERM,
        errno.EINVAL,
        errno.ENAMETOOLONG,
        errno.EILSEQ,
    }
)

T = TypeVar("T")


class LayerError(ValueError):
    """The layer is refused; the text says which member and why."""


class Limits(Struct, frozen=True):
    """What one layer may ask for at most (`size` in bytes); `spare` bytes of the file system are never used."""

    size: int = 64 << 30
    entries: int = 4_000_000
    spare: int = 64 << 20


class Applied(Struct):
    """What came of a layer: its diff id, what it takes, and the directories that it uses without describing them."""

    diff_id: str = ""
    size: int = 0
    inodes: int = 0
    implied: set[bytes] = field(default_factory=lambda: {b""})


def unpack(blob: int, root: int, limits: Limits = Limits()) -> Applied:
    """Unpack the archive in file `blob` (tar; plain, gzip or zstd) into the empty directory `root`.

    Blocks. Raises LayerError if the archive is malformed, hostile or too large, OSError if the disk fails.
    """
    stream = Stream(decompressed(blob))
    work = _Unpacker(root, limits)
    try:
        for entry in tar.entries(stream):
            work.apply(entry, stream)
        work.finish()
        work.applied.diff_id = stream.digest()
    except (TarError, CompressionError) as error:
        raise LayerError(str(error)) from error
    finally:
        work.close()
    return work.applied


class _Unpacker:
    def __init__(self, root: int, limits: Limits) -> None:
        self.applied = Applied()
        self._root = root
        self._limits = limits
        self._parents: OrderedDict[bytes, int] = OrderedDict()
        self._dir_times: dict[bytes, int] = {}
        self._entries = 0
        self._checked = -_SPACE_CHECK

    def apply(self, entry: Entry, stream: Stream) -> None:
        """Make one member, reading its data from the stream."""
        path = _clean(entry.name)
        self._reserve(entry)
        try:
            self._make(entry, path, stream)
        except OSError as error:
            if error.errno not in _MEMBER_ERRORS:
                raise
            raise LayerError(f"layer member {entry.name!r} cannot be made: {error.strerror}") from error

    def finish(self) -> None:
        """Set the times of directories, now that nothing is made in them any more."""
        for path, mtime in self._dir_times.items():
            with suppress(OSError):  # it was replaced later in the layer
                fd = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    os.utime(fd, ns=(mtime, mtime))
                finally:
                    os.close(fd)

    def close(self) -> None:
        while self._parents:
            os.close(self._parents.popitem()[1])

    def _reserve(self, entry: Entry) -> None:
        """Count the entry against the limits before anything of it is written."""
        self._entries += 1
        self.applied.size += entry.size
        if self._entries > self._limits.entries:
            raise LayerError(f"layer has more than {self._limits.entries} members")
        if self.applied.size > self._limits.size:
            raise LayerError(f"layer is larger than {self._limits.size} bytes")
        if max(entry.uid, entry.gid) > _ID_LIMIT:
            raise LayerError(f"layer member {entry.name!r} has an owner that does not exist")
        if self.applied.size - self._checked >= _SPACE_CHECK:
            disk = os.fstatvfs(self._root)
            if disk.f_bavail * disk.f_frsize < max(entry.size, _SPACE_CHECK) + self._limits.spare:
                raise OSError(errno.ENOSPC, "no space left on device")
            self._checked = self.applied.size

    def _make(self, entry: Entry, path: bytes, stream: Stream) -> None:
        directory, _, base = path.rpartition(b"/")
        if not path:
            self._describe_root(entry)
        elif base.startswith(_WHITEOUT):
            self._whiteout(directory, base)
            stream.skip(entry.size)
        elif entry.kind == tar.REGULAR:
            self._write(entry, directory, base, stream)
        elif entry.kind == tar.DIRECTORY:
            self._make_directory(entry, directory, base)
        elif entry.kind == tar.HARD_LINK:
            self._make_hard_link(entry, directory, base)
        else:
            self._make_node(entry, directory, base)

    # Parents

    def _parent(self, path: bytes) -> int:
        """A descriptor of the directory `path`, made if nothing described it yet; it stays the cache's."""
        fd = self._parents.get(path)
        if fd is not None:
            self._parents.move_to_end(path)
            return fd
        fd = self._parents[path] = self._open_directory(path)
        if len(self._parents) > _OPEN_PARENTS:
            os.close(self._parents.popitem(last=False)[1])
        return fd

    def _open_directory(self, path: bytes) -> int:
        try:
            return open_in_root(self._root, path, _DIRECTORY)
        except FileNotFoundError:
            pass
        above, _, base = path.rpartition(b"/")
        parent = self._open_directory(above)
        try:
            os.mkdir(base, 0o755, dir_fd=parent)
            self.applied.implied.add(path)
            self.applied.inodes += 1
            return os.open(base, _DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except FileExistsError:
            raise LayerError(f"layer has members below {path!r}, which is a link to nowhere") from None
        finally:
            os.close(parent)

    def _create(self, directory: bytes, base: bytes, create: Callable[[int], T]) -> T:
        """What `create` makes in the directory; a member of that name that came earlier gives way."""
        self.applied.inodes += 1
        with suppress(FileExistsError):
            return create(self._parent(directory))
        self._remove(self._parent(directory), base)
        return create(self._parent(directory))

    def _remove(self, parent: int, base: bytes) -> None:
        self.applied.inodes -= 1
        if stat.S_ISDIR(os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode):
            shutil.rmtree(os.fsdecode(base), dir_fd=parent)
        else:
            os.unlink(base, dir_fd=parent)
        # Kept descriptors may be of directories that are gone now, or that a removed link led to.
        self.close()

    # Members

    def _describe_root(self, entry: Entry) -> None:
        if entry.kind != tar.DIRECTORY:
            raise LayerError("layer has a root that is no directory")
        self._describe(entry, self._root, b".")
        self._dir_times[b""] = entry.mtime_ns
        self.applied.implied.discard(b"")

    def _write(self, entry: Entry, directory: bytes, base: bytes, stream: Stream) -> None:
        fd = self._create(directory, base, lambda parent: os.open(base, _NEW_FILE, 0o600, dir_fd=parent))
        try:
            for piece in stream.pieces(entry.size):
                while piece:
                    piece = piece[os.write(fd, piece) :]
            # The owner first: changing it clears set-user-id and capabilities.
            os.fchown(fd, entry.uid, entry.gid)
            os.fchmod(fd, entry.mode)
            _set_xattrs(entry, f"/proc/self/fd/{fd}", follow=True)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)

    def _make_directory(self, entry: Entry, directory: bytes, base: bytes) -> None:
        path = directory + b"/" + base if directory else base
        parent = self._parent(directory)
        if not _is_directory(parent, base):
            self._create(directory, base, lambda parent: os.mkdir(base, 0o700, dir_fd=parent))
        self._describe(entry, self._parent(directory), base)
        self._dir_times[path] = entry.mtime_ns
        self.applied.implied.discard(path)

    def _make_hard_link(self, entry: Entry, directory: bytes, base: bytes) -> None:
        above, _, target = _clean(entry.link).rpartition(b"/")
        if not target or (above, target) == (directory, base):
            raise LayerError(f"layer member {entry.name!r} is a hard link to {entry.link!r}")

        def link(parent: int) -> None:
            source = open_in_root(self._root, above, _DIRECTORY)
            try:
                os.link(target, base, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            finally:
                os.close(source)

        self._create(directory, base, link)
        self.applied.inodes -= 1

    def _make_node(self, entry: Entry, directory: bytes, base: bytes) -> None:
        """A symbolic link, device or pipe."""
        if entry.kind == tar.SYMBOLIC_LINK:
            self._create(directory, base, lambda parent: os.symlink(entry.link, base, dir_fd=parent))
        else:
            mode = _NODE_MODES[entry.kind] | 0o600
            device = os.makedev(*entry.device)
            self._create(directory, base, lambda parent: os.mknod(base, mode, device, dir_fd=parent))
        self._describe(entry, self._parent(directory), base)

    def _whiteout(self, directory: bytes, base: bytes) -> None:
        """What the layer deletes from those below: one name, or with `.wh..wh..opq` all that the directory had."""
        parent = self._parent(directory)
        if base == _OPAQUE_NAME:
            os.setxattr(f"/proc/self/fd/{parent}", OPAQUE, b"y")
        elif not base.startswith(_AUFS):
            hidden = base.removeprefix(_WHITEOUT)
            if hidden in (b"", b".", b".."):
                raise LayerError(f"layer has a malformed whiteout {base!r}")
            # A whiteout speaks of the layers below, never of what this layer itself has under the name.
            with suppress(FileExistsError):
                os.mknod(hidden, stat.S_IFCHR, WHITEOUT_DEVICE, dir_fd=parent)
                self.applied.inodes += 1

    def _describe(self, entry: Entry, parent: int, base: bytes) -> None:
        """Owner, mode, attributes and time of what was just made; `base` is one name in a directory of ours."""
        os.chown(base, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        if entry.kind != tar.SYMBOLIC_LINK:
            os.chmod(base, entry.mode, dir_fd=parent)
        _set_xattrs(entry, b"/proc/self/fd/%d/%s" % (parent, base), follow=False)
        if entry.kind != tar.DIRECTORY:
            os.utime(base, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)


_NODE_MODES = {tar.CHARACTER: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK, tar.FIFO: stat.S_IFIFO}


def _is_directory(parent: int, base: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _clean(name: bytes) -> bytes:
    """The path below the root, without `.` and doubled slashes. Raises LayerError for `..`."""
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise LayerError(f"layer member {name!r} leaves the layer")
    return b"/".join(parts)


def is_kept(name: str) -> bool:
    """Capabilities and user attributes. Others are the host's: `trusted.overlay.*` would steer the overlay itself."""
    return name == "security.capability" or (name.startswith("user.") and not name.startswith("user.overlay."))


def _set_xattrs(entry: Entry, path: str | bytes, *, follow: bool) -> None:
    for key, value in entry.xattrs.items():
        if is_kept(key):
            # A file system without attributes loses them, as with every runtime.
            with suppress(OSError):
                os.setxattr(path, key, value, follow_symlinks=follow)
