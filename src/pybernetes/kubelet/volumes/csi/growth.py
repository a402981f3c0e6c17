"""How a claim is told about its volume's growth on the node (KEP-284, KEP-1790). Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from pybernetes.aio.grpc.errors import Code
from pybernetes.api.quantity import Quantity
from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1 as v1

STORAGE: Final = "storage"
PENDING, IN_PROGRESS, INFEASIBLE = "NodeResizePending", "NodeResizeInProgress", "NodeResizeInfeasible"
FAILED = "NodeResizeError"
_OURS = frozenset({"Resizing", "FileSystemResizePending", "ControllerResizeError", FAILED})
_NEVER = frozenset({Code.INVALID_ARGUMENT, Code.OUT_OF_RANGE, Code.NOT_FOUND})


def wanted(claim: v1.PersistentVolumeClaim, volume: v1.PersistentVolume) -> int | None:
    """The size in bytes to which the volume is to grow on its node; None while there is nothing to be done there."""
    if claim.status.allocated_resource_statuses.get(STORAGE) not in (PENDING, IN_PROGRESS):
        return None
    size = Quantity.parse(volume.spec.capacity.get(STORAGE, 0)).value
    return size or None


def begun(claim: v1.PersistentVolumeClaim) -> dict[str, Any]:
    """A merge patch of the status."""
    return _patch(claim, {"allocatedResourceStatuses": {STORAGE: IN_PROGRESS}})


def done(claim: v1.PersistentVolumeClaim, volume: v1.PersistentVolume) -> dict[str, Any]:
    """A merge patch of the status: all that was said of the growth goes."""
    return _patch(
        claim,
        {
            "capacity": {STORAGE: volume.spec.capacity.get(STORAGE)},
            "allocatedResourceStatuses": {STORAGE: None},
            "conditions": _others(claim, _OURS) or None,
        },
    )


def failed(claim: v1.PersistentVolumeClaim, error: str, code: int, now: datetime) -> dict[str, Any]:
    """A merge patch of the status. Where it can never succeed nobody tries again before the claim asks for less."""
    condition = {
        "type": FAILED, "status": "True", "lastTransitionTime": format_time(now),
        "message": f"failed to expand pvc with {error}",
    }  # fmt: skip
    status: dict[str, Any] = {"conditions": [*_others(claim, {FAILED}), condition]}
    if is_infeasible(code):
        status["allocatedResourceStatuses"] = {STORAGE: INFEASIBLE}
    return _patch(claim, status)


def is_infeasible(code: int) -> bool:
    return code in _NEVER


def _others(claim: v1.PersistentVolumeClaim, types: set[str] | frozenset[str]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(each) for each in claim.status.conditions if each.type not in types]


def _patch(claim: v1.PersistentVolumeClaim, status: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": claim.metadata.resource_version}, "status": status}
