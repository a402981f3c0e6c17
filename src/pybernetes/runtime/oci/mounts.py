"""The mounts of a container: kernel file systems, the sandbox's files, and what the kubelet asks for."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError
from pybernetes.wire.images.ignore import clean

_PROPAGATION = {
    t.MountPropagation.PROPAGATION_PRIVATE: "rprivate",
    t.MountPropagation.PROPAGATION_HOST_TO_CONTAINER: "rslave",
    t.MountPropagation.PROPAGATION_BIDIRECTIONAL: "rshared",
}
_SAFE = ["nosuid", "noexec", "nodev"]


class Around(Struct, frozen=True):
    """What a container's mounts depend on beside those that are asked for.

    `sandbox_files` maps a path in the container to the file or directory of its sandbox that is bound there; `users`
    are the ids of its user namespace, if its pod has one.
    """

    sandbox_files: dict[str, Path]
    privileged: bool = False
    readonly_root: bool = False
    users: t.UserNamespace | None = None


def build_mounts(asked: list[t.Mount], around: Around) -> list[dict[str, Any]]:
    """In the order in which they are mounted, a directory before what lies in it. What is asked for replaces a default.

    Raises InvalidError.
    """
    mounts = {mount["destination"]: mount for mount in _kernel_mounts(around.privileged)}
    own = _mapped(around.users.uids, around.users.gids) if around.users is not None else {}
    for destination, source in around.sandbox_files.items():
        access = "ro" if around.readonly_root and destination.startswith("/etc/") else "rw"
        mounts[destination] = _bind(destination, str(source), [access, "rprivate"]) | own
    for mount in asked:
        destination = _normal(mount.container_path)
        mapped = _mapped(mount.uid_mappings, mount.gid_mappings)
        if mapped and mapped != own:
            raise InvalidError("mounts can have the ids of their pod's user namespace only")
        mounts[destination] = _asked(mount, destination)
    return sorted(mounts.values(), key=lambda mount: len([part for part in mount["destination"].split("/") if part]))


def _kernel_mounts(privileged: bool) -> list[dict[str, Any]]:
    access = "rw" if privileged else "ro"
    return [
        _new("/proc", "proc", _SAFE),
        _new("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _new("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        _new("/dev/mqueue", "mqueue", _SAFE),
        _new("/sys", "sysfs", [*_SAFE, access]),
        _new("/sys/fs/cgroup", "cgroup", [*_SAFE, "relatime", access]),
    ]


def _new(destination: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": kind, "options": options}


def _bind(destination: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": "bind", "source": source, "options": ["rbind", *options]}


def _asked(mount: t.Mount, destination: str) -> dict[str, Any]:
    if mount.recursive_read_only and not mount.readonly:
        raise InvalidError("recursive_read_only requires readonly")
    if mount.image is not None:  # whose layers have been mapped
        return _bind(destination, mount.host_path, ["ro", *_SAFE, _PROPAGATION[mount.propagation]])
    access = "rro" if mount.recursive_read_only else "ro" if mount.readonly else "rw"
    made = _bind(destination, mount.host_path, [access, _PROPAGATION[mount.propagation]])
    return made | _mapped(mount.uid_mappings, mount.gid_mappings)


def _mapped(uids: list[t.IDMapping], gids: list[t.IDMapping]) -> dict[str, Any]:
    """The fields by which a mount is seen with other ids than it has."""
    return {"uidMappings": build_mapping(uids), "gidMappings": build_mapping(gids)} if uids or gids else {}


def build_mapping(mapping: list[t.IDMapping]) -> list[dict[str, int]]:
    """Ranges of ids as OCI has them."""
    return [{"containerID": each.container_id, "hostID": each.host_id, "size": each.length} for each in mapping]


def _normal(path: str) -> str:
    """Absolute, without `.`, `..` and doubled slashes; the root itself cannot be a mount point."""
    normal = clean(path)
    if not normal:
        raise InvalidError(f"invalid mount path {path!r}")
    return "/" + normal
