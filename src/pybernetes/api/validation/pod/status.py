"""What is written into a pod's status: addresses, claims of devices, its class."""

from __future__ import annotations

from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import parse_ip, validate_ip
from pybernetes.api.validation.common import immutable
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain

_STATUS: Final = Path("status")


def validate_status(new: Tree, old: Tree) -> Errors:
    status, was = (one.get("status") or {} for one in (new, old))
    generation = status.get("observedGeneration", 0)
    if generation < 0:
        yield field.invalid(_STATUS.child("observedGeneration"), generation, "must be a non-negative integer")
    yield from immutable(status.get("qosClass"), was.get("qosClass"), _STATUS.child("qosClass"))
    yield from _validate_addresses(status, was, "podIPs")
    hosts = status.get("hostIPs") or ()
    if hosts and (hosts[0].get("ip") or "") != (status.get("hostIP") or ""):
        at = _STATUS.child("hostIPs").index(0).child("ip")
        yield field.invalid(at, hosts[0].get("ip") or "", "must be equal to `hostIP`")
    yield from _validate_addresses(status, was, "hostIPs")
    yield from _validate_claims(status, new["spec"])
    for index, container in enumerate(status.get("ephemeralContainerStatuses") or ()):
        if container.get("allocatedResourcesStatus"):
            at = _STATUS.child("ephemeralContainerStatuses").index(index).child("allocatedResourcesStatus")
            yield field.forbidden(at, "must not be specified in container status")


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
