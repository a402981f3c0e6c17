"""mount(2), umount2(2) and openat2(2), and what is mounted below a directory."""

import ctypes
import errno
import os
from pathlib import Path

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SHARED = 0x100000
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _check(result: int, path: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return result


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Raises OSError."""
    arguments = [text.encode() or None for text in (source, target, kind)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() or None), target)


def unmount(target: str) -> None:
    """Detach what is mounted there; nothing mounted is fine. Raises OSError."""
    try:
        _check(_libc.umount2(target.encode(), MNT_DETACH | UMOUNT_NOFOLLOW), target)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise


def open_beneath(directory: int, path: str, flags: int, *, symlinks: bool = True) -> int:
    """Open `path` below the directory's descriptor; EXDEV if a link in it leads out. The caller closes it.

    With `symlinks=False` any link in it is ELOOP.
    """
    resolve = _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS | (0 if symlinks else _RESOLVE_NO_SYMLINKS)
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    result = _libc.syscall(_OPENAT2, directory, path.encode(), ctypes.byref(how), ctypes.sizeof(how))
    return _check(result, path)


def mounts_below(directory: Path) -> list[str]:
    """Mount points at or below a directory, the deepest first."""
    prefix = str(directory.resolve())
    points = []
    written = _escape(prefix)
    # With a thousand pods there are ten thousand lines: most are passed over before they are taken apart.
    for line in Path("/proc/self/mountinfo").read_text().split("\n"):
        if written not in line:
            continue
        point = _unescape(line.split(" ", 5)[4])
        if point == prefix or point.startswith(prefix + "/"):
            points.append(point)
    return points[::-1]


_ESCAPES = {" ": "\\040", "\t": "\\011", "\n": "\\012", "\\": "\\134"}


def _escape(text: str) -> str:
    """mountinfo writes blanks and backslashes as octal escapes."""
    return "".join(_ESCAPES.get(char, char) for char in text)


def _unescape(text: str) -> str:
    for char, code in _ESCAPES.items():
        text = text.replace(code, char)
    return text


def share(directory: Path) -> None:
    """See to it that what is mounted below a directory is seen wherever the directory is mounted as shared or slave.

    Where its file system is not shared it becomes a mount of its own, unless there are mounts below it already.
    Raises OSError.
    """
    if _is_shared(directory):
        return
    if not is_mount_point(directory):
        if mounts_below(directory):
            return
        mount(str(directory), str(directory), flags=MS_BIND | MS_REC)
    mount("", str(directory), flags=MS_SHARED)


def _is_shared(path: Path) -> bool:
    number = str(_mount_of(path))
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[0] == number:
            return any(each.startswith("shared:") for each in fields[6 : fields.index("-")])
    return False


def is_mount_point(path: Path) -> bool:
    """Whether something is mounted there, at whatever cost a look at its parent has: nothing that grows with the node."""
    try:
        return _mount_of(path) != _mount_of(path.parent)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _mount_of(path: Path) -> int:
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fields = Path(f"/proc/self/fdinfo/{descriptor}").read_text().split()
    finally:
        os.close(descriptor)
    return int(fields[fields.index("mnt_id:") + 1])
