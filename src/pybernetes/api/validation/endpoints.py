"""Endpoints."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import parse_ip, validate_endpoint_ip
from pybernetes.api.validation.common import one_of, port_number
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

_PROTOCOLS = ("SCTP", "TCP", "UDP")


def _create(endpoints: Tree) -> Errors:
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        path = ROOT.child("subsets").index(index)
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield field.required(path, "must specify `addresses` or `notReadyAddresses`")
        for kind in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(subset.get(kind) or ()):
                yield from _validate_address(address, path.child(kind).index(number))
        ports = subset.get("ports") or []
        for number, port in enumerate(ports):
            yield from _validate_port(port, len(ports) > 1, path.child("ports").index(number))


def _validate_address(address: Tree, path: Path) -> Errors:
    yield from validate_endpoint_ip(address["ip"], path.child("ip"))
    if parse_ip(address["ip"]) is None:  # told by both of upstream's checks
        yield field.invalid(path.child("ip"), address["ip"], "must be a valid IP address")
    if address.get("hostname"):
        yield from complain(path.child("hostname"), address["hostname"], names.dns1123_label(address["hostname"]))
    if address.get("nodeName") is not None:
        yield from complain(path.child("nodeName"), address["nodeName"], names.dns1123_subdomain(address["nodeName"]))


def _validate_port(port: Tree, several: bool, path: Path) -> Errors:
    name = port.get("name", "")
    if several and not name:
        yield field.required(path.child("name"))
    elif name:
        yield from complain(path.child("name"), name, names.dns1123_label(name))
    yield from port_number(port["port"], path.child("port"))
    yield from one_of(port.get("protocol"), path.child("protocol"), _PROTOCOLS)
    if port.get("appProtocol") is not None:
        yield from complain(path.child("appProtocol"), port["appProtocol"], names.qualified_name(port["appProtocol"]))


RULES: RulesTable = {("", "endpoints"): Rules(_create, whole_looks=1)}
