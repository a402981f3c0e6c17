"""What the scheduler knows of a pod, worked out once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.resources import Amounts, pod_requests

HostPort = tuple[str, str, int]
"""(address, protocol, port); address "0.0.0.0" stands for all."""


@dataclass(frozen=True, eq=False)
class PodInfo:
    """A pod to place or placed. Compared by identity: a changed pod is a new PodInfo."""

    pod: core.Pod
    attempts: int = 0
    added: float = 0.0
    rejected_by: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def key(self) -> str:
        return f"{self.pod.metadata.namespace}/{self.pod.metadata.name}"

    @cached_property
    def uid(self) -> str:
        return self.pod.metadata.uid or ""

    @property
    def spec(self) -> core.PodSpec:
        return self.pod.spec

    @cached_property
    def priority(self) -> int:
        return self.pod.spec.priority or 0

    @cached_property
    def requests(self) -> Amounts:
        return pod_requests(self.pod.spec)

    @cached_property
    def scoring_requests(self) -> Amounts:
        return pod_requests(self.pod.spec, defaulted=True)

    @cached_property
    def owner(self) -> str:
        """The controller's uid; pods of one owner are kept apart by default. Empty if there is none."""
        owners = self.pod.metadata.owner_references
        return next((owner.uid for owner in owners if owner.controller), "")

    @cached_property
    def host_ports(self) -> frozenset[HostPort]:
        return frozenset(
            (port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
            for container in (*self.pod.spec.containers, *self.pod.spec.init_containers)
            for port in container.ports
            if port.host_port
        )

    @cached_property
    def claims(self) -> tuple[tuple[str, str], ...]:
        """The claims that it mounts, as (namespace, name); those of its generic ephemeral volumes are named after it."""
        metadata = self.pod.metadata
        return tuple(
            (metadata.namespace or "", source.claim_name if source else f"{metadata.name}-{volume.name}")
            for volume in self.pod.spec.volumes
            if (source := volume.persistent_volume_claim) or volume.ephemeral
        )

    @cached_property
    def ephemeral_claims(self) -> frozenset[tuple[str, str]]:
        """Those of `claims` that are made for it."""
        own = {f"{self.pod.metadata.name}-{volume.name}" for volume in self.pod.spec.volumes if volume.ephemeral}
        return frozenset(key for key in self.claims if key[1] in own)

    @cached_property
    def required_terms(self) -> list[core.NodeSelectorTerm]:
        """The alternatives of required node affinity; empty if there is none."""
        affinity = self.pod.spec.affinity
        required = affinity and affinity.node_affinity
        if not required or not required.required_during_scheduling_ignored_during_execution:
            return []
        return required.required_during_scheduling_ignored_during_execution.node_selector_terms

    @cached_property
    def preferred_terms(self) -> list[core.PreferredSchedulingTerm]:
        affinity = self.pod.spec.affinity
        if not affinity or not affinity.node_affinity:
            return []
        return affinity.node_affinity.preferred_during_scheduling_ignored_during_execution

    @cached_property
    def refuses_others(self) -> bool:
        """Whether it has required anti-affinity, which other pods must respect."""
        affinity = self.pod.spec.affinity
        side = affinity.pod_anti_affinity if affinity else None
        return bool(side and side.required_during_scheduling_ignored_during_execution)

    @cached_property
    def signature(self) -> bytes:
        """Equal for pods that every node suits equally well: the part of them that node-local plugins look at."""
        spec = self.pod.spec
        seen = (
            spec.node_name, sorted(spec.node_selector.items()), self.required_terms, self.preferred_terms,
            spec.tolerations, sorted(self.host_ports), sorted(self.requests.items()),
            sorted(self.scoring_requests.items()), self.owner, [c.image for c in spec.containers],
        )  # fmt: skip
        return msgspec.json.encode(seen)
