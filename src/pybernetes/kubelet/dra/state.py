"""What the node knows of claims, kept in a file: a claim is prepared before any container of its pod exists."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pybernetes.aio.threads import Worker
from pybernetes.kubelet.keeping import KeptFile

log = logging.getLogger(__name__)


class Device(msgspec.Struct, frozen=True):
    """A device of a claim as its driver has prepared it."""

    pool: str
    name: str
    requests: list[str]
    """Names of the claim's requests that it is for; none: for all."""
    cdi: list[str]
    """Names under which the runtime knows what containers get of it."""
    share: str = ""

    def is_for(self, request: str) -> bool:
        return not request or not self.requests or request in self.requests


class ClaimRecord(msgspec.Struct):
    """A claim that drivers have been asked to prepare, or are about to be."""

    namespace: str
    name: str
    uid: str
    drivers: dict[str, list[Device]]
    """The devices of each driver that has some of them, once they are prepared."""
    pods: set[str] = msgspec.field(default_factory=set)
    """UIDs of those that use it."""

    def devices(self, request: str = "") -> Iterator[tuple[str, Device]]:
        """Each with its driver."""
        for driver, devices in self.drivers.items():
            for device in devices:
                if device.is_for(request):
                    yield driver, device


class ClaimStore:
    """The records by namespace and name, in a file."""

    def __init__(self, path: Path, threads: Worker) -> None:
        self._file = KeptFile(path, threads)
        self.records: dict[tuple[str, str], ClaimRecord] = {}

    def load(self) -> None:
        """Blocking. A file that cannot be read is as good as none: pods prepare their claims anew."""
        try:
            found = msgspec.json.decode(self._file.path.read_bytes(), type=list[ClaimRecord])
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            log.warning("claims of this node are not known any more file=%s error=%s", self._file.path, error)
            return
        self.records = {(record.namespace, record.name): record for record in found}

    async def save(self) -> None:
        """Raises OSError."""
        await self._file.save(lambda: msgspec.json.encode(list(self.records.values())))

    def of_pod(self, uid: str) -> list[ClaimRecord]:
        return [record for record in self.records.values() if uid in record.pods]
