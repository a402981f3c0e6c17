"""Which devices of a resource a container gets. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.deviceplugins.errors import DeviceError
from pybernetes.kubelet.deviceplugins.resources import Resource


def wanted(pod: v1.Pod, container: v1.Container) -> Iterator[tuple[str, int]]:
    """Resources and numbers of the container that are not claims' (KEP-5004). Of extended ones, limits are requests."""
    extended = pod.status.extended_resource_claim_status
    mapped = {
        mapping.resource_name
        for mapping in (extended.request_mappings if extended else ())
        if mapping.container_name == container.name
    }
    limits = container.resources.limits if container.resources else {}
    for name, amount in limits.items():
        if "/" in name and name not in mapped and (number := Quantity.parse(amount).value):
            yield name, number


def check(name: str, resource: Resource | None) -> Resource:
    """Raises DeviceError if nothing of the resource can be had."""
    if resource is None:
        raise DeviceError(f"cannot allocate unregistered device {name}")
    if not resource.healthy():
        raise DeviceError(f"no healthy devices present; cannot allocate unhealthy devices {name}")
    return resource


def available(name: str, resource: Resource, taken: Collection[str], needed: int) -> list[str]:
    """Devices that are well and nobody's. Raises DeviceError if they are too few."""
    found = [device for device in resource.healthy() if device not in taken]
    if len(found) < needed:
        raise DeviceError(
            f"requested number of devices unavailable for {name}. Requested: {needed}, Available: {len(found)}"
        )
    return found


def choose(free: Collection[str], preferred: Collection[str], needed: int) -> list[str]:
    """The preferred ones first."""
    return [*(device for device in preferred if device in free), *(d for d in free if d not in preferred)][:needed]
