"""Pod addresses: one file per address in use, named by it and holding its sandbox's id."""

import os
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pybernetes.cri.errors import CRIError


class Addresses:
    """The addresses of `network`, but its first and last and its gateway. What is taken stays so over a crash."""

    def __init__(self, directory: Path, network: IPv4Network) -> None:
        self._directory = directory
        self.network = network
        self.gateway = network[1]
        self._last = self.gateway
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def take(self, owner: str) -> IPv4Address:
        """An address for the sandbox `owner`, the one used longest ago first. Raises CRIError when none is left."""
        for address in self._candidates():
            if self._claim(address, owner):
                self._last = address
                return address
        raise CRIError(f"failed to allocate for range 0: no IP addresses available in range set: {self.network}")

    def release(self, owner: str) -> None:
        """Give back what `owner` has. Safe to repeat."""
        for address, holder in self.taken().items():
            if holder == owner:
                (self._directory / str(address)).unlink(missing_ok=True)

    def taken(self) -> dict[IPv4Address, str]:
        """Addresses in use, and the sandboxes that hold them."""
        return {IPv4Address(path.name): path.read_text() for path in self._directory.iterdir()}

    def _candidates(self) -> Iterator[IPv4Address]:
        low, high = int(self.network[2]), int(self.network[-2])
        start = int(self._last) + 1 - low
        for offset in range(high - low + 1):
            yield IPv4Address(low + (start + offset) % (high - low + 1))

    def _claim(self, address: IPv4Address, owner: str) -> bool:
        try:
            fd = os.open(self._directory / str(address), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return False
        with open(fd, "w") as file:
            file.write(owner)
        return True
