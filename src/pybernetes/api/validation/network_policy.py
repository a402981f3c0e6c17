"""Network policies."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import parse_cidr, validate_cidr
from pybernetes.api.validation.common import label_selector, port_number, port_number_or_name
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable

_SPEC = Path("spec")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_TYPES = ("Ingress", "Egress")


def _create(policy: Tree) -> Errors:
    spec = policy["spec"]
    yield from label_selector(spec.get("podSelector"), _SPEC.child("podSelector"))
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = _SPEC.child(direction).index(index)
            for number, port in enumerate(rule.get("ports") or ()):
                yield from _validate_port(port, path.child("ports").index(number))
            for number, peer in enumerate(rule.get(peers) or ()):
                yield from _validate_peer(peer, path.child(peers).index(number))
    types = spec.get("policyTypes") or []
    if len(types) > len(_TYPES):
        yield field.invalid(_SPEC.child("policyTypes"), types, "may not specify more than two policyTypes")
        return
    for index, kind in enumerate(types):
        if kind not in _TYPES:
            yield field.not_supported(_SPEC.child("policyTypes").index(index), kind, _TYPES)


def _validate_port(port: Tree, path: Path) -> Errors:
    protocol = port.get("protocol")
    if protocol is not None and protocol not in _PROTOCOLS:
        yield field.not_supported(path.child("protocol"), protocol, _PROTOCOLS)
    first, last = port.get("port"), port.get("endPort")
    if first is None:
        if last is not None:
            yield field.invalid(path.child("endPort"), last, "may not be specified when `port` is not specified")
        return
    yield from port_number_or_name(first, path.child("port"))
    if last is None:
        return
    if isinstance(first, str):
        yield field.invalid(path.child("endPort"), last, "may not be specified when `port` is non-numeric")
    else:
        if last < first:
            # The value that upstream shows is that of `port`.
            yield field.invalid(path.child("endPort"), first, "must be greater than or equal to `port`")
        yield from port_number(last, path.child("endPort"))


def _validate_peer(peer: Tree, path: Path) -> Errors:
    selectors = [name for name in ("podSelector", "namespaceSelector") if peer.get(name) is not None]
    for name in selectors:
        yield from label_selector(peer[name], path.child(name))
    block = peer.get("ipBlock")
    if block is not None:
        yield from _validate_block(block, path.child("ipBlock"))
    if not selectors and block is None:
        yield field.required(path, "must specify a peer")
    elif selectors and block is not None:
        yield field.forbidden(path, "may not specify both ipBlock and another peer")


def _validate_block(block: Tree, path: Path) -> Errors:
    if not block["cidr"]:
        yield field.required(path.child("cidr"))
        return
    yield from validate_cidr(block["cidr"], path.child("cidr"))
    whole = parse_cidr(block["cidr"])
    if whole is None:
        return
    for index, text in enumerate(block.get("except") or ()):
        at = path.child("except").index(index)
        yield from validate_cidr(text, at)
        part = parse_cidr(text)
        if part is None:
            continue
        inside = part.version == whole.version and part.network_address in whole
        if not inside or part.prefixlen <= whole.prefixlen:
            yield field.invalid(at, text, "must be a strict subset of `cidr`")


RULES: RulesTable = {("networking.k8s.io", "networkpolicies"): Rules(_create)}
