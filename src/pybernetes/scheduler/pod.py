"""What the scheduler knows of a pod, worked out once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import Struct

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.held import held
from pybernetes.scheduler.resources import Amounts, pod_requests
from pybernetes.scheduler.terms import Terms, terms_of

HostPort = tuple[str, str, int]
"""(address, protocol, port); address "0.0.0.0" stands for all."""

ClaimKey = tuple[str, str]
"""(namespace, name)"""

REMEMBERED: Final = 4096
_encode = msgspec.json.Encoder().encode


class Needs(Struct, frozen=True, eq=False):
    """The part of a pod that node-local plugins look at: pods that are alike in it share it.

    `shape` is equal for pods that every node suits equally well, as far as no other pods count.
    """

    shape: bytes
    requests: Amounts
    scoring_requests: Amounts
    host_ports: frozenset[HostPort]
    required_terms: list[core.NodeSelectorTerm]
    """The alternatives of required node affinity; empty if there is none."""
    preferred_terms: list[core.PreferredSchedulingTerm]
    named_nodes: frozenset[str] | None
    """The only nodes that the required terms leave, where all of them name nodes, as those of a DaemonSet's pods do."""

    @classmethod
    def of(cls, spec: core.PodSpec) -> Needs:
        """Remembered, since most pods are made of few templates."""
        shape = _encode((
            spec.node_selector, spec.affinity, spec.tolerations, spec.overhead, spec.resources,
            [(each.resources, each.ports, each.image) for each in spec.containers],
            [(each.resources, each.ports, each.image, each.restart_policy) for each in spec.init_containers],
        ))  # fmt: skip
        known = _remembered.get(shape)
        if known is None:
            if len(_remembered) >= REMEMBERED:
                _remembered.clear()
            known = _remembered[shape] = cls._made(shape, spec)
        return known

    @classmethod
    def _made(cls, shape: bytes, spec: core.PodSpec) -> Needs:
        affinity = spec.affinity.node_affinity if spec.affinity else None
        required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
        terms = required.node_selector_terms if required else []
        return cls(
            shape,
            pod_requests(spec),
            pod_requests(spec, defaulted=True),
            _host_ports(spec),
            terms,
            affinity.preferred_during_scheduling_ignored_during_execution if affinity else [],
            _named(terms),
        )


_remembered: dict[bytes, Needs] = {}


def _named(terms: list[core.NodeSelectorTerm]) -> frozenset[str] | None:
    found: set[str] = set()
    for term in terms:
        names = [set(one.values) for one in term.match_fields if (one.key, one.operator) == ("metadata.name", "In")]
        if not names:
            return None
        found |= set.intersection(*names)
    return frozenset(found) if terms else None


def _host_ports(spec: core.PodSpec) -> frozenset[HostPort]:
    return frozenset(
        (port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
        for container in (*spec.containers, *spec.init_containers)
        for port in container.ports
        if port.host_port
    )


@dataclass(slots=True, eq=False)
class PodInfo:
    """A pod to place or placed. Compared by identity: a changed pod is a new PodInfo."""

    pod: core.Pod
    attempts: int = 0
    added: float = 0.0
    first: float = 0.0
    """When it came to be scheduled, however often that was tried since."""
    uid: str = field(init=False)
    owner: str = field(init=False, default="")
    """The controller's uid; pods of one owner are kept apart by default. Empty if there is none."""
    _needs: Needs | None = field(init=False, default=None)
    _claims: tuple[ClaimKey, ...] | None = field(init=False, default=None)
    _terms: Terms | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        metadata = self.pod.metadata
        self.uid = metadata.uid or ""
        for owner in metadata.owner_references:
            if owner.controller:
                self.owner = owner.uid
                break

    @property
    def key(self) -> str:
        return f"{self.pod.metadata.namespace}/{self.pod.metadata.name}"

    @property
    def spec(self) -> core.PodSpec:
        return self.pod.spec

    @property
    def priority(self) -> int:
        return self.pod.spec.priority or 0

    @property
    def nominated(self) -> str:
        """The node on which room is made for it; empty if there is none."""
        return self.pod.status.nominated_node_name or ""

    @property
    def needs(self) -> Needs:
        if self._needs is None:
            self._needs = Needs.of(held(self.pod))
        return self._needs

    @property
    def claims(self) -> tuple[ClaimKey, ...]:
        """The claims that it mounts; those of its generic ephemeral volumes are named after it."""
        if self._claims is None:
            metadata = self.pod.metadata
            self._claims = tuple([
                (metadata.namespace or "", source.claim_name if source else f"{metadata.name}-{volume.name}")
                for volume in self.pod.spec.volumes
                if (source := volume.persistent_volume_claim) or volume.ephemeral
            ])  # fmt: skip
        return self._claims

    @property
    def ephemeral_claims(self) -> frozenset[ClaimKey]:
        """Those of `claims` that are made for it."""
        own = {f"{self.pod.metadata.name}-{volume.name}" for volume in self.pod.spec.volumes if volume.ephemeral}
        return frozenset(key for key in self.claims if key[1] in own)

    @property
    def terms(self) -> Terms:
        """What it says of other pods."""
        if self._terms is None:
            self._terms = terms_of(self.pod.metadata.namespace or "", self.pod.spec.affinity)
        return self._terms
