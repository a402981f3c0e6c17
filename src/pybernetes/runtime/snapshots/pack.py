"""A writable layer to a tar archive: the opposite of unpack.py, with the same meaning of every member.

The same files give the same bytes: members in the order of their names, no owner's names, no time of making.
"""

import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from hashlib import sha256

from msgspec import Struct

from pybernetes.runtime.snapshots.unpack import OPAQUE, WHITEOUT_DEVICE, is_kept

_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


class Packed(Struct, frozen=True):
    """The tar's digest, and what the files take: bytes and inodes. No member at all is `members` 0."""

    diff_id: str
    size: int
    inodes: int
    members: int


def pack(root: int, target: int) -> Packed:
    """Write what is below the directory `root`, in overlayfs form, to the file `target`, compressed with gzip.

    Whiteouts and opaque directories become those of the OCI layer format. Sockets are left out. Blocks; raises OSError.
    """
    work = _Packer(_Gzip(target))
    work.directory(root, "")
    return work.finish()


class _Gzip:
    """Buffers, hashes and compresses; without a time in its header."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()
        self._hash = sha256()
        self._compressor = zlib.compressobj(1, wbits=31)

    def write(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        data, self._buffer = bytes(self._buffer), bytearray()
        self._hash.update(data)
        _write_all(self._fd, self._compressor.compress(data))

    def finish(self) -> str:
        self._flush()
        _write_all(self._fd, self._compressor.flush())
        return f"sha256:{self._hash.hexdigest()}"


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class _Packer:
    def __init__(self, out: _Gzip) -> None:
        self._out = out
        self._links: dict[tuple[int, int], str] = {}
        self._size = self._inodes = self._members = 0

    def directory(self, fd: int, prefix: str) -> None:
        """The members of the directory open as `fd`, whose own entry is written already."""
        for name in sorted(os.listdir(fd)):
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
            path = prefix + name
            if stat.S_ISCHR(info.st_mode) and info.st_rdev == WHITEOUT_DEVICE:
                self._member(tarfile.TarInfo(f"{prefix}.wh.{name}"))
            elif not stat.S_ISSOCK(info.st_mode):
                self._entry(fd, name, path, info)

    def _entry(self, parent: int, name: str, path: str, info: os.stat_result) -> None:
        self._inodes += 1
        header = _header(path, f"/proc/self/fd/{parent}/{name}", info)
        if stat.S_ISDIR(info.st_mode):
            self._member(header)
            self._below(parent, name, path)
            return
        if info.st_nlink > 1:
            first = self._links.setdefault((info.st_dev, info.st_ino), path)
            if first != path:
                header.type, header.linkname = tarfile.LNKTYPE, first
                self._inodes -= 1
        if header.type == tarfile.SYMTYPE:
            header.linkname = os.readlink(name, dir_fd=parent)
        if header.type == tarfile.REGTYPE:
            self._file(parent, name, header, info.st_size)
        else:
            self._member(header)

    def _below(self, parent: int, name: str, path: str) -> None:
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            if _is_opaque(fd):
                self._member(tarfile.TarInfo(f"{path}/.wh..wh..opq"))
            self.directory(fd, f"{path}/")
        finally:
            os.close(fd)

    def _file(self, parent: int, name: str, header: tarfile.TarInfo, size: int) -> None:
        header.size = size
        self._member(header)
        self._size += size
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            left = size
            while left and (data := os.read(fd, min(left, _CHUNK))):
                left -= len(data)
                self._out.write(data)
            if left:
                raise OSError(f"{header.name} became shorter while it was read")
        finally:
            os.close(fd)
        self._out.write(b"\0" * (-size % tarfile.BLOCKSIZE))

    def _member(self, header: tarfile.TarInfo) -> None:
        self._members += 1
        self._out.write(header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def finish(self) -> Packed:
        self._out.write(b"\0" * (2 * tarfile.BLOCKSIZE))
        return Packed(self._out.finish(), self._size, self._inodes, self._members)


def _header(path: str, path_to: str, info: os.stat_result) -> tarfile.TarInfo:
    header = tarfile.TarInfo(path)
    kind = header.type = _KINDS[stat.S_IFMT(info.st_mode)]
    header.mode = stat.S_IMODE(info.st_mode)
    header.uid, header.gid = info.st_uid, info.st_gid
    if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        header.devmajor, header.devminor = os.major(info.st_rdev), os.minor(info.st_rdev)
    seconds, nanos = divmod(info.st_mtime_ns, 1_000_000_000)
    header.mtime = seconds
    records = dict(_xattrs(path_to))
    if nanos:
        records["mtime"] = f"{seconds}.{nanos:09d}".rstrip("0")
    header.pax_headers = records
    return header


def _xattrs(path: str) -> Iterator[tuple[str, str]]:
    """Capabilities and user attributes, as unpack.py takes them back."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return
    for name in sorted(names):
        if is_kept(name):
            value = os.getxattr(path, name, follow_symlinks=False)
            yield f"SCHILY.xattr.{name}", value.decode("utf-8", "surrogateescape")


def _is_opaque(fd: int) -> bool:
    try:
        return os.getxattr(fd, OPAQUE) == b"y"
    except OSError:
        return False
