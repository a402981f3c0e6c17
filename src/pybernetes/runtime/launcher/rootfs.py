"""Paths inside a container's root, by descriptor only: the image decides what is there, so no name can be trusted."""

import os
import stat
from collections.abc import Callable
from posixpath import basename, dirname, join, normpath

from pybernetes.runtime import syscalls as sys

_DEPTH = 40


def resolve(root: int, path: str, flags: int = 0, resolve: int = 0) -> int:
    """A descriptor (O_PATH unless `flags` opens for real) of `path` below `root`; symlinks stay inside."""
    flags = flags or os.O_PATH
    return sys.openat2(root, path.lstrip("/") or ".", flags, resolve=sys.RESOLVE_IN_ROOT | resolve)


def make_directory(root: int, path: str, depth: int = 0, made: Callable[[int, str], None] | None = None) -> int:
    """A descriptor of the directory `path`, made with its parents (0755) where missing.

    `made` is called with the parent and the name of each that did not exist.
    """
    try:
        return resolve(root, path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        if depth > _DEPTH:
            raise
    path = normpath("/" + path)
    parent = make_directory(root, dirname(path), depth + 1, made)
    try:
        os.mkdir(basename(path), 0o755, dir_fd=parent)
        if made is not None:
            made(parent, basename(path))
    except FileExistsError:
        if (target := _dangling(parent, basename(path))) is not None:
            return make_directory(root, join(dirname(path), target), depth + 1, made)
    finally:
        os.close(parent)
    return resolve(root, path, os.O_PATH | os.O_DIRECTORY)


def make_file(root: int, path: str) -> int:
    """A descriptor of the file `path`; an empty one (0644) is made where nothing is."""
    try:
        return resolve(root, path)
    except FileNotFoundError:
        parent = make_directory(root, dirname(normpath("/" + path)))
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(basename(path), flags, 0o644, dir_fd=parent))
    finally:
        os.close(parent)
    return resolve(root, path)


def _dangling(parent: int, name: str) -> str | None:
    """The target of a symlink that leads nowhere yet (`/var/run -> /run` of an image without /run)."""
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None


def is_directory(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)
