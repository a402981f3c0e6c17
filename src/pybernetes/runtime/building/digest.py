"""One digest for all that a COPY takes: names, kinds, modes, contents and targets of links, and no times."""

import hashlib
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Sequence

from pybernetes.runtime.building.tree import Tree
from pybernetes.runtime.snapshots.unpack import is_kept

_KNOWN = 20_000
_WORTH_KNOWING = 64 << 10
_SETTLED_NS = 2_000_000_000


class Digests:
    """Digests of the contents of larger files, remembered for as long as the files' times and sizes stay."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, ...], bytes] = OrderedDict()

    def of(self, fd: int) -> bytes:
        """The digest of the regular file open as `fd`. A file that changed a moment ago is not remembered."""
        info = os.fstat(fd)
        stamp = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        if (known := self._known.get(stamp)) is not None:
            self._known.move_to_end(stamp)
            return known
        if info.st_size < _WORTH_KNOWING:
            # A build may have 100,000 of these: a third of the time that a file object takes.
            return hashlib.sha256(os.read(fd, _WORTH_KNOWING)).digest()
        with open(fd, "rb", closefd=False) as file:
            found = hashlib.file_digest(file, "sha256").digest()
        if time.time_ns() - info.st_ctime_ns > _SETTLED_NS:
            self._known[stamp] = found
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return found


def digest_files(tree: Tree, patterns: Sequence[str], digests: Digests) -> str:
    """The digest, in hex. Raises NotFoundError for a pattern that names what is not there. Blocks."""
    work = _Digest(tree, digests)
    for pattern in patterns:
        for path in tree.find(pattern):
            work.top(path)
    return work.hash.hexdigest()


class _Digest:
    def __init__(self, tree: Tree, digests: Digests) -> None:
        self._tree = tree
        self._digests = digests
        self.hash = hashlib.sha256()

    def top(self, path: str) -> None:
        """A match: what it leads to, if it is a link."""
        fd = self._tree.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            info = os.fstat(fd)
            self._note(path, info)
            self._content(fd, path, info)
        finally:
            os.close(fd)

    def _content(self, fd: int, path: str, info: os.stat_result) -> None:
        self._xattrs(fd)
        if stat.S_ISREG(info.st_mode):
            self.hash.update(self._digests.of(fd))
        if stat.S_ISDIR(info.st_mode):
            self._directory(fd, path)

    def _directory(self, fd: int, path: str) -> None:
        for entry in self._tree.children(fd, path):
            self._note(entry.path, entry.info)
            mode = entry.info.st_mode
            if stat.S_ISLNK(mode):
                self._field(os.fsencode(os.readlink(entry.name, dir_fd=fd)))
            elif stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                below = os.open(entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
                try:
                    self._content(below, entry.path, os.fstat(below))
                finally:
                    os.close(below)

    def _note(self, name: str, info: os.stat_result) -> None:
        self._field(os.fsencode(name))
        owner = f"{info.st_uid}:{info.st_gid}" if self._tree.owned else ""
        size = info.st_size if stat.S_ISREG(info.st_mode) else 0
        self._field(f"{info.st_mode} {owner} {size} {info.st_rdev}".encode())

    def _xattrs(self, fd: int) -> None:
        for name in sorted(os.listxattr(fd)):
            if is_kept(name):
                self._field(name.encode())
                self._field(os.getxattr(fd, name))

    def _field(self, data: bytes) -> None:
        self.hash.update(len(data).to_bytes(4))
        self.hash.update(data)
