"""Service addresses: each is an IPAddress object, whose creation is what takes the address, on any server of the cluster."""

import ipaddress
import logging
from collections.abc import Sequence
from random import Random

from msgspec import Struct

from pybernetes.api.errors import StatusError, is_already_exists, is_not_found
from pybernetes.api.tree import Tree
from pybernetes.apiserver.allocators.ranges import Network, Range, address_range
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.registry.registry import Registry

log = logging.getLogger(__name__)
FAMILY_LABEL = "ipaddress.kubernetes.io/ip-family"
MANAGED_BY_LABEL = "ipaddress.kubernetes.io/managed-by"
MANAGER = "ipallocator.k8s.io"
ADDRESSES = builtin("networking.k8s.io", "v1", "ipaddresses")


class AllocationError(Exception):
    """The address or port cannot be had; the text is upstream's."""


class RangeFullError(AllocationError):
    """No address is left."""


class Owner(Struct, frozen=True):
    """The service that an address is for."""

    namespace: str
    name: str


class Addresses:
    """Addresses of the service ranges: one range per family that the server was started with, and those of ServiceCIDRs
    that are ready."""

    def __init__(self, networks: Sequence[Network], registry: Registry, random: Random) -> None:
        self._ranges: dict[str, tuple[Network, Range]] = {
            f"IPv{network.version}": (network, address_range(network)) for network in networks
        }
        self._more: dict[str, list[Network]] = {}
        self._registry = registry
        self._random = random

    @property
    def families(self) -> list[str]:
        """The families that the cluster has, its own first."""
        return list(self._ranges)

    def change(self, old: Tree | None, new: Tree | None) -> None:
        """A ServiceCIDR came, changed, or went."""
        if old is not None:
            self._more.pop(old["metadata"]["name"], None)
        if new is not None and _is_ready(new):
            networks = [ipaddress.ip_network(text) for text in new["spec"].get("cidrs") or ()]
            own = [network for network, _ in self._ranges.values()]
            self._more[new["metadata"]["name"]] = [network for network in networks if network not in own]

    def _of_family(self, family: str) -> list[tuple[Network, Range]]:
        """The server's own range first, then the others by name."""
        others = [network for name in sorted(self._more) for network in self._more[name]]
        more = [(network, address_range(network)) for network in others if f"IPv{network.version}" == family]
        return [self._ranges[family], *more]

    async def take(self, address: str, owner: Owner, *, dry_run: bool) -> None:
        """Take this very address. Raises AllocationError."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError as error:
            raise AllocationError(f"failed to allocate IP {address}: {error}") from error
        family = f"IPv{parsed.version}"
        ranges = self._of_family(family) if family in self._ranges else []
        if not any(int(parsed) in numbers for _, numbers in ranges):
            network = ranges[0][0] if ranges else None
            raise AllocationError(f"failed to allocate IP {address}: {self._out_of_range(address, network, dry_run)}")
        try:
            taken = await self._create(str(parsed), owner, dry_run=dry_run)
        except StatusError as error:
            raise AllocationError(f"failed to allocate IP {address}: {error.message}") from error
        if not taken:
            raise AllocationError(f"failed to allocate IP {address}: provided IP is already allocated")

    async def take_next(self, family: str, owner: Owner, *, dry_run: bool) -> str:
        """Take some free address. Raises AllocationError, RangeFullError."""
        if family not in self._ranges:
            raise AllocationError(f"IP family {family} is not configured on this cluster")
        for network, numbers in self._of_family(family):
            for number in numbers.candidates(self._random):
                address = str(ipaddress.IPv4Address(number) if network.version == 4 else ipaddress.IPv6Address(number))
                try:
                    if await self._create(address, owner, dry_run=dry_run):
                        return address
                except StatusError as error:
                    raise AllocationError(f"failed to allocate IP: {error.message}") from error
        raise RangeFullError("range is full")

    async def release(self, address: str) -> None:
        """Give an address back. Safe to repeat."""
        try:
            await self._registry.delete(ADDRESSES, address)
        except StatusError as error:
            if not is_not_found(error):
                log.warning("address not released address=%s err=%s", address, error)

    def _out_of_range(self, address: str, network: Network | None, dry_run: bool) -> str:
        """Of the network that is meant in a dry run; in earnest no network is found for the address at all."""
        if dry_run and network is not None:
            return f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {network}"
        return "the provided network does not match the current range"

    async def _create(self, address: str, owner: Owner, *, dry_run: bool) -> bool:
        """Whether the address was free, and now is the owner's."""
        if self._registry.get(ADDRESSES, address) is not None:
            return False
        if dry_run:
            return True
        try:
            await self._registry.create(ADDRESSES, _ip_address(address, owner))
        except StatusError as error:
            if is_already_exists(error):
                return False
            raise
        return True


def _is_ready(service_cidr: Tree) -> bool:
    """Whether addresses may be taken of it: not before it is Ready, and not once it is to go."""
    if service_cidr["metadata"].get("deletionTimestamp"):
        return False
    conditions = (service_cidr.get("status") or {}).get("conditions") or ()
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


def _ip_address(address: str, owner: Owner) -> Tree:
    family = f"IPv{ipaddress.ip_address(address).version}"
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {"name": address, "labels": {FAMILY_LABEL: family, MANAGED_BY_LABEL: MANAGER}},
        "spec": {"parentRef": {"resource": "services", "namespace": owner.namespace, "name": owner.name}},
    }
