"""Which container has which devices: it is decided before any container exists, so a file keeps it."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)


class Allocation(msgspec.Struct, frozen=True):
    """The devices of one resource that a container has, and what the plugin said that it needs to use them."""

    pod: str
    container: str
    resource: str
    devices: list[str]
    response: bytes
    """A ContainerAllocateResponse."""


class Allocations(msgspec.Struct):
    """All of them, and the resources that plugins have announced."""

    resources: list[str] = msgspec.field(default_factory=list)
    allocations: list[Allocation] = msgspec.field(default_factory=list)

    def of(self, pod: str, container: str = "", resource: str = "") -> list[Allocation]:
        """Those of a pod; of one container, of one resource."""
        return [
            each
            for each in self.allocations
            if each.pod == pod and container in ("", each.container) and resource in ("", each.resource)
        ]

    def taken(self, resource: str) -> set[str]:
        return {device for each in self.allocations if each.resource == resource for device in each.devices}


def read_allocations(path: Path) -> Allocations:
    """Blocking. A file that cannot be read is as good as none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Allocations)
    except FileNotFoundError:
        return Allocations()
    except (OSError, msgspec.DecodeError) as error:
        log.warning("it is not known which pods have which devices file=%s error=%s", path, error)
        return Allocations()
