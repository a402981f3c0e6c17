"""COPY and ADD: from a tree into a root, by descriptors on both sides. Links of the root are followed within it."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from posixpath import basename, dirname
from typing import TypeVar

from msgspec import Struct

from pybernetes.cri.building import InlineFile
from pybernetes.cri.errors import InvalidError
from pybernetes.runtime.building.modes import change_mode
from pybernetes.runtime.building.tree import Entry, Tree
from pybernetes.runtime.launcher.rootfs import make_directory
from pybernetes.runtime.snapshots.unpack import is_kept
from pybernetes.runtime.syscalls import open_in_root
from pybernetes.wire.images.ignore import Ignore

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 8 << 20

T = TypeVar("T")


class Look(Struct, frozen=True):
    """What copies are given: an owner (None keeps that of the source, root where it has none), a mode ("" keeps it)."""

    owner: tuple[int, int] | None = None
    mode: str = ""


def make_directories(root: int, path: str, owner: tuple[int, int]) -> int:
    """A descriptor of the directory `path` in the root, made with its parents (0755) where missing."""

    def give(parent: int, name: str) -> None:
        os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
        os.chmod(name, 0o755, dir_fd=parent)

    try:
        os.close(make_directory(root, path, made=give))
        return open_in_root(root, path, _DIRECTORY)
    except (FileExistsError, NotADirectoryError):
        raise InvalidError(f"cannot make directory {path}: a file is in its place") from None


class Copier:
    """Copies from a tree into the root open as `root`. All calls block; they raise InvalidError and OSError."""

    def __init__(self, tree: Tree, root: int, look: Look = Look(), excludes: Sequence[str] = ()) -> None:
        self._tree = tree
        self._root = root
        self._look = look
        self._excludes = Ignore(excludes)

    def copy(self, paths: Sequence[str], target: str, *, parents: bool = False) -> None:
        """Copy each of the tree's `paths`: a directory's content into `target`, a file under its name, or as `target`.

        `target` is a directory if it ends in /, is one already, or if there are several paths. With `parents` the
        directories of each path are made below it.
        """
        into = target.endswith("/") or len(paths) > 1 or parents or self._is_directory(target)
        for path in paths:
            place = f"{target.rstrip('/')}/{dirname(path)}/" if parents else target
            source = self._tree.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                info = os.fstat(source)
                if stat.S_ISDIR(info.st_mode):
                    self._copy_content(source, path, f"{place}{basename(path)}" if parents else place, info)
                elif stat.S_ISREG(info.st_mode):
                    with self._place(place, basename(path), into) as (directory, name):
                        self._copy_file(source, info, directory, name)
                else:
                    raise InvalidError(f'"/{path}" is neither a file nor a directory')
            finally:
                os.close(source)

    def write(self, files: Sequence[InlineFile], target: str) -> None:
        """The files of here-documents; `target` is a directory if it ends in /, is one, or if there are several."""
        into = target.endswith("/") or len(files) > 1 or self._is_directory(target)
        for file in files:
            with self._place(target, file.name, into) as (directory, name):
                fd = _create(directory, name)
                with open(fd, "wb") as out:
                    out.write(file.data)
                    out.flush()
                    os.fchown(fd, *(self._look.owner or (0, 0)))
                    os.fchmod(fd, self._mode(0o644, False))

    def _is_directory(self, target: str) -> bool:
        try:
            os.close(open_in_root(self._root, target, os.O_PATH | os.O_DIRECTORY))
        except OSError:
            return False
        return True

    @contextmanager
    def _place(self, target: str, name: str, into: bool) -> Iterator[tuple[int, str]]:
        """The directory and the name of a new file."""
        path = f"{target.rstrip('/')}/{name}" if into else target.rstrip("/")
        directory = make_directories(self._root, dirname(path) or "/", self._look.owner or (0, 0))
        try:
            yield directory, basename(path)
        finally:
            os.close(directory)

    def _copy_content(self, source: int, path: str, target: str, info: os.stat_result) -> None:
        """A directory's content. The target keeps its own attributes if it was there, else it gets the source's."""
        existed = self._is_directory(target)
        directory = make_directories(self._root, target, self._look.owner or (0, 0))
        try:
            self._copy_entries(source, path, "", directory)
            if not existed:
                self._describe(directory, info, source)
        finally:
            os.close(directory)

    def _copy_entries(self, source: int, path: str, below: str, directory: int) -> None:
        for entry in self._tree.children(source, path):
            relative = f"{below}/{entry.name}" if below else entry.name
            if entry.is_directory:
                if not self._excludes.excludes(relative) or self._excludes.has_exceptions:
                    self._copy_directory(source, entry, relative, directory)
            elif not self._excludes.excludes(relative):
                self._copy_entry(source, entry, directory)

    def _copy_directory(self, source: int, entry: Entry, relative: str, directory: int) -> None:
        from_fd = os.open(entry.name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=source)
        try:
            try:
                os.mkdir(entry.name, 0o755, dir_fd=directory)
            except FileExistsError:
                if not stat.S_ISDIR(os.stat(entry.name, dir_fd=directory, follow_symlinks=False).st_mode):
                    raise InvalidError(f'cannot copy directory "/{entry.path}" over a file') from None
            to_fd = os.open(entry.name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            try:
                self._copy_entries(from_fd, entry.path, relative, to_fd)
                self._describe(to_fd, entry.info, from_fd)
            finally:
                os.close(to_fd)
        finally:
            os.close(from_fd)

    def _copy_entry(self, source: int, entry: Entry, directory: int) -> None:
        mode = entry.info.st_mode
        if stat.S_ISREG(mode):
            fd = os.open(entry.name, _READ, dir_fd=source)
            try:
                self._copy_file(fd, os.fstat(fd), directory, entry.name)
            finally:
                os.close(fd)
        elif stat.S_ISLNK(mode):
            target = os.readlink(entry.name, dir_fd=source)
            _replace(directory, entry.name, lambda: os.symlink(target, entry.name, dir_fd=directory))
            self._own(directory, entry.name, entry.info)
            os.utime(entry.name, ns=_times(entry.info), dir_fd=directory, follow_symlinks=False)
        elif stat.S_ISFIFO(mode) or (self._tree.owned and not stat.S_ISSOCK(mode)):
            _replace(directory, entry.name, lambda: os.mknod(entry.name, mode, entry.info.st_rdev, dir_fd=directory))
            self._own(directory, entry.name, entry.info)
            os.chmod(entry.name, self._mode(mode, False), dir_fd=directory)
        elif not stat.S_ISSOCK(mode):
            raise InvalidError(f'"/{entry.path}" is a device, which no build context may have')

    def _copy_file(self, source: int, info: os.stat_result, directory: int, name: str) -> None:
        if not stat.S_ISREG(info.st_mode):
            raise InvalidError(f"{name!r} changed while it was copied")
        fd = _create(directory, name)
        try:
            while os.sendfile(fd, source, None, _CHUNK):
                pass
            self._describe(fd, info, source)
        finally:
            os.close(fd)

    def _describe(self, fd: int, info: os.stat_result, source: int) -> None:
        """Owner first: changing it clears set-user-id and capabilities."""
        os.fchown(fd, *self._owner(info))
        os.fchmod(fd, self._mode(info.st_mode, stat.S_ISDIR(info.st_mode)))
        for key in os.listxattr(source):
            if is_kept(key):
                with suppress(OSError):
                    os.setxattr(fd, key, os.getxattr(source, key))
        os.utime(fd, ns=_times(info))

    def _owner(self, info: os.stat_result) -> tuple[int, int]:
        return self._look.owner or ((info.st_uid, info.st_gid) if self._tree.owned else (0, 0))

    def _own(self, directory: int, name: str, info: os.stat_result) -> None:
        os.chown(name, *self._owner(info), dir_fd=directory, follow_symlinks=False)

    def _mode(self, mode: int, is_directory: bool) -> int:
        bits = stat.S_IMODE(mode)
        return change_mode(self._look.mode, bits, is_directory) if self._look.mode else bits


def _times(info: os.stat_result) -> tuple[int, int]:
    return info.st_mtime_ns, info.st_mtime_ns


def _create(directory: int, name: str) -> int:
    return _replace(directory, name, lambda: os.open(name, _NEW, 0o600, dir_fd=directory))


def _replace(directory: int, name: str, make: Callable[[], T]) -> T:
    """What `make` makes; a file or link of that name gives way. Raises InvalidError if it is a directory."""
    with suppress(FileExistsError):
        return make()
    try:
        os.unlink(name, dir_fd=directory)
    except IsADirectoryError:
        raise InvalidError(f"cannot copy a file over directory {name!r}") from None
    return make()
