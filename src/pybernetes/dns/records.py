"""The records of one service: Kubernetes' DNS specification 1.1. Pure; names are lower case, without the final dot."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TypeAlias

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery

A, AAAA, CNAME, PTR, SRV, TXT, NS, SOA = "A", "AAAA", "CNAME", "PTR", "SRV", "TXT", "NS", "SOA"


class Location(Struct, frozen=True, order=True):
    """The data of an SRV record."""

    target: str
    port: int
    priority: int = 0
    weight: int = 100


Data: TypeAlias = str | Location
"""An address, a name or a text; a Location for SRV."""

Records: TypeAlias = dict[tuple[str, str], tuple[Data, ...]]
"""Data by name and type."""


def records_of(service: v1.Service | None, slices: Iterable[discovery.EndpointSlice], domain: str) -> Records:
    """All records of a service in the cluster's `domain`, with those that lead back from its addresses."""
    if service is None:
        return {}
    spec = service.spec
    base = f"{service.metadata.name}.{service.metadata.namespace}.svc.{domain}".lower()
    if spec.type == "ExternalName":
        return {(base, CNAME): (spec.external_name.rstrip(".").lower(),)} if spec.external_name else {}
    addresses = [each for each in spec.cluster_ips or [spec.cluster_ip or ""] if each not in ("", "None")]
    if addresses:
        return _clustered(base, addresses, spec.ports)
    return _headless(base, slices) if "None" in (spec.cluster_ip, *spec.cluster_ips) else {}


def _clustered(base: str, addresses: Iterable[str], ports: Iterable[v1.ServicePort]) -> Records:
    made = _Collector()
    for address in addresses:
        made.add_address(base, address)
    for port in ports:
        made.add_location(base, port.name or "", port.protocol or "TCP", Location(base, port.port))
    return made.records()


def _headless(base: str, slices: Iterable[discovery.EndpointSlice]) -> Records:
    """The service's name is all of its endpoints, each of which has a name of its own below it."""
    made = _Collector()
    for slice in slices:
        for endpoint in slice.endpoints:
            if endpoint.conditions is not None and endpoint.conditions.ready is False:
                continue
            for address in endpoint.addresses:
                name = f"{endpoint.hostname or dashed(address)}.{base}".lower()
                made.add_address(base, address, back=name)
                made.add_address(name, address, back=name)
                for port in slice.ports:
                    made.add_location(base, port.name or "", port.protocol or "TCP", Location(name, port.port or 0))
    return made.records()


class _Collector:
    """Data in the order in which they came, each once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], dict[Data, None]] = {}

    def add_address(self, name: str, address: str, *, back: str = "") -> None:
        self._add(name, AAAA if ":" in address else A, address)
        self._add(reverse_name(address), PTR, back or name)

    def add_location(self, base: str, port: str, protocol: str, location: Location) -> None:
        """Under the port's name; all ports of a service are also found under its own."""
        self._add(base, SRV, location)
        if port:
            self._add(f"_{port}._{protocol}.{base}".lower(), SRV, location)

    def _add(self, name: str, kind: str, data: Data) -> None:
        self._found.setdefault((name, kind), {})[data] = None

    def records(self) -> Records:
        return {key: tuple(found) for key, found in self._found.items()}


def dashed(address: str) -> str:
    """The label of an endpoint without a hostname, and of pods: `10-244-0-5`, `fd00--5`."""
    return address.replace(".", "-").replace(":", "-")


def undashed(label: str) -> str:
    """The IPv4 address of such a label; "" if it is none."""
    parts = label.split("-")
    if len(parts) == 4 and all(
        part.isascii() and part.isdigit() and len(part) < 4 and int(part) < 256 for part in parts
    ):
        return ".".join(str(int(part)) for part in parts)
    return ""


def reverse_name(address: str) -> str:
    """`5.0.244.10.in-addr.arpa`."""
    return ip_address(address).reverse_pointer
