"""/dev of a container, its console, and the paths that are hidden or read-only."""

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from posixpath import basename, dirname
from typing import Any

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.launcher.errors import LaunchError
from pybernetes.runtime.launcher.rootfs import is_directory, make_directory, make_file, resolve

_TIOCGPTPEER, _TIOCSPTLCK = 0x5441, 0x40045431
_KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}


def make_devices(root: int, devices: list[dict[str, Any]]) -> None:
    """The device nodes of the config."""
    for device in devices:
        parent = make_directory(root, dirname(device["path"]))
        mode = _KINDS[device["type"]] | device.get("fileMode", 0o666)
        name = basename(device["path"])
        try:
            os.mknod(name, mode, os.makedev(device.get("major", 0), device.get("minor", 0)), dir_fd=parent)
        except FileExistsError:
            continue
        finally:
            os.close(parent)
        owner = device.get("uid", 0), device.get("gid", 0)
        if owner != (0, 0):
            _change_owner(root, device["path"], *owner)


def bind_devices(root: int, devices: list[dict[str, Any]]) -> None:
    """The node's own, where they are: no device can be made in a user namespace."""
    for device in devices:
        target = make_file(root, device["path"])
        tree = sys.open_tree(sys.AT_FDCWD, device["path"])
        sys.move_mount(tree, target)
        os.close(tree)
        os.close(target)


def _change_owner(root: int, path: str, uid: int, gid: int) -> None:
    parent = resolve(root, dirname(path))
    try:
        os.chown(basename(path), uid, gid, dir_fd=parent, follow_symlinks=False)
    finally:
        os.close(parent)


def make_links(dev: int) -> None:
    """The links every program expects; `dev` is the container's new /dev."""
    for name, target in {**_LINKS, "ptmx": "pts/ptmx"}.items():
        try:
            os.symlink(target, name, dir_fd=dev)
        except FileExistsError:
            continue


def open_terminal(devpts: int) -> tuple[int, int]:
    """A new terminal of the devpts mount `devpts`: its two ends, found through descriptors alone."""
    master = os.open("ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=devpts)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    return master, fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def bind_console(dev: int, terminal: int) -> None:
    """Put the terminal on /dev/console."""
    os.close(os.open("console", os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=dev))
    target = os.open("console", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dev)
    copy = sys.open_tree(terminal, "")
    sys.move_mount(copy, target)
    os.close(copy)
    os.close(target)


def open_null() -> int:
    """/dev/null of the host, checked to be it."""
    fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    info = os.fstat(fd)
    if not stat.S_ISCHR(info.st_mode) or info.st_rdev != os.makedev(1, 3):
        raise LaunchError("/dev/null of the host is not the null device")
    return fd


def mask(root: int, paths: list[str], null: int) -> None:
    """Hide files behind the null device and directories behind an empty one."""
    for target in _there_are(root, paths):
        if is_directory(target):
            cover = sys.new_mount("tmpfs", {"size": "0k"}, sys.MOUNT_RDONLY)
        else:
            cover = sys.open_tree(null, "")
        sys.move_mount(cover, target)
        os.close(cover)


def make_readonly(root: int, paths: list[str]) -> None:
    for target in _there_are(root, paths):
        copy = sys.open_tree(target, "", sys.OPEN_TREE_CLONE | sys.AT_RECURSIVE)
        sys.mount_setattr(copy, set=sys.MOUNT_RDONLY, recursive=True)
        sys.move_mount(copy, target)
        os.close(copy)


def _there_are(root: int, paths: list[str]) -> Iterator[int]:
    """A descriptor of each of the paths that is there, for as long as it is looked at."""
    for path in paths:
        try:
            target = resolve(root, path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        try:
            yield target
        finally:
            os.close(target)


def write_sysctls(proc: int, values: dict[str, str]) -> None:
    """Kernel parameters, through the container's own new procfs, where no mount or link can redirect the write."""
    for key, value in values.items():
        path = "sys/" + key.replace(".", "/")
        try:
            fd = sys.openat2(proc, path, os.O_WRONLY, resolve=sys.RESOLVE_IN_ROOT | sys.RESOLVE_NO_SYMLINKS)
            os.write(fd, value.encode())
            os.close(fd)
        except OSError as error:
            raise LaunchError(f"open /proc/{path}: {(error.strerror or '').lower()}") from error
