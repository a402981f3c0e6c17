"""The mounts of an OCI config: taken as detached trees, attached to descriptors, so that no path is walked twice."""

import os
from functools import cache
from typing import Any, NamedTuple

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.launcher import users
from pybernetes.runtime.launcher.errors import LaunchError
from pybernetes.runtime.launcher.rootfs import is_directory, make_directory, make_file, resolve

_SET = {
    "ro": sys.MOUNT_RDONLY,
    "nosuid": sys.MOUNT_NOSUID,
    "nodev": sys.MOUNT_NODEV,
    "noexec": sys.MOUNT_NOEXEC,
    "noatime": sys.MOUNT_NOATIME,
    "strictatime": sys.MOUNT_STRICTATIME,
    "rro": sys.MOUNT_RDONLY,
}
_CLEAR = {"rw", "suid", "dev", "exec", "relatime", "bind", "rbind", "defaults", "async"}
_PROPAGATION = {
    "private": sys.MS_PRIVATE,
    "rprivate": sys.MS_PRIVATE,
    "slave": sys.MS_SLAVE,
    "rslave": sys.MS_SLAVE,
    "shared": sys.MS_SHARED,
    "rshared": sys.MS_SHARED,
}


class Options(NamedTuple):
    """The option list of an OCI mount, sorted by what each concerns."""

    attributes: int
    recursive_readonly: bool
    propagation: int
    data: dict[str, str | None]


def parse_options(options: list[str]) -> Options:
    """Options as a bundle has them (OCI runtime spec, `mounts[].options`); the unknown ones are the file system's."""
    attributes, propagation = 0, 0
    data: dict[str, str | None] = {}
    for option in options:
        if option in _SET:
            attributes |= _SET[option]
        elif option in _PROPAGATION:
            propagation = _PROPAGATION[option]
        elif option not in _CLEAR:
            key, _, value = option.partition("=")
            data[key] = value or None
    return Options(attributes, "rro" in options, propagation, data)


def is_bind(mount: dict[str, Any]) -> bool:
    return mount.get("type") == "bind" or "bind" in mount.get("options", []) or "rbind" in mount.get("options", [])


def take_tree(path: str) -> int:
    """A detached copy of what is at `path` on the host, with all mounts below it."""
    return sys.open_tree(sys.AT_FDCWD, path, sys.OPEN_TREE_CLONE | sys.AT_RECURSIVE)


def take_sources(mounts: list[dict[str, Any]], namespace: int | None = None) -> dict[int, int]:
    """The trees of the bind mounts, by index; to be taken in the host's mount namespace, whose peers they stay.

    Those with mappings of ids are seen as the user namespace open as `namespace` has them.
    """
    trees = {}
    for index, mount in enumerate(mounts):
        if is_bind(mount):
            try:
                trees[index] = take_tree(mount["source"])
                if namespace is not None and mount.get("uidMappings"):
                    users.map_tree(trees[index], namespace, mount["source"])
            except OSError as error:
                raise LaunchError(
                    f'error mounting "{mount["source"]}" to rootfs at "{mount["destination"]}": {_reason(error)}'
                ) from error
    return trees


def _reason(error: OSError) -> str:
    """The kernel's words, or all of ours."""
    text = error.strerror or ""
    return text if text.startswith("failed") else text.lower()


def attach_all(root: int, mounts: list[dict[str, Any]], trees: dict[int, int]) -> dict[str, int]:
    """Attach every mount below `root`; returns the descriptors of the new file systems by destination."""
    made: dict[str, int] = {}
    for index, mount in enumerate(mounts):
        destination = mount["destination"]
        try:
            if index in trees:
                _attach_bind(root, mount, trees[index])
            else:
                made[destination] = _attach_new(root, mount)
        except OSError as error:
            source = mount.get("source", mount.get("type"))
            why = (error.strerror or "").lower()
            raise LaunchError(f'error mounting "{source}" to rootfs at "{destination}": {why}') from error
    return made


def _attach_bind(root: int, mount: dict[str, Any], tree: int) -> None:
    options = parse_options(mount.get("options", []))
    make = make_directory if is_directory(tree) else make_file
    target = make(root, mount["destination"])
    if options.attributes:
        sys.mount_setattr(tree, set=options.attributes, recursive=options.recursive_readonly)
    sys.mount_setattr(tree, propagation=options.propagation or sys.MS_PRIVATE, recursive=True)
    sys.move_mount(tree, target)
    os.close(target)


def _attach_new(root: int, mount: dict[str, Any]) -> int:
    """Mount a kernel file system. Its mount point may not be a symlink: images do not choose where /proc is."""
    destination, kind = mount["destination"], mount["type"]
    options = parse_options(mount.get("options", []))
    os.close(make_directory(root, destination))
    target = resolve(root, destination, os.O_PATH | os.O_DIRECTORY, sys.RESOLVE_NO_SYMLINKS)
    if kind == "cgroup":
        return _attach_cgroups(target, options.attributes)
    made = sys.new_mount(kind, options.data, options.attributes)
    sys.move_mount(made, target)
    os.close(target)
    return made


def _attach_cgroups(target: int, attributes: int) -> int:
    """v2 alone, or a tmpfs with one directory per v1 hierarchy, as the host has it; seen from the own cgroup."""
    hierarchies = v1_hierarchies()
    if not hierarchies:
        made = sys.new_mount("cgroup2", {}, attributes)
        sys.move_mount(made, target)
        return made
    top = sys.new_mount("tmpfs", {"mode": "755"}, sys.MOUNT_NOSUID | sys.MOUNT_NODEV | sys.MOUNT_NOEXEC)
    sys.move_mount(top, target)
    for name, data in hierarchies.items():
        _attach_v1(top, name, data, attributes)
    sys.mount_setattr(top, set=attributes)
    return top


@cache
def v1_hierarchies() -> dict[str, dict[str, str | None]]:
    """The v1 hierarchies of the host: name of the mount point, and the options that mount the same again."""
    with open("/proc/self/mountinfo") as file:
        entries = [line.split() for line in file]
    found = {entry[4]: entry[entry.index("-") + 3] for entry in entries if entry[entry.index("-") + 1] == "cgroup"}
    return {os.path.basename(mountpoint): _v1_options(options) for mountpoint, options in found.items()}


def _v1_options(superblock: str) -> dict[str, str | None]:
    options = [each for each in superblock.split(",") if each not in ("rw", "ro", "xattr", "clone_children")]
    pairs = (option.partition("=") for option in options)
    return {key: value or None for key, _, value in pairs if key != "release_agent"}


def _attach_v1(top: int, name: str, data: dict[str, str | None], attributes: int) -> None:
    os.mkdir(name, 0o755, dir_fd=top)
    made = sys.new_mount("cgroup", data, attributes)
    target = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=top)
    sys.move_mount(made, target)
    os.close(target)
    os.close(made)
