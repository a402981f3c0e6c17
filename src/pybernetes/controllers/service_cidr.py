"""The ranges that service addresses are taken from: one is ready from the start, and goes when no address needs it.

An address needs a range that alone contains it; one that lies within another range may always go (KEP-1880).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from pybernetes.api.time import format_time, parse_time
from pybernetes.api.types import networking_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
MANAGED = "ipaddress.kubernetes.io/managed-by=ipallocator.k8s.io"
GRACE_SECONDS = 10.0
"""Until every server has heard that it takes no more addresses of a range; also between two looks at one in use."""
IN_USE = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"

ServiceCIDR = networking_v1.ServiceCIDR


def is_within(cidr: ServiceCIDR, others: Iterable[ServiceCIDR]) -> bool:
    """Whether each network of a range is part of another's, so that it is missed by nobody."""
    networks = [ip_network(text) for other in others for text in other.spec.cidrs]
    return all(
        any(own.version == each.version and own.subnet_of(each) for each in networks)  # type: ignore[arg-type]
        for own in map(ip_network, cidr.spec.cidrs)
    )


def needs(address: str, cidr: ServiceCIDR, others: Iterable[ServiceCIDR]) -> bool:
    """Whether the address is of this range and of no other."""
    found = ip_address(address)
    return _contains(cidr, found) and not any(_contains(other, found) for other in others)


def _contains(cidr: ServiceCIDR, address: Any) -> bool:
    return any(address in ip_network(text) for text in cidr.spec.cidrs)


class ServiceCIDRController(KeyedController):
    """Keys are ranges. Addresses are only looked at while a range is to go."""

    name = "service-cidr-controller"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.cidrs = context.informers.of(ServiceCIDR)
        self.cidrs.subscribe(self._on_cidr)

    def _on_cidr(self, old: ServiceCIDR | None, new: ServiceCIDR | None) -> None:
        """One that came may be what another waited for."""
        self.enqueue_change(old, new)
        for other in self.cidrs.list():
            if old is None and other.metadata.deletion_timestamp is not None:
                self.enqueue(other)

    async def reconcile(self, key: Key) -> float | None:
        cidr = self.cidrs.get(key[1])
        if cidr is None:
            return None
        if cidr.metadata.deletion_timestamp is not None:
            return await self._end(cidr, cidr.metadata.deletion_timestamp)
        if FINALIZER not in cidr.metadata.finalizers:
            await self._patch(cidr, {"metadata": {"finalizers": [FINALIZER]}})
        await self._say(cidr, "True", "", "Kubernetes Service CIDR is ready")
        return None

    async def _end(self, cidr: ServiceCIDR, since: str) -> float | None:
        if FINALIZER not in cidr.metadata.finalizers:
            return None
        others = [other for other in self.cidrs.list() if other.metadata.name != cidr.metadata.name]
        if not is_within(cidr, others) and await self._is_needed(cidr, others):
            await self._say(cidr, "False", "Terminating", IN_USE)
            return GRACE_SECONDS
        left = GRACE_SECONDS - (self.context.clock.now() - parse_time(since)).total_seconds()
        if left > 0:
            return left
        taken = {"metadata": {"uid": cidr.metadata.uid, "$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
        await self._patch(cidr, taken)
        return None

    async def _is_needed(self, cidr: ServiceCIDR, others: Sequence[ServiceCIDR]) -> bool:
        found = await self.client.list(networking_v1.IPAddress, label_selector=MANAGED)
        return any(needs(each.metadata.name or "", cidr, others) for each in found.items)

    async def _say(self, cidr: ServiceCIDR, status: str, reason: str, message: str) -> None:
        known = next((found for found in cidr.status.conditions if found.type == "Ready"), None)
        if known is not None and (known.status, known.reason) == (status, reason):
            return
        made = {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": format_time(self.context.clock.now()),
        }
        await self._patch(cidr, {"status": {"conditions": [made]}}, subresource="status")

    async def _patch(self, cidr: ServiceCIDR, patch: dict[str, Any], subresource: str = "") -> None:
        name = cidr.metadata.name or ""
        call = self.client.patch(ServiceCIDR, name, "", patch, PatchType.STRATEGIC, subresource=subresource)
        await ignore_not_found(call)
