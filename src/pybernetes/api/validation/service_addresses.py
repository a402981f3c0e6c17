"""The ranges of service addresses, and the addresses that are taken of them."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import parse_cidr, parse_ip, validate_cidr
from pybernetes.api.validation.common import IMMUTABLE, immutable
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.structures import Structures, shown_struct, structure

_GROUP = "networking.k8s.io"
_SPEC = Path("spec")
_STRUCTURES: Structures = {"Parent": structure("Group:s Resource:s Namespace:s Name:s")}


def _range(service_cidr: Tree) -> Errors:
    cidrs = service_cidr["spec"].get("cidrs") or []
    path = _SPEC.child("cidrs")
    if not cidrs:
        yield field.required(path, "at least one CIDR required")
    if len(cidrs) > 2:
        yield field.invalid(path, {"CIDRs": cidrs}, "may only hold up to 2 values")
    for index, cidr in enumerate(cidrs):
        yield from validate_cidr(cidr, path.index(index))
    families = [network.version for network in map(parse_cidr, cidrs) if network is not None]
    if len(families) == 2 and families[0] == families[1]:
        yield field.invalid(
            path, cidrs, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        )


def _update_range(new: Tree, old: Tree) -> Errors:
    """A single range may become one per family; nothing else changes."""
    before, now = old["spec"].get("cidrs") or [], new["spec"].get("cidrs") or []
    if len(now) != len(before) and (len(before), len(now)) != (1, 2):
        yield field.invalid(_SPEC.child("cidrs"), new["spec"].get("cidrs"), IMMUTABLE)
        return
    for index, cidr in enumerate(before):
        yield from immutable(now[index], cidr, _SPEC.child("cidrs").index(index))
    if len(now) != len(before):
        yield from _range(new)


def _address_name(name: str) -> tuple[str, ...]:
    address = parse_ip(name)
    if address is None:
        return ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)
    return () if str(address) == name else (f'must be in canonical form ("{address}")',)


def _address(address: Tree) -> Errors:
    parent = address["spec"].get("parentRef")
    path = _SPEC.child("parentRef")
    if parent is None:
        yield field.required(path)
        return
    if parent.get("group"):
        yield from complain(path.child("group"), parent["group"], names.dns1123_subdomain(parent["group"]))
    for name in ("resource", "name"):
        if not parent.get(name):
            yield field.required(path.child(name))
        else:
            yield from complain(path.child(name), parent[name], names.path_segment(parent[name]))
    if parent.get("namespace"):
        at = path.child("namespace")
        yield from complain(at, parent["namespace"], names.path_segment(parent["namespace"]))


def _update_address(new: Tree, old: Tree) -> Errors:
    parent = new["spec"].get("parentRef")
    if parent != old["spec"].get("parentRef"):
        yield field.invalid(_SPEC.child("parentRef"), shown_struct(parent, "Parent", _STRUCTURES), IMMUTABLE)


RULES: RulesTable = {
    (_GROUP, "servicecidrs"): Rules(
        _range, _update_range, update_is_whole=True, subresources={"status": lambda new, old: iter(())}
    ),
    (_GROUP, "ipaddresses"): Rules(_address, _update_address, _address_name, whole_looks=1),
}
