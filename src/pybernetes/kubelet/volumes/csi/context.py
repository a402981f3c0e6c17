"""What the parts of this package share, and how their errors name what was being done."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.aio.threads import Worker
from pybernetes.api.errors import StatusError, is_not_found
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import storage_v1
from pybernetes.client.rest import Client
from pybernetes.kubelet.events import Events
from pybernetes.kubelet.root import Root
from pybernetes.kubelet.volumes.context import Tokens
from pybernetes.kubelet.volumes.csi.drivers import Drivers
from pybernetes.kubelet.volumes.csi.places import Places
from pybernetes.kubelet.volumes.files import VolumeError


class Doors(Struct, frozen=True):
    """Of one node."""

    root: Root
    client: Client
    clock: Clock
    threads: Worker
    tokens: Tokens
    events: Events
    node: str
    drivers: Drivers

    @property
    def places(self) -> Places:
        return Places(self.root.own)

    async def driver_object(self, name: str) -> storage_v1.CSIDriver | None:
        """None if the driver has not said anything about itself. Raises VolumeError."""
        try:
            return await self.client.get(storage_v1.CSIDriver, name)
        except StatusError as error:
            if is_not_found(error):
                return None
            raise VolumeError(error.message) from error

    async def secrets(self, reference: v1.SecretReference | None, field: str) -> dict[str, str]:
        """Raises VolumeError, naming the field that refers to it."""
        if reference is None:
            return {}
        namespace, name = reference.namespace or "", reference.name or ""
        try:
            found = await self.client.get(v1.Secret, name, namespace)
        except StatusError as error:
            why = f"failed to find the secret {name} in the namespace {namespace} with error: {error.message}"
            raise VolumeError(f"fetching {field} {namespace}/{name} failed: {why}") from error
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in found.data.items()}


@contextmanager
def during(operation: str, volume: str, reason: str = "FailedMount", prefix: str = "") -> Iterator[None]:
    """Errors of the block say what failed; `prefix` is upstream's name for the place where it did."""
    try:
        yield
    except VolumeError as error:
        error.operation, error.volume, error.reason = operation, volume, reason
        if prefix:
            error.args = (f"kubernetes.io/csi: {prefix}: {error}",)
        raise
