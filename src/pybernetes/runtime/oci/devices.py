"""Device nodes and the cgroup's device rules."""

import os
import stat
from collections.abc import Iterator
from typing import Any

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError

_NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


def default_nodes() -> list[dict[str, Any]]:
    """What every container has in /dev."""
    return [
        {"path": f"/dev/{name}", "type": "c", "major": major, "minor": minor, "fileMode": 0o666, "uid": 0, "gid": 0}
        for name, (major, minor) in _NODES.items()
    ]


def default_rules() -> list[dict[str, Any]]:
    """Nothing, but making nodes (not opening them), the nodes above, terminals and the console."""
    return [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "access": "m"},
        {"allow": True, "type": "b", "access": "m"},
        *(_allow("c", major, minor) for major, minor in _NODES.values()),
        _allow("c", 5, 1),
        _allow("c", 5, 2),
        {"allow": True, "type": "c", "major": 136, "access": "rwm"},
    ]


def _allow(kind: str, major: int, minor: int, access: str = "rwm") -> dict[str, Any]:
    return {"allow": True, "type": kind, "major": major, "minor": minor, "access": access}


def build_devices(asked: list[t.Device], privileged: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Nodes and rules. A privileged container has the host's devices and may use any. Raises InvalidError."""
    nodes = {node["path"]: node for node in default_nodes()}
    rules = default_rules()
    if privileged:
        nodes |= {node["path"]: node for node in _host_nodes()}
    for device in asked:
        for path, node in _resolve(device):
            nodes[path] = {**node, "path": path}
            rules.append(_allow(node["type"], node["major"], node["minor"], device.permissions or "rwm"))
    return list(nodes.values()), [{"allow": True, "access": "rwm"}] if privileged else rules


def _resolve(device: t.Device) -> Iterator[tuple[str, dict[str, Any]]]:
    """The device, or every device below it if it is a directory."""
    if os.path.isdir(device.host_path):
        for node in _host_nodes(device.host_path):
            yield device.container_path + node["path"][len(device.host_path) :], node
        return
    found = node_of(os.path.realpath(device.host_path))
    if found is None:
        raise InvalidError(f"lstat {device.host_path}: no such device")
    yield device.container_path or device.host_path, found


_SKIPPED = ("pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console")


def _host_nodes(top: str = "/dev") -> Iterator[dict[str, Any]]:
    for directory, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in files:
            node = node_of(os.path.join(directory, name))
            if node is not None and name not in _SKIPPED:
                yield node


def node_of(path: str) -> dict[str, Any] | None:
    """The device at a path of this machine as a config has it, None if there is none."""
    try:
        info = os.lstat(path)
    except OSError:
        return None
    if not (stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode)):
        return None
    return {
        "path": path,
        "type": "c" if stat.S_ISCHR(info.st_mode) else "b",
        "major": os.major(info.st_rdev),
        "minor": os.minor(info.st_rdev),
        "fileMode": stat.S_IMODE(info.st_mode),
        "uid": info.st_uid,
        "gid": info.st_gid,
    }
