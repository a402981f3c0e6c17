"""IP addresses and CIDR ranges (Kubernetes' ip and cidr libraries)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Functions, OpaqueValue, function, method, walks
from pybernetes.api.cel.library.faults import address_fault, prefix_fault
from pybernetes.api.cel.types import BOOL, INT, STRING, opaque

IP: Final = opaque("net.IP")
CIDR: Final = opaque("net.CIDR")
_LINK_LOCAL: Final = {4: ipaddress.ip_network("224.0.0.0/24"), 6: ipaddress.ip_network("ff02::/16")}
"""Multicast that no router passes on."""
_BITS: Final = re.compile(r"0|[1-9][0-9]*")
_NO_RANGE: Final = "network address parse error during conversion from string: "

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Interface: TypeAlias = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclass(frozen=True, slots=True)
class Ip(OpaqueValue):
    """An address, without a zone."""

    type_name = IP.name
    address: _Address

    @classmethod
    def parse(cls, text: str) -> Ip:
        try:
            address = ipaddress.ip_address(text)
        except ValueError as error:
            fault = address_fault(text)
            raise EvaluationError(f'IP Address "{text}" parse error during conversion from string: {fault}') from error
        if "%" in text:
            raise EvaluationError(f'IP address "{text}" with zone value is not allowed')
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
        return cls(address)

    def is_global_unicast(self) -> bool:
        """As Go's net/netip: private addresses count, too."""
        address = self.address
        broadcast = address == ipaddress.IPv4Address("255.255.255.255")
        other = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
        return not (broadcast or other)


@dataclass(frozen=True, slots=True)
class Cidr(OpaqueValue):
    """A range, with the address that it was written with."""

    type_name = CIDR.name
    interface: _Interface

    @classmethod
    def parse(cls, text: str) -> Cidr:
        try:
            if "%" in text or not _BITS.fullmatch(text.rpartition("/")[2]):
                raise ValueError
            interface = ipaddress.ip_interface(text)
        except ValueError as error:
            fault = prefix_fault(text, _is_address(text.rpartition("/")[0]))
            raise EvaluationError(f"{_NO_RANGE}{_NO_RANGE}{fault}") from error
        if isinstance(interface, ipaddress.IPv6Interface) and interface.ipv4_mapped:
            raise EvaluationError(f'{_NO_RANGE}IPv4-mapped IPv6 address "{text}" is not allowed')
        return cls(interface)

    def contains_ip(self, other: Ip | str) -> bool:
        if isinstance(other, str):
            if not _is(Ip, other):
                raise EvaluationError("no such overload")
            other = Ip.parse(other)
        return other.address in self.interface.network

    def contains_cidr(self, other: Cidr | str) -> bool:
        inner = (Cidr.parse(other) if isinstance(other, str) else other).interface
        if inner.version != self.interface.version:
            return False
        return inner.ip in self.interface.network and inner.network.prefixlen >= self.interface.network.prefixlen

    def masked(self) -> Cidr:
        return Cidr(ipaddress.ip_interface(self.interface.network))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is(kind: type[Ip] | type[Cidr], text: str) -> bool:
    try:
        kind.parse(text)
    except EvaluationError:
        return False
    return True


FUNCTIONS: Final[Functions] = {
    "ip": [
        function(STRING, to=IP, do=Ip.parse, cost=walks(0)),
        method(CIDR, to=IP, do=lambda cidr: Ip(cidr.interface.ip)),
    ],
    "isIP": [function(STRING, to=BOOL, do=lambda text: _is(Ip, text), cost=walks(0))],
    "ip.isCanonical": [
        function(STRING, to=BOOL, do=lambda text: str(Ip.parse(text).address) == text, cost=walks(0))
    ],
    "family": [method(IP, to=INT, do=lambda ip: ip.address.version)],
    "isUnspecified": [method(IP, to=BOOL, do=lambda ip: ip.address.is_unspecified)],
    "isLoopback": [method(IP, to=BOOL, do=lambda ip: ip.address.is_loopback)],
    "isLinkLocalMulticast": [
        method(
            IP, to=BOOL,
            do=lambda ip: ip.address in _LINK_LOCAL[ip.address.version],
        )
    ],
    "isLinkLocalUnicast": [
        method(IP, to=BOOL, do=lambda ip: ip.address.is_link_local and not ip.address.is_multicast)
    ],
    "isGlobalUnicast": [method(IP, to=BOOL, do=Ip.is_global_unicast)],
    "cidr": [function(STRING, to=CIDR, do=Cidr.parse, cost=walks(0))],
    "isCIDR": [function(STRING, to=BOOL, do=lambda text: _is(Cidr, text), cost=walks(0))],
    "containsIP": [method(CIDR, each, to=BOOL, do=Cidr.contains_ip) for each in (IP, STRING)],
    "containsCIDR": [method(CIDR, each, to=BOOL, do=Cidr.contains_cidr) for each in (CIDR, STRING)],
    "string": [
        function(IP, to=STRING, do=lambda ip: str(ip.address)),
        function(CIDR, to=STRING, do=lambda cidr: str(cidr.interface)),
    ],
    "masked": [method(CIDR, to=CIDR, do=Cidr.masked)],
    "prefixLength": [method(CIDR, to=INT, do=lambda cidr: cidr.interface.network.prefixlen)],
}  # fmt: skip
