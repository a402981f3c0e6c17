"""Nodes."""

from __future__ import annotations

import re

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import parse_cidr, validate_cidr
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import METADATA
from pybernetes.api.validation.pod.resources import validate_amount
from pybernetes.api.validation.pod.scheduling import validate_taints

_SPEC, _STATUS = Path("spec"), Path("status")
_AMOUNTS = ("capacity", "allocatable")
_FEATURE = re.compile("[A-Z][a-zA-Z0-9]*(/[a-zA-Z][a-zA-Z0-9]*)*")
_MAX_FEATURE = 253
_NO_FEATURE = (
    "must start with an UpperCamelCase segment, with subsequent segments separated by '/' "
    "(e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
)


def _create(node: Tree) -> Errors:
    spec = node["spec"]
    if taints := spec.get("taints"):
        yield from validate_taints(taints, METADATA.child("taints"))
    for index, cidr in enumerate(spec.get("podCIDRs") or ()):
        yield from validate_cidr(cidr, _SPEC.child("podCIDRs").index(index))
    yield from _validate_families(spec.get("podCIDRs") or [])
    yield from _validate_status(node)


def _validate_families(cidrs: list[str]) -> Errors:
    """Each address family has one range at most."""
    if len(cidrs) < 2:
        return
    networks = [parse_cidr(cidr) for cidr in cidrs]
    unread = next((index for index, network in enumerate(networks) if network is None), None)
    if unread is not None:
        cause = f"invalid CIDR[{unread}]: <nil> (invalid CIDR address: {cidrs[unread]})"
        detail = f"invalid PodCIDRs. failed to check with dual stack with error:{cause}"
        yield field.internal(_SPEC.child("podCIDRs"), detail)
    families = {network.version for network in networks if network is not None}
    if len(families) < 2 or unread is not None or len(cidrs) > 2:
        detail = "may specify no more than one CIDR for each IP family"
        yield field.invalid(_SPEC.child("podCIDRs"), cidrs, detail)


def _validate_status(node: Tree) -> Errors:
    status = node.get("status") or {}
    for kind in _AMOUNTS:
        for name, amount in (status.get(kind) or {}).items():
            yield from validate_amount(name, amount, _STATUS.child(kind, name))
    yield from _validate_features(status.get("declaredFeatures") or [], _STATUS.child("declaredFeatures"))


def _validate_features(features: list[str], path: Path) -> Errors:
    """What the kubelet can do, in order."""
    for index, feature in enumerate(features):
        wrong = f"must be no more than {_MAX_FEATURE} characters" if len(feature) > _MAX_FEATURE else _NO_FEATURE
        if len(feature) > _MAX_FEATURE or not _FEATURE.fullmatch(feature):
            yield field.invalid(path.index(index), feature, f"invalid feature name {field.quote(feature)}: {wrong}")
        if index and feature == features[index - 1]:
            yield field.duplicate(path.index(index), feature)
        elif index and feature < features[index - 1]:
            yield field.invalid(path.index(index), feature, "list must be sorted alphabetically")


def _validate_addresses(node: Tree) -> Errors:
    status = node.get("status") or {}
    taken: set[tuple[str, str]] = set()
    for index, address in enumerate(status.get("addresses") or ()):
        key = (address["type"], address["address"])
        if key in taken:
            shown = {"type": address["type"], "address": address["address"]}
            yield field.duplicate(_STATUS.child("addresses").index(index), shown)
        taken.add(key)


def _update(new: Tree, old: Tree) -> Errors:
    spec, was = new["spec"], old["spec"]
    yield from _validate_addresses(new)
    # Upstream looks at taints twice here, and clients see every complaint twice.
    if taints := spec.get("taints"):
        yield from validate_taints(taints, METADATA.child("taints"))
    if (spec.get("externalID") or "") != (was.get("externalID") or ""):
        yield field.forbidden(_SPEC.child("externalID"), "may not be updated")
    if was.get("podCIDRs") and spec.get("podCIDRs") != was["podCIDRs"]:
        yield field.forbidden(_SPEC.child("podCIDRs"), 'node updates may not change podCIDR except from "" to valid')
    if was.get("providerID") and spec.get("providerID") != was["providerID"]:
        detail = 'node updates may not change providerID except from "" to valid'
        yield field.forbidden(_SPEC.child("providerID"), detail)


def _update_status(new: Tree, old: Tree) -> Errors:
    yield from _validate_status(new)
    yield from _validate_addresses(new)


RULES: RulesTable = {("", "nodes"): Rules(_create, _update, subresources={"status": _update_status}, whole_looks=1)}
