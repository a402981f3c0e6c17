"""The drivers of this node, by name."""

from __future__ import annotations

from collections.abc import Callable

from pybernetes.kubelet.volumes.csi.driver import Driver
from pybernetes.kubelet.volumes.files import VolumeError


class NotRegistered(VolumeError):
    """There is no such driver here now; one may come."""

    def __init__(self, name: str) -> None:
        super().__init__(f"driver name {name} not found in the list of registered CSI drivers")


class Drivers:
    """`on_change(name)` is called when one has come."""

    def __init__(self, on_change: Callable[[str], None] = lambda name: None) -> None:
        self._known: dict[str, Driver] = {}
        self._on_change = on_change

    def get(self, name: str) -> Driver:
        """Raises NotRegistered."""
        found = self._known.get(name)
        if found is None:
            raise NotRegistered(name)
        return found

    def put(self, driver: Driver) -> None:
        """In the place of one of the same name."""
        self.remove(driver.name)
        self._known[driver.name] = driver
        self._on_change(driver.name)

    def remove(self, name: str) -> None:
        """Safe to repeat."""
        if (known := self._known.pop(name, None)) is not None:
            known.close()
