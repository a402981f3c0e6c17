"""Mirrors Endpoints that users write for Services without a selector into EndpointSlices."""

from __future__ import annotations

from ipaddress import ip_address

from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController
from pybernetes.controllers.endpoints.backends import Port
from pybernetes.controllers.endpoints.slice_controller import SERVICE_INDEX, service_key, write_slices
from pybernetes.controllers.endpoints.slices import (
    MANAGED_BY_LABEL,
    MIRROR_MANAGER,
    SERVICE_LABEL,
    Group,
    SlicePlan,
    blank_slice,
    plan_slices,
)  # fmt: skip

SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
MAX_ADDRESSES = 1000


class EndpointSliceMirroringController(KeyedController):
    """Keeps slices equal to hand-made Endpoints."""

    name = "endpointslice-mirroring-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.services = context.informers.of(core_v1.Service)
        self.endpoints = context.informers.of(core_v1.Endpoints)
        self.slices = context.informers.of(discovery_v1.EndpointSlice)
        self.slices.add_index(SERVICE_INDEX, service_key)
        self.services.subscribe(self.enqueue_change)
        self.endpoints.subscribe(self.enqueue_change)
        self.slices.subscribe(self._on_slice)

    def _on_slice(self, old: discovery_v1.EndpointSlice | None, new: discovery_v1.EndpointSlice | None) -> None:
        """A slice that somebody changed or deleted is put right."""
        found = new or old
        if found is not None and found.metadata.labels.get(MANAGED_BY_LABEL) == MIRROR_MANAGER:
            self.queue.add((found.metadata.namespace or "", found.metadata.labels.get(SERVICE_LABEL, "")))

    async def reconcile(self, key: Key) -> None:
        service, endpoints = self.services.get(key[1], key[0]), self.endpoints.get(key[1], key[0])
        existing = [
            found
            for found in self.slices.by_index(SERVICE_INDEX, f"{key[0]}/{key[1]}")
            if found.metadata.labels.get(MANAGED_BY_LABEL) == MIRROR_MANAGER
        ]
        if service is None or service.spec.selector or endpoints is None or not is_mirrored(endpoints):
            await write_slices(self, SlicePlan(delete=existing))
            return
        for family in ("IPv4", "IPv6"):
            of_family = [found for found in existing if found.address_type == family]
            groups = mirrored_groups(endpoints, family)
            if not groups and not of_family:
                continue
            blank = blank_slice(service, family, MIRROR_MANAGER, None)
            plan = plan_slices(blank, of_family, groups) if groups else SlicePlan(delete=of_family)
            await write_slices(self, plan)


def is_mirrored(endpoints: core_v1.Endpoints) -> bool:
    """Not when their writer asks to be left alone, nor for the leases of old leader elections."""
    meta = endpoints.metadata
    return meta.labels.get(SKIP_MIRROR) != "true" and LEADER not in meta.annotations


def mirrored_groups(endpoints: core_v1.Endpoints, family: str) -> list[Group]:
    """The endpoints of one address family by their ports, at most a thousand addresses of each subset."""
    version = 6 if family == "IPv6" else 4
    groups: dict[tuple[Port, ...], list[discovery_v1.Endpoint]] = {}
    for subset in endpoints.subsets:
        addresses = [(address, True) for address in subset.addresses]
        addresses += [(address, False) for address in subset.not_ready_addresses]
        found = [_endpoint(address, ready) for address, ready in addresses[:MAX_ADDRESSES] if ip_address(address.ip).version == version]  # fmt: skip
        ports = tuple(
            Port(port.name or "", port.port, port.protocol or "TCP", port.app_protocol) for port in subset.ports
        )
        if found:
            groups.setdefault(ports, []).extend(found)
    return [Group(ports, found) for ports, found in groups.items()]


def _endpoint(address: core_v1.EndpointAddress, ready: bool) -> discovery_v1.Endpoint:
    return discovery_v1.Endpoint(
        addresses=[address.ip],
        conditions=discovery_v1.EndpointConditions(ready=ready),
        hostname=address.hostname,
        node_name=address.node_name,
        target_ref=address.target_ref,
    )
