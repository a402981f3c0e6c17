"""openat2(2): opening a path inside a foreign root, where no link, magic or not, leads out of it."""

import ctypes
import os

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_SYS_OPENAT2 = 437  # the same on every architecture
_RETRIES = 32
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_in_root(root: int, path: str | bytes, flags: int, mode: int = 0, *, symlinks: bool = True) -> int:
    """A descriptor (close-on-exec) of `path`, resolved as if the directory `root` were `/`; the caller closes it.

    Links in the path, absolute ones and `..` too, stay inside the root; magic links are refused; with
    `symlinks=False` every link is. Raises OSError: ELOOP for a refused link, ENOSYS before Linux 5.6.
    """
    resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (0 if symlinks else RESOLVE_NO_SYMLINKS)
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    name = os.fsencode(path) or b"."
    for _ in range(_RETRIES):
        fd: int = _libc.syscall(_SYS_OPENAT2, root, name, ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0:
            return fd
        error = ctypes.get_errno()
        # EAGAIN: a rename elsewhere on the machine made the kernel unsure that `..` stayed inside; ask again.
        if error not in (11, 4):
            raise OSError(error, os.strerror(error), os.fsdecode(path))
    raise OSError(11, os.strerror(11), os.fsdecode(path))
