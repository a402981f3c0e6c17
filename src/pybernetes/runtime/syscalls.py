"""The one syscall seam: what neither `os` nor `socket` offers, through ctypes. Imports stay few: the launcher lives on it.

Every function raises OSError. Numbers are those of amd64 and arm64, which agree from 424 on.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Mapping

_AMD64 = platform.machine() in ("x86_64", "AMD64")
_PIVOT_ROOT = 155 if _AMD64 else 41
_BPF = 321 if _AMD64 else 280
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 428, 429, 430, 431, 432
_SPLICE_NONBLOCK = 2
_PIDFD_SEND_SIGNAL, _PIDFD_OPEN, _CLONE3, _CLOSE_RANGE, _OPENAT2, _MOUNT_SETATTR = 424, 434, 435, 436, 437, 442

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
CLONE_PARENT = 0x00008000
_CLONE_INTO_CGROUP = 0x200000000
_SIGCHLD = 17

RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_IN_ROOT = 0x02, 0x04, 0x10
OPEN_TREE_CLONE, AT_RECURSIVE, AT_EMPTY_PATH, AT_FDCWD = 1, 0x8000, 0x1000, -100
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_MOVE_MOUNT_BOTH_EMPTY = 0x04 | 0x40
_FSCONFIG_FLAG, _FSCONFIG_STRING, _FSCONFIG_CREATE = 0, 1, 6

_MOUNT_IDMAP = 0x00100000
MOUNT_RDONLY, MOUNT_NOSUID, MOUNT_NODEV, MOUNT_NOEXEC, MOUNT_NOATIME, MOUNT_STRICTATIME = 1, 2, 4, 8, 0x10, 0x20
MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 18, 1 << 19, 1 << 20
MS_BIND, MS_REC = 4096, 16384
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME = 1, 4, 8, 15
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 22, 24, 36, 38, 47
_SECCOMP_MODE_FILTER = 2

# PyDLL keeps the interpreter's lock over the call, which clone needs: the child must own it.
_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
# What may wait for a disk lets other threads run meanwhile.
_waiting_syscall = ctypes.CDLL(None, use_errno=True).syscall
_waiting_syscall.restype = ctypes.c_long
_RETRIES = 32


def _check(result: int, what: str, path: str = "") -> int:
    if result >= 0:
        return result
    number = ctypes.get_errno()
    raise OSError(number, f"{what}: {os.strerror(number)}", path or None)


def _call(what: str, number: int, *args: object, path: str = "") -> int:
    return _check(_syscall(ctypes.c_long(number), *args), what, path)


def clone(flags: int, cgroup: int | None = None) -> int:
    """Fork into new namespaces, and into the cgroup v2 directory open as `cgroup`; 0 in the child.

    Only for a process with one thread: no lock but the interpreter's own is carried over.
    """
    if cgroup is not None:
        flags |= _CLONE_INTO_CGROUP
    # A sibling (CLONE_PARENT) tells its end in the way its maker does.
    end_signal = 0 if flags & CLONE_PARENT else _SIGCHLD
    args = struct.pack("11Q", flags, 0, 0, 0, end_signal, 0, 0, 0, 0, 0, cgroup or 0)
    return _call("clone3", _CLONE3, args, ctypes.c_size_t(len(args)))


def setns(fd: int, flags: int) -> None:
    """Join a namespace open as `fd`, or those named by `flags` of the process behind a pidfd."""
    _check(_libc.setns(fd, flags), "setns")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def tee(source: int, target: int, count: int) -> int:
    """Copy what is in one pipe into another, and leave it there; how many bytes. Raises BlockingIOError if none are."""
    copied: int = _check(_libc.tee(source, target, ctypes.c_size_t(count), ctypes.c_uint(_SPLICE_NONBLOCK)), "tee")
    return copied


def pidfd_open(pid: int) -> int:
    return _call("pidfd_open", _PIDFD_OPEN, ctypes.c_int(pid), ctypes.c_uint(0))


def openat2(dirfd: int, path: str | bytes, flags: int, mode: int = 0, resolve: int = RESOLVE_IN_ROOT) -> int:
    """Open `path` with `dirfd` as its root: neither `..` nor a symlink leads out of it. Close-on-exec."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    arguments = (ctypes.c_long(_OPENAT2), ctypes.c_int(dirfd), os.fsencode(path), how, ctypes.c_size_t(len(how)))
    for _ in range(_RETRIES):
        fd: int = _waiting_syscall(*arguments)
        # EAGAIN: a rename elsewhere on the machine made the kernel unsure that `..` stayed inside; ask again.
        if fd >= 0:
            return fd
        if (number := ctypes.get_errno()) not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(number, os.strerror(number), os.fsdecode(path))


def open_in_root(root: int, path: str | bytes, flags: int, mode: int = 0, *, symlinks: bool = True) -> int:
    """A descriptor (close-on-exec) of `path`, resolved as if the directory `root` were `/`; the caller closes it.

    Links in the path, absolute ones and `..` too, stay inside the root; magic links are refused; with
    `symlinks=False` every link is. Raises OSError: ELOOP for a refused link, ENOSYS before Linux 5.6.
    """
    resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (0 if symlinks else RESOLVE_NO_SYMLINKS)
    return openat2(root, path or ".", flags, mode, resolve)


def close_others(keep: int) -> None:
    """Close every descriptor above 2 but `keep`."""
    for first, last in ((3, keep - 1), (keep + 1, 0xFFFFFFFF)):
        if first <= last:
            _call("close_range", _CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), ctypes.c_uint(0))


def open_tree(dirfd: int, path: str, flags: int = OPEN_TREE_CLONE) -> int:
    """A detached copy of the mount at `path` (at `dirfd` itself if empty)."""
    if not path:
        flags |= AT_EMPTY_PATH
    name = os.fsencode(path)
    return _call(
        "open_tree", _OPEN_TREE, ctypes.c_int(dirfd), name, ctypes.c_uint(flags | _OPEN_TREE_CLOEXEC), path=path
    )


def move_mount(mount: int, target: int) -> None:
    """Attach the detached `mount` on the file or directory open as `target`."""
    empty = b""
    _call(
        "move_mount",
        _MOVE_MOUNT,
        ctypes.c_int(mount),
        empty,
        ctypes.c_int(target),
        empty,
        ctypes.c_uint(_MOVE_MOUNT_BOTH_EMPTY),
    )


def mount_setattr(fd: int, *, set: int = 0, clear: int = 0, propagation: int = 0, recursive: bool = False) -> None:
    """Change a mount's attributes and propagation."""
    _set_attributes(fd, struct.pack("QQQQ", set, clear, propagation, 0), recursive=recursive)


def map_ids(mount: int, users: int) -> None:
    """Show the detached `mount` with the ids that it has in the user namespace open as `users` (Linux 5.12)."""
    _set_attributes(mount, struct.pack("QQQQ", _MOUNT_IDMAP, 0, 0, users), recursive=False)


def _set_attributes(fd: int, attr: bytes, *, recursive: bool) -> None:
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    _call(
        "mount_setattr",
        _MOUNT_SETATTR,
        ctypes.c_int(fd),
        b"",
        ctypes.c_uint(flags),
        attr,
        ctypes.c_size_t(len(attr)),
    )


def new_mount(fstype: str, options: Mapping[str, str | None], attributes: int = 0) -> int:
    """A detached mount of a new file system; an option without a value is a flag."""
    context = _call("fsopen", _FSOPEN, fstype.encode(), ctypes.c_uint(1), path=fstype)
    try:
        _fsconfig(context, _FSCONFIG_STRING, "source", fstype)
        for key, value in options.items():
            _fsconfig(context, _FSCONFIG_FLAG if value is None else _FSCONFIG_STRING, key, value)
        _fsconfig(context, _FSCONFIG_CREATE, None, None)
        return _call("fsmount", _FSMOUNT, ctypes.c_int(context), ctypes.c_uint(1), ctypes.c_uint(attributes))
    finally:
        os.close(context)


def _fsconfig(context: int, command: int, key: str | None, value: str | None) -> None:
    raw_key = None if key is None else key.encode()
    raw_value = None if value is None else os.fsencode(value)
    _call("fsconfig", _FSCONFIG, ctypes.c_int(context), ctypes.c_uint(command), raw_key, raw_value, ctypes.c_int(0))


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """The classic mount by path, for places that only root can change."""
    _check(
        _libc.mount(os.fsencode(source), os.fsencode(target), fstype.encode(), ctypes.c_ulong(flags), data.encode()),
        "mount",
        target,
    )


def umount(path: str, flags: int = MNT_DETACH) -> None:
    _check(_libc.umount2(os.fsencode(path), flags), "umount", path)


def detach(path: str | os.PathLike[str]) -> None:
    """Unmount whatever is mounted at `path`, if anything is. Safe to repeat. Raises OSError."""
    try:
        umount(os.fspath(path))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise


def pivot_root_here() -> None:
    """Make the current directory, a mount, the root, and drop the old root and all below it."""
    _call("pivot_root", _PIVOT_ROOT, b".", b".")
    umount(".", MNT_DETACH)
    os.chdir("/")


def prctl(option: int, *args: int) -> None:
    _check(_libc.prctl(option, *(ctypes.c_ulong(arg) for arg in (*args, 0, 0, 0, 0)[:4])), f"prctl {option}")


def set_process_name(name: str) -> None:
    """What `ps` and /proc/<pid>/comm show; at most 15 bytes."""
    _check(_libc.prctl(PR_SET_NAME, name.encode()), "prctl")


def set_process_title(title: str) -> None:
    """What `ps` shows as command line: written over the arguments of the process, as far as they reach."""
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    room = end - start
    ctypes.memmove(start, os.fsencode(title)[: room - 1].ljust(room, b"\0"), room)


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set this thread's capabilities; each set is a bit mask."""
    header = struct.pack("Ii", 0x20080522, 0)
    low, high = 0xFFFFFFFF, 32
    data = b"".join(
        struct.pack("III", *(mask >> shift & low for mask in (effective, permitted, inheritable)))
        for shift in (0, high)
    )
    _check(_libc.capset(header, data), "capset")


def load_seccomp(program: bytes) -> None:
    """Install a filter: `program` is an array of struct sock_filter. Needs no_new_privs or CAP_SYS_ADMIN."""
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(fprog, len(fprog))
    _check(
        _libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.c_ulong(ctypes.addressof(holder))),
        "seccomp",
    )


def bpf(command: int, attr: bytes) -> int:
    """The bpf system call, with `attr` as its union."""
    return _call("bpf", _BPF, ctypes.c_int(command), attr, ctypes.c_uint(len(attr)))
