"""Which nodes a profile has on this machine, and what the next one is called. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from ipaddress import IPv4Network

from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.node import Member, Node
from pybernetes.cluster.profile import Profile

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class NodesError(ClusterError):
    """There is no such node, or there cannot be one."""


class NodeNameError(NodesError):
    """No node can have that name."""

    is_usage = True


def find(profile: Profile, name: str) -> Node:
    """By its name, or by what it has beside the profile's (`m02`). Raises NodesError."""
    for node in profile.nodes:
        if name in (node.name, node.name.removeprefix(f"{profile.name}-")):
            return node
    names = ", ".join(node.name for node in profile.nodes)
    raise NodesError(f"cluster {profile.name!r} has no node {name!r} on this machine", f"there are: {names}")


def joined(profile: Profile, name: str = "", ranges: Collection[str] = ()) -> Profile:
    """With one more node, called as minikube would (`<profile>-m02`) unless it has a `name`.

    `ranges` are parts of the pod range that nodes elsewhere have. Raises NodesError.
    """
    taken = {node.number for node in profile.nodes}
    # Each has a /24 of the pod range, whose last one belongs to load balancers.
    parts = IPv4Network(profile.settings.pod_cidr).num_addresses // 256
    candidates = (Node(profile, "", number) for number in range(1, parts - 1) if number not in taken)
    free = next((each.number for each in candidates if each.pod_cidr not in ranges), None)
    if free is None:
        raise NodesError(f"the pod range {IPv4Network(profile.settings.pod_cidr)} has no part left for a node")
    member = Member(name or _next_name(profile), free)
    if not NAME.fullmatch(member.name):
        raise NodeNameError(f"node name {member.name!r} is not valid", "use lower-case letters, digits and '-'")
    # Sockets, certificates and logs are called after what a node has beside the profile's name.
    suffix = Node(profile, member.name, free).named("")
    if any(node.name == member.name or node.named("") == suffix for node in profile.nodes):
        raise NodesError(f"cluster {profile.name!r} has a node {member.name!r} already", "p8s node list")
    return profile.changed({"nodes": [*profile.settings.nodes, member]})


def grown(profile: Profile, count: int) -> Profile:
    """With `count` nodes. Raises NodesError if it has more: none is thrown away unasked."""
    if count < 1:
        raise NodesError(f"a cluster has at least one node, not {count}")
    if count < len(profile.nodes):
        names = " ".join(node.name for node in profile.nodes[count:])
        raise NodesError(f"cluster {profile.name!r} has {len(profile.nodes)} nodes", f"p8s node delete {names}")
    while len(profile.nodes) < count:
        profile = joined(profile)
    return profile


def without(profile: Profile, node: Node) -> Profile:
    """Without this one, which is not the first."""
    return profile.changed({"nodes": [each for each in profile.settings.nodes if each.name != node.name]})


def marked(profile: Profile, node: Node, *, stopped: bool) -> Profile:
    """With this node stopped, or not."""
    members = [replace(each, stopped=stopped) if each.name == node.name else each for each in profile.settings.nodes]
    return profile.changed({"nodes": members})


def _next_name(profile: Profile) -> str:
    names = {node.name for node in profile.nodes}
    return next(name for number in range(2, 1000) if (name := f"{profile.name}-m{number:02}") not in names)
