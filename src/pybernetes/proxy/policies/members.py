"""Pods as policies see them, and the selectors that find them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from pybernetes.api.selectors import labels
from pybernetes.api.selectors.labels import LabelSelector
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import networking_v1 as networking

Namespaces = Mapping[str, dict[str, str]]
"""Labels by the name of the namespace."""


class NamedPort(Struct, frozen=True):
    """A port of a container; `protocol` as the backend writes it ("tcp")."""

    name: str
    protocol: str
    number: int


class Member(Struct, frozen=True):
    """A pod with an address of its own; `is_local` if it runs on this node."""

    namespace: str
    name: str
    labels: dict[str, str]
    address: str
    is_local: bool
    ports: tuple[NamedPort, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


def member_of(pod: v1.Pod, node_name: str) -> Member | None:
    """None for pods that policies are not about: without an address yet, ended, or on the node's own network."""
    address = pod.status.pod_ip or ""
    if not address or ":" in address or pod.spec.host_network or pod.status.phase in ("Succeeded", "Failed"):
        return None
    containers = (*pod.spec.containers, *(one for one in pod.spec.init_containers if one.restart_policy == "Always"))
    ports = tuple(
        NamedPort(port.name, (port.protocol or "TCP").lower(), port.container_port)
        for container in containers
        for port in container.ports
        if port.name
    )
    meta = pod.metadata
    is_local = pod.spec.node_name == node_name
    return Member(meta.namespace or "", meta.name or "", meta.labels, address, is_local, ports)


class Peer(Struct, frozen=True):
    """Pods by labels, in the namespace given or in all whose labels match."""

    pods: LabelSelector
    namespace: str = ""
    namespaces: LabelSelector | None = None

    def matches(self, member: Member, namespaces: Namespaces) -> bool:
        if self.namespaces is None:
            if member.namespace != self.namespace:
                return False
        elif member.namespace not in namespaces or not self.namespaces.matches(namespaces[member.namespace]):
            return False
        return self.pods.matches(member.labels)


def peer_of(peer: networking.NetworkPolicyPeer, namespace: str) -> Peer:
    """A peer that is no block of addresses, of a policy in this namespace."""
    pods = labels.from_struct(peer.pod_selector) if peer.pod_selector is not None else labels.parse("")
    if peer.namespace_selector is None:
        return Peer(pods, namespace)
    return Peer(pods, namespaces=labels.from_struct(peer.namespace_selector))
