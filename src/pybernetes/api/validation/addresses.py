"""IP addresses and networks, read as strictly as upstream reads them."""

from __future__ import annotations

import ipaddress
import re
from socket import AF_INET, inet_pton
from typing import TypeAlias

from pybernetes.api import field
from pybernetes.api.caching import short_cache
from pybernetes.api.field import Path
from pybernetes.api.validation.kinds import Errors

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@short_cache(4096)
def parse_ip(text: str) -> Address | None:
    """The address, None if it is none; IPv6 addresses have no zone."""
    if "%" in text:
        return None
    try:
        if ":" in text:
            return ipaddress.IPv6Address(text)
        return ipaddress.IPv4Address(inet_pton(AF_INET, text))  # each pod has one, and Python would read it slowly
    except (OSError, ValueError):
        return None


@short_cache(1024)
def parse_cidr(text: str) -> Network | None:
    """The network, None if it is none; bits behind the mask may be set."""
    if not text.rpartition("/")[2].isdecimal() or "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def is_host_port(text: str) -> bool:
    """Whether it is `host:port` as Go splits it: either may be empty, an IPv6 address stands in brackets."""
    return _HOST_PORT.fullmatch(text) is not None


_HOST_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*):[^:\[\]]*", re.DOTALL)


def validate_ip(text: str, path: Path) -> Errors:
    if parse_ip(text) is None:
        yield field.invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def validate_cidr(text: str, path: Path) -> Errors:
    if parse_cidr(text) is None:
        yield field.invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")


def validate_endpoint_ip(text: str, path: Path) -> Errors:
    """An address that traffic can be sent to from elsewhere."""
    address = parse_ip(text)
    if address is None:
        yield from validate_ip(text, path)
        return
    if address.is_unspecified:
        yield field.invalid(path, text, f"may not be unspecified ({address})")
    if address.is_loopback:
        yield field.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        yield field.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address.is_multicast and (address in _LINK_LOCAL_MULTICAST_4 or address in _LINK_LOCAL_MULTICAST_6):
        yield field.invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


_LINK_LOCAL_MULTICAST_4 = ipaddress.ip_network("224.0.0.0/24")
_LINK_LOCAL_MULTICAST_6 = ipaddress.ip_network("ff02::/16")
