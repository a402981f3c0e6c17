"""The user and groups that a container runs as, looked up in the image's own databases, below its root only."""

import os
from pathlib import Path

from msgspec import Struct

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError
from pybernetes.runtime import syscalls as sys
from pybernetes.wire.numbers import parse_number

_LIMIT = 1 << 20
MAX_ID = (1 << 31) - 1
"""As with other engines; for the kernel, ids end with one that means "leave it as it is"."""


class User(Struct, frozen=True):
    """Who the process is. `home` is where HOME points."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


class _Databases(Struct, frozen=True):
    passwd: list[list[str]]
    group: list[list[str]]


def resolve_user(rootfs: Path, context: t.LinuxContainerSecurityContext, image_user: str) -> User:
    """What the security context says, else the image. Raises InvalidError for a name that the image does not know."""
    databases = _read(rootfs)
    name, _, group = image_user.partition(":")
    if context.run_as_user is not None:
        name = str(context.run_as_user.value)
        group = ""
    elif context.run_as_username:
        name, group = context.run_as_username, ""
    uid, gid, home, known_as = _find_user(databases, name or "0")
    if context.run_as_group is not None:
        gid = context.run_as_group.value
    elif group:
        gid = _find_group(databases, group)
    groups = list(context.supplemental_groups)
    if context.supplemental_groups_policy == t.SupplementalGroupsPolicy.Merge and known_as:
        groups += [int(row[2]) for row in databases.group if known_as in row[3].split(",")]
    return User(uid, gid, tuple(sorted({gid, *groups})), home)


def _find_user(databases: _Databases, name: str) -> tuple[int, int, str, str]:
    """uid, gid, home and login name; a bare number need not be known."""
    for row in databases.passwd:
        if row[0] == name or (name.isdecimal() and row[2] == name):
            return int(row[2]), int(row[3]), row[5] or "/", row[0]
    if name.isdecimal():
        return _in_range(name), 0, "/", ""
    raise InvalidError(f"unable to find user {name}: no matching entries in passwd file")


def _find_group(databases: _Databases, name: str) -> int:
    if name.isdecimal():
        return _in_range(name)
    for row in databases.group:
        if row[0] == name:
            return int(row[2])
    raise InvalidError(f"unable to find group {name}: no matching entries in group file")


def _in_range(name: str) -> int:
    number = parse_number(name, MAX_ID)
    if number is None:
        raise InvalidError(f"uids and gids must be in range 0-{MAX_ID}")
    return number


def _read(rootfs: Path) -> _Databases:
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _Databases(_rows(root, "etc/passwd", 7, (2, 3)), _rows(root, "etc/group", 4, (2,)))
    finally:
        os.close(root)


def _rows(root: int, path: str, fields: int, numbers: tuple[int, ...]) -> list[list[str]]:
    """The well-formed lines of a database; an image need not have one, and what is no regular file is none."""
    try:
        fd = sys.openat2(root, path, os.O_RDONLY | os.O_NONBLOCK, resolve=sys.RESOLVE_IN_ROOT)
    except OSError:
        return []
    with open(fd, encoding="utf-8", errors="replace") as file:
        if not os.path.isfile(f"/proc/self/fd/{fd}"):
            return []
        rows = [line.split(":") for line in file.read(_LIMIT).splitlines()]
    return [row for row in rows if len(row) == fields and _are_ids(row, numbers)]


def _are_ids(row: list[str], numbers: tuple[int, ...]) -> bool:
    return all(parse_number(row[n], MAX_ID) is not None for n in numbers)
