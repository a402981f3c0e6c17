"""One node of this machine: its names, addresses and places."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pybernetes.cluster.profile import Profile


@dataclass(frozen=True, slots=True)
class Member:
    """A node beside the first, as the settings keep it. `number` says which part of the pod range is its own."""

    name: str
    number: int
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A node of `profile`. The first, number 0, lives in the machine's own network namespace, others in theirs."""

    profile: Profile
    name: str
    number: int = 0
    stopped: bool = False

    @property
    def is_first(self) -> bool:
        return self.number == 0

    @property
    def pod_cidr(self) -> str:
        """Its /24 of the pod range, in dotted form."""
        whole = ipaddress.IPv4Network(self.profile.settings.pod_cidr)
        return f"{whole[256 * self.number]}/24"

    @property
    def address(self) -> str:
        """The gateway of its pods, which is the node's own address."""
        return str(ipaddress.IPv4Network(self.pod_cidr)[1])

    @property
    def state(self) -> Path:
        """What it keeps; the first node's is the profile's own directory."""
        return self.profile.state if self.is_first else self.profile.state / "nodes" / self.name

    @property
    def pod_logs(self) -> Path:
        return (self.profile.logs if self.is_first else self.state / "logs") / "pods"

    @property
    def cgroup(self) -> str:
        """The parent of all cgroups of its pods."""
        own = f"/pybernetes/{self.profile.name}"
        return own if self.is_first else f"{own}/nodes/{self.name}"

    @property
    def bridge_link(self) -> str:
        """The machine's end of its uplink, a port of the first node's bridge."""
        return f"{self.profile.bridge}-n{self.number}"

    @property
    def runtime_socket(self) -> Path:
        return self.profile.run / f"{self.named('runtime')}.sock"

    @property
    def resolv_conf(self) -> Path:
        """What its pods and its resolver take for the machine's own.

        The machine's may name a resolver on loopback, which only the first node reaches: the others ask that node.
        """
        return Path("/etc/resolv.conf") if self.is_first else self.state / "resolv.conf"

    @property
    def namespace(self) -> Path | None:
        """Where its network namespace is pinned; None for the machine's own."""
        return None if self.is_first else self.profile.run / "netns" / self.name

    def named(self, what: str) -> str:
        """The name of one of its parts among the profile's: `agent` of the first node, `agent-m02` of the second."""
        return what if self.is_first else f"{what}-{self.name.removeprefix(self.profile.name + '-')}"
