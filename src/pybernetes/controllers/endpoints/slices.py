"""Cutting endpoints into EndpointSlices, with as few changes to the slices that are there as possible: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, field

from pybernetes.api.types import core_v1, discovery_v1, meta_v1
from pybernetes.controllers.endpoints.backends import HEADLESS_LABEL, TRIGGER_TIME, Port, is_headless
from pybernetes.controllers.ownership import reference

replace = msgspec.structs.replace

MAX_ENDPOINTS = 100
SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
MIRROR_MANAGER = "endpointslicemirroring-controller.k8s.io"

Slice = discovery_v1.EndpointSlice


class Group(Struct, frozen=True):
    """Endpoints that offer the same ports."""

    ports: tuple[Port, ...]
    endpoints: Sequence[discovery_v1.Endpoint]


class SlicePlan(Struct):
    """What to write so that the slices say what they should."""

    create: list[Slice] = field(default_factory=list)
    update: list[Slice] = field(default_factory=list)
    delete: list[Slice] = field(default_factory=list)


def plan_slices(blank: Slice, existing: Iterable[Slice], groups: Iterable[Group]) -> SlicePlan:
    """Compare slices of one address family with the endpoints that should be in them.

    `blank` is a slice without endpoints: its name prefix, labels and owner are those of new ones, its labels and
    annotations those of all. Without any endpoint one empty slice stays, to tell that there is none.
    """
    plan = SlicePlan()
    left: dict[object, list[Slice]] = {}
    for found in existing:
        left.setdefault(_port_key(found.ports), []).append(found)
    wanted = [group for group in groups if group.endpoints]
    for group in wanted or [Group((), ())]:
        ports = [_port(port) for port in group.ports]
        _plan_group(plan, replace(blank, ports=ports), left.pop(_port_key(ports), []), group.endpoints)
    for abandoned in left.values():
        plan.delete += abandoned
    return plan


def _plan_group(
    plan: SlicePlan, blank: Slice, existing: Sequence[Slice], endpoints: Sequence[discovery_v1.Endpoint]
) -> None:
    """Keep each endpoint in the slice where it is; put new ones where there is room, most filled slices first."""
    missing = {_identity(endpoint): endpoint for endpoint in endpoints}
    kept = [[missing.pop(key) for old in found.endpoints if (key := _identity(old)) in missing] for found in existing]
    for content in sorted(kept, key=len, reverse=True):
        for key in list(missing)[: max(0, MAX_ENDPOINTS - len(content))]:
            content.append(missing.pop(key))
    fresh = list(missing.values())
    chunks = [fresh[at : at + MAX_ENDPOINTS] for at in range(0, len(fresh), MAX_ENDPOINTS)]
    if not existing and not chunks:
        chunks = [[]]
    plan.create += [replace(blank, endpoints=chunk) for chunk in chunks]
    _plan_existing(plan, blank, existing, kept, keeps_one=not endpoints)


def _plan_existing(
    plan: SlicePlan, blank: Slice, existing: Sequence[Slice], kept: Sequence[list[discovery_v1.Endpoint]], *,
    keeps_one: bool,
) -> None:  # fmt: skip
    for found, content in zip(existing, kept, strict=True):
        if not content and not keeps_one:
            plan.delete.append(found)
            continue
        keeps_one = keeps_one and bool(content)
        labels = {**_foreign(found.metadata.labels), **blank.metadata.labels}
        if content == found.endpoints and labels == found.metadata.labels:
            continue
        annotations = {**found.metadata.annotations, **blank.metadata.annotations}
        metadata = replace(found.metadata, labels=labels, annotations=annotations)
        plan.update.append(replace(found, endpoints=content, metadata=metadata))


def _foreign(labels: dict[str, str]) -> dict[str, str]:
    """Labels that stay when the Service does not have them (any more)."""
    return {key: value for key, value in labels.items() if key in (SERVICE_LABEL, MANAGED_BY_LABEL)}


def _identity(endpoint: discovery_v1.Endpoint) -> tuple[str, str]:
    uid = endpoint.target_ref.uid if endpoint.target_ref is not None else ""
    return (endpoint.addresses[0], uid or "")


def _port(port: Port) -> discovery_v1.EndpointPort:
    return discovery_v1.EndpointPort(
        name=port.name, port=port.number, protocol=port.protocol, app_protocol=port.app_protocol
    )


def _port_key(ports: Iterable[discovery_v1.EndpointPort]) -> object:
    return frozenset((port.name or "", port.port, port.protocol or "TCP", port.app_protocol) for port in ports)


def blank_slice(service: core_v1.Service, family: str, manager: str, trigger: str | None) -> Slice:
    """A slice of the Service without endpoints."""
    labels = {key: value for key, value in service.metadata.labels.items() if key not in (SERVICE_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL)}  # fmt: skip
    labels |= {SERVICE_LABEL: service.metadata.name or "", MANAGED_BY_LABEL: manager}
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    return Slice(
        address_type=family,
        metadata=meta_v1.ObjectMeta(
            generate_name=f"{service.metadata.name}-",
            namespace=service.metadata.namespace,
            labels=labels,
            annotations={TRIGGER_TIME: trigger} if trigger else {},
            owner_references=[reference(service)],
        ),
    )
