"""Dynamic resource allocation."""

from __future__ import annotations

from pybernetes.api.defaults.table import Default, set_empty
from pybernetes.api.tree import Tree


def _device_request(request: Tree) -> None:
    set_empty(request, "allocationMode", "ExactCount")
    if request["allocationMode"] == "ExactCount":
        set_empty(request, "count", 1)


DEFAULTS: dict[str, Default] = {
    "resource.v1.ExactDeviceRequest": _device_request,
    "resource.v1.DeviceSubRequest": _device_request,
}
