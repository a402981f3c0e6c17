"""What the simulator looks at of pods and nodes: less to decode and to keep than the whole objects, of which it has many."""

from __future__ import annotations

from typing import Any

import msgspec

from pybernetes.api.types.base import Object


class Owner(Object, frozen=True, kw_only=True):
    """An owner's kind is all that matters."""

    kind: str = ""


class Meta(Object, frozen=True, kw_only=True):
    """Part of ObjectMeta."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None


class Probe(Object, frozen=True, kw_only=True):
    """When a probe would ask."""

    initial_delay_seconds: int = 0
    period_seconds: int = 10


class Resources(Object, frozen=True, kw_only=True):
    """Requests and limits, as written."""

    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}


class Container(Object, frozen=True, kw_only=True):
    """Part of Container; init containers too."""

    name: str = ""
    image: str = ""
    restart_policy: str = ""
    resources: Resources = Resources()
    readiness_probe: Probe | None = None

    @property
    def is_sidecar(self) -> bool:
        """Of an init container: whether it goes on beside the others."""
        return self.restart_policy == "Always"


class Gate(Object, frozen=True, kw_only=True):
    """A readiness gate."""

    condition_type: str = ""


class PodSpec(Object, frozen=True, kw_only=True):
    """Part of PodSpec."""

    node_name: str = ""
    restart_policy: str = "Always"
    host_network: bool = False
    containers: list[Container] = []
    init_containers: list[Container] = []
    readiness_gates: list[Gate] = []


class PodStatus(Object, frozen=True, kw_only=True):
    """Part of PodStatus; the statuses of containers as they are."""

    phase: str = ""
    start_time: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    conditions: list[dict[str, Any]] = []
    container_statuses: list[dict[str, Any]] = []


class Pod(Object, frozen=True, kw_only=True):
    """A pod."""

    metadata: Meta = Meta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.metadata.namespace, self.metadata.name)


class NodeSpec(Object, frozen=True, kw_only=True):
    """Part of NodeSpec."""

    pod_cidr: str = msgspec.field(default="", name="podCIDR")


class NodeStatus(Object, frozen=True, kw_only=True):
    """Part of NodeStatus; conditions and addresses as they are."""

    capacity: dict[str, Any] = {}
    conditions: list[dict[str, Any]] = []
    addresses: list[dict[str, Any]] = []
    daemon_endpoints: dict[str, Any] = {}


class Node(Object, frozen=True, kw_only=True):
    """A node."""

    metadata: Meta = Meta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()
