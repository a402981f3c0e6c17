"""fsGroup: the group that owns a volume and may write it."""

import os
import stat
from pathlib import Path

DIRECTORY_BITS = 0o2770
FILE_BITS = 0o660
READ_ONLY_FILE_BITS = 0o440
READ_ONLY_DIRECTORY_BITS = 0o2550


def own(root: Path, gid: int, *, read_only: bool = False, only_on_mismatch: bool = False) -> None:
    """Give everything below `root` to the group. Symbolic links are not followed. Blocking."""
    directory_bits = READ_ONLY_DIRECTORY_BITS if read_only else DIRECTORY_BITS
    file_bits = READ_ONLY_FILE_BITS if read_only else FILE_BITS
    top = root.stat()
    if only_on_mismatch and top.st_gid == gid and top.st_mode & directory_bits == directory_bits:
        return
    for folder, _, files, descriptor in os.fwalk(root, follow_symlinks=False):
        os.chown(descriptor, -1, gid)
        os.chmod(descriptor, os.stat(descriptor).st_mode & 0o7777 | directory_bits)
        for name in files:
            _own_file(descriptor, name, gid, file_bits)
        del folder


def _own_file(directory: int, name: str, gid: int, bits: int) -> None:
    """A link itself is given away, never its target. Nothing is opened for reading: it may be a device."""
    try:
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return
    try:
        os.chown(name, -1, gid, dir_fd=directory, follow_symlinks=False)
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISLNK(mode):
            os.chmod(f"/proc/self/fd/{descriptor}", stat.S_IMODE(mode) | bits)
    finally:
        os.close(descriptor)
