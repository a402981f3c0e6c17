"""Node ports: what services hold is read off the services themselves, what is just being given away is reserved here.

Nothing is stored beside the services, so nothing can disagree with them. Of two servers that give the same port away in
the same instant both succeed; within one server no port is given twice.
"""

from collections import Counter
from random import Random

from pybernetes.api.tree import Tree
from pybernetes.apiserver.allocators.addresses import AllocationError
from pybernetes.apiserver.allocators.ranges import Range


class NodePorts:
    """Ports of `--service-node-port-range`."""

    def __init__(self, numbers: Range, random: Random) -> None:
        self._range = numbers
        self._random = random
        self._held: Counter[int] = Counter()
        self._reserved: set[int] = set()

    def change(self, old: Tree | None, new: Tree | None) -> None:
        """Take a service's change: None before its creation and after its deletion."""
        for port in ports_of(old):
            self._held[port] -= 1
            if not self._held[port]:
                del self._held[port]
        self._held.update(ports_of(new))

    def reserve(self, port: int) -> None:
        """Keep this port until `release`. Raises AllocationError."""
        if port not in self._range:
            first, last = self._range.first, self._range.last
            raise AllocationError(
                f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
            )
        if not self._is_free(port):
            raise AllocationError("provided port is already allocated")
        self._reserved.add(port)

    def reserve_next(self) -> int:
        """Keep some free port until `release`. Raises AllocationError."""
        port = self._range.choose(self._is_free, self._random)
        if port is None:
            raise AllocationError("range is full")
        self._reserved.add(port)
        return port

    def release(self, ports: set[int]) -> None:
        """The reservations are over: the ports are a stored service's now, or nobody's."""
        self._reserved -= ports

    def is_held(self, port: int) -> bool:
        """Whether a service has the port, or is about to."""
        return port in self._held or port in self._reserved

    def _is_free(self, port: int) -> bool:
        return not self.is_held(port)


def ports_of(service: Tree | None) -> set[int]:
    """The node ports that a service holds; two of its ports may share one if their protocols differ."""
    if service is None:
        return set()
    spec = service.get("spec") or {}
    found = {int(port["nodePort"]) for port in spec.get("ports") or () if port.get("nodePort")}
    if spec.get("healthCheckNodePort"):
        found.add(int(spec["healthCheckNodePort"]))
    return found
