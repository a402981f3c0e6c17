"""What containers and pods request and are limited to, and the names of resources."""

from __future__ import annotations

from collections.abc import Callable

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.quantity import Quantity
from pybernetes.api.quota.amounts import pod_amounts
from pybernetes.api.resource_names import can_be_overcommitted, is_extended, is_hugepages, is_native
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import non_negative_quantity
from pybernetes.api.validation.kinds import Errors

_STANDARD_CONTAINER = frozenset({"cpu", "memory", "ephemeral-storage"})
_STANDARD = frozenset({
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage", "limits.cpu",
    "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas", "services", "replicationcontrollers",
    "secrets", "configmaps", "persistentvolumeclaims", "storage", "requests.storage", "services.nodeports",
    "services.loadbalancers",
})  # fmt: skip
_WHOLE = frozenset({
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
})  # fmt: skip


def is_standard(name: str) -> bool:
    return name in _STANDARD or name.startswith(("hugepages-", "requests.hugepages-"))


def validate_resource_name(name: str, path: Path) -> Errors:
    complaints = names.qualified_name(name)
    for complaint in complaints:
        yield field.invalid(path, name, complaint)
    if not complaints and "/" not in name and not is_standard(name):
        yield field.invalid(path, name, "must be a standard resource type or fully qualified")


def validate_container_resource_name(name: str, path: Path) -> Errors:
    if name in _STANDARD_CONTAINER:
        return
    yield from validate_resource_name(name, path)
    if "/" not in name:
        if not is_hugepages(name):
            yield field.invalid(path, name, "must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        yield field.invalid(path, name, "doesn't follow extended resource name standard")


def validate_amount(name: str, text: str, path: Path) -> Errors:
    """The amount of a resource: not negative, and whole where the resource comes in pieces."""
    yield from non_negative_quantity(text, path)
    if (name in _WHOLE or is_extended(name)) and not Quantity.parse(text).is_whole:
        yield field.invalid(path, text, "must be an integer")


def validate_container_resources(resources: Tree, claims: frozenset[str], path: Path) -> Errors:
    yield from validate_requirements(resources, path, validate_container_resource_name)
    yield from _validate_claims(resources, claims, path)


def claim_names(spec: Tree) -> frozenset[str]:
    """What containers may call the claims of their pod."""
    return frozenset(claim["name"] for claim in spec.get("resourceClaims") or () if claim.get("name"))


def _validate_claims(resources: Tree, claims: frozenset[str], path: Path) -> Errors:
    taken: set[tuple[str, str]] = set()
    for index, claim in enumerate(resources.get("claims") or ()):
        name, request = claim.get("name", ""), claim.get("request") or ""
        at = path.child("claims").index(index)
        if name and request:
            for complaint in names.dns1123_label(request):
                yield field.invalid(at.child("request"), request, complaint)
        if name and ((name, request) in taken or (not request and any(name == one for one, _ in taken))):
            yield field.duplicate(at, f"{name}/{request}" if request else name)
        taken.add((name, request))
        if not name:
            yield field.required(path.child("claims").index(index))
        elif name not in claims:
            detail = "must be one of the names in pod.spec.resourceClaims"
            yield field.not_found(
                path.child("claims").index(index),
                name,
                detail + (f": {', '.join(sorted(claims))}" if claims else " which is empty"),
            )


def validate_pod_resources(spec: Tree, claims: frozenset[str], path: Path) -> Errors:
    """Requests and limits of a pod as a whole, which hold those of its containers."""
    resources = spec["resources"]
    if resources.get("claims"):
        yield field.forbidden(path.child("claims"), "claims may not be set for Resources at pod-level")
    yield from validate_requirements(resources, path, _validate_pod_resource_name)
    yield from _validate_claims(resources, claims, path)
    yield from _validate_sums(spec, resources, path)


def _validate_sums(spec: Tree, resources: Tree, path: Path) -> Errors:
    containers = {kind: spec.get(kind) or () for kind in ("containers", "initContainers")}
    for kind, names_of in (("requests", lambda name: True), ("limits", is_hugepages)):
        told = resources.get(kind) or {}
        for name, amount in pod_amounts(containers, kind).items() if told else ():
            if name in told and names_of(name) and amount > Quantity.parse(told[name]):
                detail = f"must be greater than or equal to aggregate container {kind} of {amount}"
                yield field.invalid(path.child(kind).key(name), told[name], detail)
    bounds = resources.get("limits") or {}
    for index, container in enumerate(containers["containers"]):
        for name, limit in (container["resources"].get("limits") or {}).items():
            if name in bounds and Quantity.parse(limit) > Quantity.parse(bounds[name]):
                at = path.child("containers").index(index).key(name).child("limits")
                yield field.invalid(at, limit, f"must be less than or equal to pod limits of {bounds[name]}")


def _validate_pod_resource_name(name: str, path: Path) -> Errors:
    if found := list(validate_resource_name(name, path)):
        yield from found
    elif name not in ("cpu", "memory") and not is_hugepages(name):
        yield field.not_supported(path, name, ("cpu", "hugepages-", "memory"))


def validate_requirements(resources: Tree, path: Path, name_rule: Callable[[str, Path], Errors]) -> Errors:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    limits_path, requests_path = path.child("limits"), path.child("requests")
    for name, amount in limits.items():
        yield from name_rule(name, limits_path.key(name))
        yield from validate_amount(name, amount, limits_path.key(name))
    for name, amount in requests.items():
        yield from name_rule(name, requests_path.key(name))
        yield from validate_amount(name, amount, requests_path.key(name))
        yield from _validate_within_limit(name, amount, limits.get(name), limits_path, requests_path)
    used = limits.keys() | requests.keys()
    if any(is_hugepages(name) for name in used) and not used & {"cpu", "memory"}:
        yield field.forbidden(path, "HugePages require cpu or memory")


def _validate_within_limit(name: str, amount: str, limit: str | None, limits_path: Path, requests_path: Path) -> Errors:
    if limit == amount:
        return
    if limit is None:
        if not can_be_overcommitted(name):
            yield field.required(limits_path, "Limit must be set for non overcommitable resources")
        return
    wanted, allowed = Quantity.parse(amount), Quantity.parse(limit)
    if wanted != allowed and not can_be_overcommitted(name):
        yield field.invalid(requests_path, amount, f"must be equal to {name} limit of {limit}")
    elif wanted > allowed:
        yield field.invalid(requests_path, amount, f"must be less than or equal to {name} limit of {limit}")
