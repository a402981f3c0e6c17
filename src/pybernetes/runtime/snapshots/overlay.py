"""Mounting overlayfs: by descriptors, so that neither the number of layers nor a path's characters matter.

mount(2) takes one page of options; `/proc/self/fd/N` stands for a layer in 17 characters whatever its path, which
leaves room for 200 of them (Docker's builders stop at 127).
"""

import ctypes
import os
from contextlib import ExitStack
from pathlib import Path

_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_READ_ONLY = 1 | 2 | 4 | 8
"""MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC."""
_EINVAL, _ENOENT = 22, 2
_PAGE = 4096
_libc = ctypes.CDLL(None, use_errno=True)


PLAIN = ",redirect_dir=nofollow,metacopy=off,index=off"
"""Whatever the kernel's defaults, the writable layer holds whole files, so that a layer can be made of it."""


def mount(lower: list[Path], upper: Path, work: Path, target: Path, options: str = "") -> None:
    """Mount the layers, topmost first, with a writable one above them. Raises OSError."""
    with ExitStack() as opened:
        writable = f",upperdir={_name(upper, opened)},workdir={_name(work, opened)}{options}"
        _mount(lower, writable, target, 0, opened)


def mount_read_only(lower: list[Path], target: Path) -> None:
    """Mount the layers, topmost first and at least two, so that nothing in them can be changed or run. Raises OSError."""
    with ExitStack() as opened:
        _mount(lower, "", target, _READ_ONLY, opened)


def _mount(lower: list[Path], options: str, target: Path, flags: int, opened: ExitStack) -> None:
    data = f"lowerdir={':'.join(_name(path, opened) for path in lower)}{options}".encode()
    if len(data) >= _PAGE:
        raise OSError(7, f"image has too many layers: {len(lower)}")
    if _libc.mount(b"overlay", os.fsencode(target), b"overlay", flags, data) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"cannot mount overlay: {os.strerror(error)}", str(target))


def _name(path: Path, opened: ExitStack) -> str:
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    opened.callback(os.close, fd)
    return f"/proc/self/fd/{fd}"


def unmount(target: Path) -> None:
    """Detach whatever is mounted at `target`; nothing happens if nothing is. Raises OSError."""
    while _libc.umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW) == 0:
        pass
    error = ctypes.get_errno()
    if error not in (_EINVAL, _ENOENT):
        raise OSError(error, f"cannot unmount: {os.strerror(error)}", str(target))


def is_mounted(target: Path) -> bool:
    """Whether a file system of its own is at `target`."""
    try:
        return target.stat().st_dev != target.parent.stat().st_dev
    except FileNotFoundError:
        return False


def unmount_below(directory: Path) -> None:
    """Detach whatever is mounted below the directory, the last first. Raises OSError."""
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4].encode().decode("unicode_escape") for line in file]
    for point in reversed(points):
        if point.startswith(f"{directory}/"):
            unmount(Path(point))
