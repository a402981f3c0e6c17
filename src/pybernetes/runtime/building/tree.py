"""Where files are copied from: a context or the root of an image, seen by descriptors, without what is ignored."""

import os
import stat
from collections.abc import Iterator, Sequence

from msgspec import Struct

from pybernetes.cri.errors import InvalidError, NotFoundError
from pybernetes.runtime.syscalls import open_in_root
from pybernetes.wire.images.ignore import Ignore, PatternError, clean, is_wild, name_pattern

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Entry(Struct, frozen=True):
    """A name in a directory; `path` is relative to the tree's root."""

    name: str
    path: str
    info: os.stat_result

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.info.st_mode)


class Tree:
    """The files below the directory open as `root`, which stays the caller's. All calls block.

    `owned` says whether the owners of files mean something: those of an image do, those of a context do not.
    """

    def __init__(self, root: int, excludes: Sequence[str] = (), *, owned: bool = False) -> None:
        self._root = root
        self.owned = owned
        try:
            self.ignore = Ignore(excludes)
        except PatternError as error:
            raise InvalidError(f"invalid excludepatterns: {error}") from error

    def find(self, pattern: str) -> list[str]:
        """The paths that a COPY source stands for, sorted. Raises NotFoundError if it names one that is not there."""
        path = clean(pattern)
        try:
            if is_wild(path):
                return sorted(found for found in self._expand("", path.split("/")) if not self.ignore.excludes(found))
            os.close(self.open(path, os.O_PATH))
        except OSError as error:
            raise NotFoundError(f'"/{path}": {_words(error)}') from error
        except PatternError as error:
            raise InvalidError(str(error)) from error
        if self.ignore.excludes(path) and not (self.ignore.has_exceptions and self._has_content(path)):
            raise NotFoundError(f'"/{path}": not found (it is excluded by .dockerignore)')
        return [path]

    def open(self, path: str, flags: int) -> int:
        """A descriptor; links in the path, and at its end, are followed within the tree."""
        return open_in_root(self._root, path, flags)

    def children(self, directory: int, path: str) -> Iterator[Entry]:
        """What is in the directory open as `directory`, sorted. An ignored directory is there if it has what is not."""
        for name in sorted(os.listdir(directory)):
            below = f"{path}/{name}" if path else name
            entry = Entry(name, below, os.stat(name, dir_fd=directory, follow_symlinks=False))
            if not self.ignore.excludes(below) or (
                entry.is_directory and self.ignore.has_exceptions and self._has_content(below)
            ):
                yield entry

    def _expand(self, above: str, names: list[str]) -> Iterator[str]:
        name, rest = names[0], names[1:]
        if not is_wild(name):
            matching = [name]
        else:
            pattern = name_pattern(name)
            fd = self.open(above, _DIRECTORY)
            try:
                matching = [each for each in os.listdir(fd) if pattern.fullmatch(each)]
            finally:
                os.close(fd)
        for each in matching:
            path = f"{above}/{each}" if above else each
            try:
                fd = self.open(path, os.O_PATH)
            except OSError:
                continue
            is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
            os.close(fd)
            if not rest:
                yield path
            elif is_directory:
                yield from self._expand(path, rest)

    def _has_content(self, path: str) -> bool:
        """Whether anything below is not ignored; links are not followed."""
        try:
            fd = open_in_root(self._root, path, _DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            return any(True for _ in self.children(fd, path))
        finally:
            os.close(fd)


def _words(error: OSError) -> str:
    return "not found" if isinstance(error, FileNotFoundError | NotADirectoryError) else str(error.strerror).lower()
