"""Endpoint slices."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import parse_ip, validate_endpoint_ip, validate_ip
from pybernetes.api.validation.common import immutable
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

_TYPES = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MAX_ENDPOINTS, _MAX_PORTS, _MAX_ADDRESSES = 1000, 20000, 100


def _create(endpoint_slice: Tree) -> Errors:
    yield from _validate_type(endpoint_slice.get("addressType", ""))
    yield from _validate_endpoints(endpoint_slice)


def _validate_type(kind: str) -> Errors:
    if not kind:
        yield field.required(ROOT.child("addressType"))
    elif kind not in _TYPES:
        yield field.not_supported(ROOT.child("addressType"), kind, _TYPES)


def _validate_endpoints(endpoint_slice: Tree) -> Errors:
    kind, endpoints = endpoint_slice.get("addressType", ""), endpoint_slice.get("endpoints") or []
    if len(endpoints) > _MAX_ENDPOINTS:
        yield field.too_many(ROOT.child("endpoints"), len(endpoints), _MAX_ENDPOINTS)
        return
    for index, endpoint in enumerate(endpoints):
        yield from _validate_endpoint(endpoint, kind, ROOT.child("endpoints").index(index))
    yield from _validate_ports(endpoint_slice.get("ports") or [], ROOT.child("ports"))


def _validate_endpoint(endpoint: Tree, kind: str, path: Path) -> Errors:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        yield field.required(path.child("addresses"), "must contain at least 1 address")
    elif len(addresses) > _MAX_ADDRESSES:
        yield field.too_many(path.child("addresses"), len(addresses), _MAX_ADDRESSES)
    for index, address in enumerate(addresses):
        yield from _validate_address(address, kind, path.child("addresses"), index)
    if endpoint.get("nodeName") is not None:
        yield from complain(path.child("nodeName"), endpoint["nodeName"], names.dns1123_subdomain(endpoint["nodeName"]))
    hints = endpoint.get("hints") or {}
    for kind_of_place, check in (("forZones", names.label_value), ("forNodes", names.dns1123_subdomain)):
        places = [one.get("name", "") for one in hints.get(kind_of_place) or ()]
        for index, place in enumerate(places):
            at = path.child("hints", kind_of_place).index(index).child("name")
            yield from complain(at, place, check(place))
            if place in places[:index]:
                yield field.duplicate(at, place)
    if endpoint.get("hostname") is not None:
        yield from complain(path.child("hostname"), endpoint["hostname"], names.dns1123_label(endpoint["hostname"]))


def _validate_address(address: str, kind: str, whole: Path, index: int) -> Errors:
    path = whole.index(index)
    if kind == "FQDN":
        yield from complain(path, address, names.fully_qualified_domain_name(address))
        return
    parsed = parse_ip(address)
    wanted = {"IPv4": 4, "IPv6": 6}.get(kind)
    if wanted is not None and parsed is None:
        yield from validate_ip(address, path)
    elif parsed is not None:
        if wanted is not None and parsed.version != wanted:
            yield field.invalid(whole, address, f"must be an {kind} address")
        yield from validate_endpoint_ip(address, path)


def _validate_ports(ports: list[Tree], path: Path) -> Errors:
    if len(ports) > _MAX_PORTS:
        yield field.too_many(path, len(ports), _MAX_PORTS)
        return
    taken: set[str] = set()
    for index, port in enumerate(ports):
        at = path.index(index)
        name = port.get("name") or ""
        if name:
            yield from complain(at.child("name"), name, names.dns1123_label(name))
        if name in taken:
            yield field.duplicate(at.child("name"), name)
        taken.add(name)
        protocol = port.get("protocol")
        if protocol is None:
            yield field.required(at.child("protocol"))
        elif protocol not in _PROTOCOLS:
            yield field.not_supported(at.child("protocol"), protocol, _PROTOCOLS)
        if port.get("appProtocol") is not None:
            yield from complain(at.child("appProtocol"), port["appProtocol"], names.qualified_name(port["appProtocol"]))


def _update(new: Tree, old: Tree) -> Errors:
    """What has not changed is not judged again."""
    yield from _validate_type(new.get("addressType", ""))
    if (new.get("endpoints"), new.get("ports")) != (old.get("endpoints"), old.get("ports")):
        yield from _validate_endpoints(new)
    yield from immutable(new.get("addressType"), old.get("addressType"), ROOT.child("addressType"))


RULES: RulesTable = {
    ("discovery.k8s.io", "endpointslices"): Rules(_create, _update, update_is_whole=True, whole_looks=1, update_looks=0)
}
