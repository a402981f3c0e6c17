"""User namespaces (KEP-127): a pod's ids are others than the node's, and its root is nobody there."""

import os
import socket
from collections.abc import Sequence
from typing import Any

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.launcher import message

Mapping = Sequence[dict[str, int]]
"""As in an OCI config: `containerID`, `hostID` and `size` of each range."""


def are_mapped(config: dict[str, Any]) -> bool:
    """Whether the container of an OCI config lives in a user namespace."""
    return any(each["type"] == "user" for each in config["linux"]["namespaces"])


def on_host(mapping: Mapping, number: int) -> int:
    """What a container's uid or gid is on the node; itself where nothing is mapped."""
    for each in mapping:
        if each["containerID"] <= number < each["containerID"] + each["size"]:
            return each["hostID"] + number - each["containerID"]
    return number


def write_mappings(pid: int, uids: Mapping, gids: Mapping) -> None:
    """Give the new user namespace of the process its ids; by root of the namespace above."""
    for name, mapping in (("uid_map", uids), ("gid_map", gids)):
        lines = [f"{each['containerID']} {each['hostID']} {each['size']}\n" for each in mapping]
        # The kernel takes the whole map in one write.
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write("".join(lines))


def enter(namespace: int) -> None:
    """Join the user namespace, as its root. There is no way back."""
    sys.setns(namespace, sys.CLONE_NEWUSER)
    become_root()


def become_root() -> None:
    """Be root of the user namespace that one has come into, where the node's own ids are nobody's."""
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def map_tree(tree: int, namespace: int, source: str) -> None:
    """Show a detached tree with the ids of the user namespace. Raises OSError."""
    try:
        sys.map_ids(tree, namespace)
    except OSError as error:
        hint = "(maybe the filesystem used doesn't support idmap mounts on this kernel?)"
        reason = (error.strerror or "").rpartition(": ")[2].lower()
        raise OSError(error.errno, f"failed to set MOUNT_ATTR_IDMAP on {source}: {reason} {hint}") from error


def try_mapping(request: dict[str, Any], reply: socket.socket, fds: list[int]) -> None:
    """Map what is at `request["path"]`, and a file system in memory, as pods' volumes are; an error is the answer if not."""
    waiting, end = os.pipe2(os.O_CLOEXEC)
    pid = sys.clone(sys.CLONE_NEWUSER)
    if pid == 0:
        os.close(end)
        os.read(waiting, 1)
        os._exit(0)
    every = [{"containerID": 0, "hostID": 1 << 16, "size": 1 << 16}]
    write_mappings(pid, every, every)
    namespace = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    path = request["path"]
    map_tree(sys.open_tree(sys.AT_FDCWD, path), namespace, path)
    map_tree(sys.new_mount("tmpfs", {}), namespace, "tmpfs")
    message.send(reply, {})
