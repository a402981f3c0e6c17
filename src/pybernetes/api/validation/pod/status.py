"""What is written into a pod's status: conditions, addresses, claims of devices, its class, its containers."""

from __future__ import annotations

from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import parse_ip, validate_ip
from pybernetes.api.validation.common import immutable
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.pod.container_statuses import validate_containers, validate_states

_STATUS: Final = Path("status")
_SYSTEM_CONDITIONS: Final = frozenset(("PodScheduled", "Ready", "Initialized"))
_NOT_NEGATIVE: Final = "must be a non-negative integer"


def validate_status(new: Tree, old: Tree) -> Errors:
    status, was = (one.get("status") or {} for one in (new, old))
    yield from _validate_conditions(status.get("conditions") or [], _STATUS.child("conditions"))
    yield from _validate_nomination(status, was, bound=bool(old["spec"].get("nodeName")))
    generation = status.get("observedGeneration", 0)
    if generation < 0:
        yield field.invalid(_STATUS.child("observedGeneration"), generation, _NOT_NEGATIVE)
    yield from immutable(status.get("qosClass"), was.get("qosClass"), _STATUS.child("qosClass"))
    yield from validate_states(new, old, _STATUS)
    yield from _validate_claims(status, new["spec"])
    yield from _validate_extended(status.get("extendedResourceClaimStatus"), new["spec"])
    yield from _validate_addresses(status, was, "podIPs")
    hosts = status.get("hostIPs") or ()
    if hosts and (hosts[0].get("ip") or "") != (status.get("hostIP") or ""):
        at = _STATUS.child("hostIPs").index(0).child("ip")
        yield field.invalid(at, hosts[0].get("ip") or "", "must be equal to `hostIP`")
    yield from _validate_addresses(status, was, "hostIPs")
    yield from validate_containers(new, _STATUS)


def _validate_conditions(conditions: list[Tree], path: Path) -> Errors:
    for index, condition in enumerate(conditions):
        if condition.get("observedGeneration", 0) < 0:
            yield field.invalid(
                path.index(index).child("observedGeneration"), condition["observedGeneration"], _NOT_NEGATIVE
            )
        if condition["type"] not in _SYSTEM_CONDITIONS:
            yield from complain(
                path.index(index).child("Type"), condition["type"], names.qualified_name(condition["type"])
            )


def _validate_nomination(status: Tree, was: Tree, *, bound: bool) -> Errors:
    nominated, at = status.get("nominatedNodeName"), _STATUS.child("nominatedNodeName")
    if nominated and nominated != was.get("nominatedNodeName"):
        yield from complain(at, nominated, names.dns1123_subdomain(nominated))
        if bound:
            yield field.forbidden(at, "may not be set on pods that are already bound to a node")


def _validate_addresses(status: Tree, was: Tree, name: str) -> Errors:
    """One address of each family; what stood there before may stay, whatever it is."""
    addresses = [one.get("ip") or "" for one in status.get(name) or ()]
    before = {one.get("ip") for one in was.get(name) or ()}
    for index, address in enumerate(addresses):
        if address not in before:
            yield from validate_ip(address, _STATUS.child(name).index(index))
    if len(addresses) < 2:
        return
    found = [parse_ip(address) for address in addresses]
    if None in found:
        return
    families = {one.version for one in found if one is not None}
    if len(families) < 2 or len(found) > 2:
        shown = [{"IP": address} for address in addresses]
        yield field.invalid(_STATUS.child(name), shown, "may specify no more than one IP for each IP family")


def _validate_claims(status: Tree, spec: Tree) -> Errors:
    known = {claim["name"] for claim in spec.get("resourceClaims") or ()}
    taken: set[str] = set()
    for index, claim in enumerate(status.get("resourceClaimStatuses") or ()):
        at, name = _STATUS.child("resourceClaimStatuses").index(index), claim.get("name", "")
        if name not in known:
            detail = "must match the name of an entry in `spec.resourceClaims`"
            yield field.invalid(at.child("name"), name, detail)
        if name in taken:
            yield field.duplicate(at.child("name"), name)
        taken.add(name)
        made = claim.get("resourceClaimName")
        if made is not None:
            yield from complain(at.child("resourceClaimName"), made, names.dns1123_subdomain(made))


def _validate_extended(claim: Tree | None, spec: Tree) -> Errors:
    """The claim that was made for extended resources, and whose resources its requests stand for."""
    if claim is None:
        return
    path = _STATUS.child("extendedResourceClaimStatus")
    containers = {one["name"]: one for kind in ("initContainers", "containers") for one in spec.get(kind) or ()}
    mappings, taken = claim.get("requestMappings") or [], set()
    if not mappings:
        yield field.required(path.child("requestMappings"), "at least one request mapping is required")
    for index, mapping in enumerate(mappings):
        at = path.child("requestMappings").index(index)
        container, resource, request = key = tuple(
            mapping.get(f"{what}Name", "") for what in ("container", "resource", "request")
        )
        if container not in containers:
            detail = "must match the name of an entry in spec.initContainers.name or spec.containers.name"
            yield field.invalid(at.child("containerName"), container, detail)
        elif resource not in ((containers[container].get("resources") or {}).get("requests") or ()):
            where = "spec.initContainers.resources.requests or spec.containers.resources.requests"
            detail = f"must match the extended resource name of an entry in {where}"
            yield field.invalid(at.child("resourceName"), resource, detail)
        yield from complain(path.child("requestName"), request, names.dns1123_label(request))
        if key in taken:
            for what, name in zip(("container", "resource", "request"), key, strict=True):
                yield field.duplicate(at.child(f"{what}Name"), name)
        taken.add(key)
    name = claim.get("resourceClaimName", "")
    if not name:
        yield field.required(path.child("resourceClaimName"))
    else:
        yield from complain(path.child("resourceClaimName"), name, names.dns1123_subdomain(name))
