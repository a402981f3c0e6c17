"""Dynamic resource allocation: when devices were tainted, what is switched off, what of a status goes with its devices."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import FieldError, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.device_allocation import device_key
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.status import StatusOnly
from pybernetes.apiserver.resources.timestamps import now

_ADMIN_LABEL = "resource.kubernetes.io/admin-access"
_LISTS = ("ints", "bools", "strings", "versions")
_MAPPINGS = "nodeAllocatableResourceMappings"


class ResourceSliceStrategy(KindStrategy):
    """Attributes of many values and mappings to a node's resources are off at this API level, and are not kept.

    What a slice holds of them already stays.
    """

    def unknown_field(self, name: str) -> str:
        return f"field label not supported for {self.resource.api_version}, Kind={self.resource.kind}: {name}"

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        _prepare(ctx, new, {})

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        KindStrategy.prepare_for_update(self, ctx, new, old)
        _prepare(ctx, new, old)


def _prepare(ctx: RequestContext, new: Tree, old: Tree) -> None:
    lists, mappings = _has_lists(old), any(device.get(_MAPPINGS) for device in _devices(old))
    for device in _devices(new):
        for taint in device.get("taints") or ():
            taint.setdefault("timeAdded", now(ctx))
        if not mappings:
            device.pop(_MAPPINGS, None)
        for attribute in (device.get("attributes") or {}).values() if not lists else ():
            for name in _LISTS:
                attribute.pop(name, None)


def _devices(resource_slice: Tree) -> list[Tree]:
    return (resource_slice.get("spec") or {}).get("devices") or []


def _has_lists(resource_slice: Tree) -> bool:
    attributes = (one for device in _devices(resource_slice) for one in (device.get("attributes") or {}).values())
    return any(name in attribute for attribute in attributes for name in _LISTS)


class ClaimStrategy(KindStrategy):
    """Claims, and templates of claims: only some namespaces may have what ends others' use of a device."""

    def validate(self, ctx: RequestContext, new: Tree) -> list[FieldError]:
        requests = _claim_spec(new).get("devices", {}).get("requests") or ()
        for index, request in enumerate(requests):
            if (request.get("exactly") or {}).get("adminAccess"):
                where = Path("spec").child("devices", "requests").index(index).child("adminAccess")
                return _admin_access(ctx, new, where)
        return []

    def validate_update(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        return []  # what was asked for cannot change


def _claim_spec(claim: Tree) -> Tree:
    """Of a template, that of the claims to come."""
    spec: Tree = claim.get("spec") or {}
    return spec.get("spec") or spec


def _admin_access(ctx: RequestContext, claim: Tree, where: Path) -> list[FieldError]:
    namespace = ctx.services.registry.get(builtin("", "v1", "namespaces"), claim["metadata"].get("namespace", ""))
    if namespace is not None and namespace.labels.get(_ADMIN_LABEL) == "true":
        return []
    detail = f"admin access to devices requires the `{_ADMIN_LABEL}: true` label on the containing namespace"
    return [field.forbidden(where, detail)]


class ClaimStatus(StatusOnly):
    """What drivers say of a device goes when the claim no longer has the device."""

    has_table = False

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = StatusOnly.merge(self, ctx, view, old)
        status = merged.get("status") or {}
        lost = _allocated(old.get("status") or {}) - _allocated(status)
        if not lost or not status.get("devices"):
            return merged
        kept = [device for device in status["devices"] if device_key(device) not in lost]
        rest = {name: value for name, value in status.items() if name != "devices"}
        return merged | {"status": rest | ({"devices": kept} if kept else {})}


def _allocated(status: Tree) -> set[tuple[str, ...]]:
    devices = (status.get("allocation") or {}).get("devices") or {}
    return {device_key(result) for result in devices.get("results") or ()}
