"""Persistent volume claims, and the claims that pods and stateful sets make."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.quantity import Quantity
from pybernetes.api.resource_names import is_native
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable, label_selector, positive_quantity
from pybernetes.api.validation.differences import differences
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

_SPEC, _STATUS = Path("spec"), Path("status")
ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_STAGES = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible",
    "NodeResizePending",
)  # fmt: skip
VOLUME_MODES = ("Block", "Filesystem")


def validate_access_modes(modes: list[str], path: Path, missing: str) -> Errors:
    """The ways of access, shared by claims and volumes."""
    if not modes:
        yield field.required(path, missing)
    for mode in modes:
        if mode not in ACCESS_MODES:
            yield field.not_supported(path, mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and any(mode in ACCESS_MODES for mode in modes if mode != "ReadWriteOncePod"):
        yield field.forbidden(path, "may not use ReadWriteOncePod with other access modes")


def validate_claim_spec(spec: Tree, path: Path) -> Errors:
    yield from validate_access_modes(
        spec.get("accessModes") or [], path.child("accessModes"), "at least 1 access mode is required"
    )
    yield from label_selector(spec.get("selector"), path.child("selector"))
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is None:
        yield field.required(path.child("resources").key("storage"))
    else:
        yield from positive_quantity(storage, path.child("resources").key("storage"))
    name = spec.get("storageClassName")
    if name:
        yield from complain(path.child("storageClassName"), name, names.dns1123_subdomain(name))
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        yield field.not_supported(path.child("volumeMode"), mode, VOLUME_MODES)
    for key in ("dataSource", "dataSourceRef"):
        if spec.get(key) is not None:
            yield from _validate_source(spec[key], path.child(key))
    yield from _validate_sources(spec, path)
    attributes = spec.get("volumeAttributesClassName")
    if attributes:
        yield from complain(path.child("volumeAttributesClassName"), attributes, names.dns1123_subdomain(attributes))


def _validate_sources(spec: Tree, path: Path) -> Errors:
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is None or ref is None:
        return
    # Upstream shows its own path in the place of a value, and that has no JSON.
    if ref.get("namespace"):
        yield field.invalid(path, {}, "may not be specified when dataSourceRef.namespace is specified")
    elif any(source.get(name) != ref.get(name) for name in ("apiGroup", "kind", "name")):
        yield field.invalid(path, {}, "must match dataSourceRef")


def _validate_source(source: Tree, path: Path) -> Errors:
    if not source.get("name"):
        yield field.required(path.child("name"))
    if not source.get("kind"):
        yield field.required(path.child("kind"))
    group = source.get("apiGroup") or ""
    if not group and source.get("kind") != "PersistentVolumeClaim":
        yield field.invalid(
            path, source["kind"], "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        )
    elif group:
        yield from complain(path.child("apiGroup"), group, names.dns1123_subdomain(group))
    if source.get("namespace"):
        at = path.child("namespace")
        yield from complain(at, source["namespace"], names.dns1123_label(source["namespace"]))


def _create(claim: Tree) -> Errors:
    yield from validate_claim_spec(claim["spec"], _SPEC)


def _update(new: Tree, old: Tree) -> Errors:
    """A claim that is bound may grow; binding sets its volume."""
    spec, was = new["spec"], old["spec"]
    bound = (old.get("status") or {}).get("phase") == "Bound"
    fixed, before = dict(spec), dict(was)
    if not was.get("volumeName"):
        fixed.pop("volumeName", None)
    if was.get("storageClassName") is None:
        fixed.pop("storageClassName", None)
        before.pop("storageClassName", None)
    if bound:
        for one in (fixed, before):
            one["resources"] = _without_storage(one.get("resources") or {})
        for one in (fixed, before):
            one.pop("volumeAttributesClassName", None)
    if not ("dataSourceRef" in fixed and "dataSourceRef" in before):
        for one in (fixed, before):
            one.pop("dataSourceRef" if "dataSource" in one else "", None)
    if fixed != before:
        detail = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield field.forbidden(_SPEC, f"{detail}\n{differences('core.PersistentVolumeClaimSpec', fixed, before)}")
    # A request may be taken back as long as it is above what is there: an expansion that failed is recovered so.
    size, least = _storage(spec), _capacity(old)
    if size < _storage(was) and size <= least:
        detail = "field can not be less than status.capacity"
        yield field.forbidden(_SPEC.child("resources", "requests", "storage"), detail)
    yield from immutable(spec.get("volumeMode"), was.get("volumeMode"), ROOT.child("volumeMode"))


def _storage(spec: Tree) -> Quantity:
    return Quantity.parse(((spec.get("resources") or {}).get("requests") or {}).get("storage") or "0")


def _capacity(claim: Tree) -> Quantity:
    return Quantity.parse(((claim.get("status") or {}).get("capacity") or {}).get("storage") or "0")


def _without_storage(resources: Tree) -> Tree:
    requests = {name: amount for name, amount in (resources.get("requests") or {}).items() if name != "storage"}
    return {**resources, "requests": requests}


def _update_status(new: Tree, old: Tree) -> Errors:
    for name, amount in ((new.get("status") or {}).get("capacity") or {}).items():
        yield from _not_negative(amount, _STATUS.child("capacity").key(name))
    yield from _validate_expansion(new.get("status") or {})


def _not_negative(amount: str, path: Path) -> Errors:
    if (value := Quantity.parse(amount).value) < 0:
        yield field.invalid(path, value, "must be a valid resource quantity")


def _validate_expansion(status: Tree) -> Errors:
    """What a volume that grows has been given, and how far that has come."""
    path = _STATUS.child("allocatedResourceStatuses")
    for name, stage in (status.get("allocatedResourceStatuses") or {}).items():
        yield from _validate_key(name, path)
        if stage not in _STAGES:
            yield field.not_supported(path, name, _STAGES)
    path = _STATUS.child("allocatedResources")
    for name, amount in (status.get("allocatedResources") or {}).items():
        if wrong := list(_validate_key(name, path)) or list(_not_negative(amount, path.key(name))):
            yield from wrong
        elif not Quantity.parse(amount).is_whole:
            yield field.invalid(path.key(name), amount, "must be an integer")


def _validate_key(name: str, path: Path) -> Errors:
    if complaints := names.qualified_name(name):
        yield from complain(path, name, complaints)
    elif is_native(name) and name != "storage":
        yield field.not_supported(path, name, ("storage",))


RULES: RulesTable = {
    ("", "persistentvolumeclaims"): Rules(_create, _update, subresources={"status": _update_status}, whole_looks=1),
}
