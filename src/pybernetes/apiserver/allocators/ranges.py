"""Ranges of numbers to hand out, in two bands: the lower is left to those who choose, the upper is chosen from first.

The bands make it unlikely that an address somebody writes into a manifest is taken already (KEP-3070, KEP-3668). Pure.
"""

import ipaddress
from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

from msgspec import Struct

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
TRIES = 64


class Range(Struct, frozen=True):
    """The numbers from `first` to `last`; those below `dynamic` belong to the lower band."""

    first: int
    last: int
    dynamic: int

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last

    def candidates(self, random: Random) -> Iterator[int]:
        """Every number once, the upper band first, each band from a random place on after some random tries."""
        for start, end in ((self.dynamic, self.last), (self.first, self.dynamic - 1)):
            if start > end:
                continue
            for _ in range(TRIES):
                yield random.randint(start, end)
            offset = random.randint(start, end)
            yield from range(offset, end + 1)
            yield from range(start, offset)

    def choose(self, is_free: Callable[[int], bool], random: Random) -> int | None:
        """A free number, or None if all are taken."""
        return next((number for number in self.candidates(random) if is_free(number)), None)


def address_range(network: Network) -> Range:
    """The usable addresses of a service range, as integers."""
    first = int(network.network_address) + 1
    last = int(network.broadcast_address) - (1 if network.version == 4 and network.prefixlen < 31 else 0)
    size = last - first + 1
    return Range(first, last, first + _band(size, 16, 16, 256))


def port_range(text: str) -> Range:
    """The ports of `--service-node-port-range`: "30000-32767", "30000+2767" or one number. Raises ValueError."""
    if "+" in text:
        start, _, more = text.partition("+")
        first, last = int(start), int(start) + int(more)
    else:
        start, _, end = text.partition("-")
        first, last = int(start), int(end or start)
    if not 0 < first <= last <= 65535:
        raise ValueError(f"invalid port range {text!r}")
    return Range(first, last, first + _band(last - first + 1, 32, 16, 128))


def _band(size: int, divisor: int, least: int, most: int) -> int:
    """How many numbers the lower band has; a small range has none."""
    return 0 if size <= least else min(max(size // divisor, least), most)
