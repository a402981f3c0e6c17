"""The address ranges of this machine's clusters, and the routes of others that lead into them."""

from __future__ import annotations

import contextlib
import ipaddress
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

ROUTES = Path("/proc/net/route")
_SECOND_OCTETS = (96, 112, 128, 144, 160, 176, 192, 208, 80, 64, 48, 32)
_PODS, _SERVICES, _PART = IPv4Network("10.224.0.0/13"), IPv4Network("10.16.0.0/13"), 20
COUNT = len(_SECOND_OCTETS) + (1 << _PART - _PODS.prefixlen)

Route = tuple[str, IPv4Network]
"""A link, and what is reached by it."""


def of_index(index: int) -> tuple[str, str]:
    """Pod and service range of the profile with this index, which no other has; 0 has those that users know. Pure.

    The first twelve have a /16 for pods, counting down from 10.244, and a /12 for services; the others, up to COUNT,
    a /20 of each: 15 nodes and 4,096 services.
    """
    if index < len(_SECOND_OCTETS):
        return f"10.{244 - index}.0.0/16", f"10.{_SECOND_OCTETS[index]}.0.0/12"
    offset = (index - len(_SECOND_OCTETS)) << 32 - _PART
    return f"{_PODS[offset]}/{_PART}", f"{_SERVICES[offset]}/{_PART}"


def routes(table: str) -> Iterator[Route]:
    """Those of /proc/net/route, whose numbers are hexadecimal in the machine's order, but for clusters' own. Pure."""
    for line in table.splitlines()[1:]:
        link, destination, _, _, _, _, _, mask, *_ = line.split()
        address, bits = (struct.pack("=I", int(text, 16)) for text in (destination, mask))
        prefix = int.from_bytes(bits, "big").bit_count()
        # "*" is the link of what is unreachable on purpose, as a stopped cluster's ranges are.
        if prefix and link != "*" and not link.startswith("p8s"):
            yield link, ipaddress.IPv4Network((address, prefix), strict=False)


def of_machine() -> list[Route]:
    """The routes of this machine that are no cluster's; none where there is no such table."""
    with contextlib.suppress(OSError):
        return list(routes(ROUTES.read_text()))
    return []


def overlapping(ranges: Iterable[str], others: Iterable[Route]) -> list[Route]:
    """The routes that share addresses with any of the ranges. Pure."""
    ours = [IPv4Network(each) for each in ranges]
    return [(link, network) for link, network in others if any(network.overlaps(each) for each in ours)]


def colliding(ranges: Iterable[str], others: Iterable[Route]) -> list[Route]:
    """Those of them that win over the cluster's own routes, being as narrow or narrower. Pure.

    A wider one (a VPN's 10.0.0.0/8) only loses a part of what it leads to.
    """
    ours = [IPv4Network(each) for each in ranges]
    return [(link, network) for link, network in others if any(network.subnet_of(each) for each in ours)]


def shown(found: Iterable[Route]) -> str:
    return ", ".join(f"{network} on {link}" for link, network in found)
