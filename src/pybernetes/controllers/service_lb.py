"""The service controller: each LoadBalancer service gets an address of its own, and gives it back when it goes.

The addresses are of `--load-balancer-range`, which the cluster routes to itself: the proxy answers there, so that an
address works as soon as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from pybernetes.api.types import core_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
RETRY_SECONDS = 30.0


class NoAddressError(Exception):
    """No address can be given; the message says why."""


class ServiceLoadBalancerController(KeyedController):
    """Keys are services. Does nothing without a range. One worker: no address is given out twice."""

    name = "service-lb-controller"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.services = context.informers.of(core_v1.Service)
        self.recorder = context.recorder("service-controller")
        if context.options.load_balancer_range:
            self.services.subscribe(self.enqueue_change)

    async def reconcile(self, key: Key) -> float | None:
        service = self.services.get(key[1], key[0])
        if service is None:
            return None
        if service.metadata.deletion_timestamp is not None or service.spec.type != "LoadBalancer":
            if FINALIZER in service.metadata.finalizers:
                await self._release(service)
            return None
        # A service with a class belongs to another implementation (spec.loadBalancerClass).
        if service.spec.load_balancer_class:
            return None
        return await self._ensure(service)

    async def _ensure(self, service: core_v1.Service) -> float | None:
        try:
            address = self._address(service)
        except NoAddressError as error:
            message = f"Error syncing load balancer: failed to ensure load balancer: {error}"
            self.recorder.event(service, "Warning", "SyncLoadBalancerFailed", message)
            return RETRY_SECONDS
        if FINALIZER in service.metadata.finalizers and addresses_of(service) == [address]:
            return None
        self.recorder.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        # The finalizer comes first: from then on nothing is given that would not be taken back.
        if await self._write(service, {"metadata": {"finalizers": [FINALIZER]}}):
            ingress = [{"ip": address, "ipMode": "VIP"}]
            if await self._write(service, {"status": {"loadBalancer": {"ingress": ingress}}}, subresource="status"):
                self.recorder.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")
        return None

    def _address(self, service: core_v1.Service) -> str:
        """What it has, what it asks for, or the first free one. Raises NoAddressError."""
        others = [one for one in self.services.list() if one.metadata.uid != service.metadata.uid]
        used = {address for one in others for address in addresses_of(one)}
        return choose(self.context.options.load_balancer_range, service, used)

    async def _release(self, service: core_v1.Service) -> None:
        self.recorder.event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
        if await self._write(service, {"status": {"loadBalancer": {"ingress": None}}}, subresource="status"):
            await self._write(service, {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}})
        self.recorder.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer")

    async def _write(self, service: core_v1.Service, patch: dict[str, Any], *, subresource: str = "") -> bool:
        """Change this very service; False if it is gone."""
        body = {**patch, "metadata": {**patch.get("metadata", {}), "uid": service.metadata.uid}}
        name, namespace = service.metadata.name or "", service.metadata.namespace or ""

        async def write() -> None:
            stored = await self.client.patch(
                core_v1.Service, name, namespace, body, PatchType.STRATEGIC, subresource=subresource
            )
            if stored.metadata.finalizers or stored.metadata.deletion_timestamp is None:
                self.services.assume(stored)

        return await ignore_not_found(write())


def addresses_of(service: core_v1.Service) -> list[str]:
    balancer = service.status.load_balancer
    return [each.ip for each in balancer.ingress if each.ip] if balancer is not None else []


def choose(range_: str, service: core_v1.Service, used: Iterable[str]) -> str:
    """The service's address out of the range: kept if it has one, as asked by loadBalancerIP, else the first free.

    Raises NoAddressError.
    """
    network, taken = ip_network(range_), set(used)
    wanted = service.spec.load_balancer_ip
    if wanted:
        if wanted not in map(str, network.hosts()):
            raise NoAddressError(f"requested address {wanted} is not in the range {network}")
        if wanted in taken:
            raise NoAddressError(f"requested address {wanted} is in use")
        return wanted
    held = (address for address in addresses_of(service) if ip_address(address) in network)
    free = (str(address) for address in network.hosts())
    found = next((address for source in (held, free) for address in source if address not in taken), None)
    if found is None:
        raise NoAddressError(f"no address of the range {network} is free")
    return found
