"""What a runtime is told when it starts."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.runtime.network.bridge import BridgeConfig


@dataclass(frozen=True, slots=True)
class Options:
    """`root` is the runtime's alone; `oci_runtime` is auto, builtin, runc or crun; without `bridge`, pods get no network.

    `netns` is where the node's network namespace is pinned, if it is not the one of this process.

    `cgroup` is the parent of the monitors' cgroup and of sandboxes that name none. `streaming` is where exec, attach
    and port-forward are served: `host:port` of TCP, or the path of a unix socket.
    """

    root: Path
    oci_runtime: str = "auto"
    bridge: BridgeConfig | None = None
    netns: Path | None = None
    cgroup: str = "/pybernetes"
    streaming: str = "127.0.0.1:0"
    mtu: int = 1500
    clock: Clock = field(default_factory=SystemClock)
    new_id: Callable[[], str] = field(default=lambda: secrets.token_hex(32))


def bridge_config(name: str, node_range: str, pod_range: str, service_range: str, uplink: str = "") -> BridgeConfig:
    """From text, as flags have it."""
    return BridgeConfig(name, IPv4Network(node_range), IPv4Network(pod_range), IPv4Network(service_range), uplink)
