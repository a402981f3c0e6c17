"""What warnings about several kinds have in common."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final, TypeAlias

from pybernetes.api.field import Path, quote
from pybernetes.api.names import label_value
from pybernetes.api.quantity import Quantity
from pybernetes.api.tree import Tree

Texts: TypeAlias = Iterator[str]

_OLD_LABELS: Final = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}
OLD_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
OLD_CLASS_WORDS: Final = 'deprecated since v1.8; use "storageClassName" attribute instead'


def old_label(key: str) -> str:
    """What to say of a node label that is no longer to be used, "" of any other."""
    return _OLD_LABELS.get(key, "")


def node_selector_term(term: Tree, path: Path, *, values: bool = False) -> Texts:
    """Old labels, and with `values` those that no label can have, in a term's expressions."""
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        at, key = path.child("matchExpressions").index(index), expression.get("key", "")
        if old := old_label(key):
            yield f"{at.child('key')}: {key} is {old}"
        for number, value in enumerate((expression.get("values") or ()) if values else ()):
            for wrong in label_value(value):
                yield f"{at.child('values').index(number)}: {value} is invalid, {wrong}"


def node_selector(selector: Tree, path: Path) -> Texts:
    """Old labels in a LabelSelector over nodes."""
    yield from node_selector_term(selector, path)
    for label in selector.get("matchLabels") or ():
        if old := old_label(label):
            yield f"{path.child('matchLabels', label)}: {old}"


def fractional_bytes(amounts: Tree, resource: str, path: Path) -> Texts:
    amount = amounts.get(resource)
    if amount is not None and not Quantity.parse(amount).is_whole:
        yield f"{path.key(resource)}: fractional byte value {quote(amount)} is invalid, must be an integer"


def claim_spec(spec: Tree, path: Path) -> Texts:
    """What a volume claim asks for."""
    for kind in ("requests", "limits"):
        amounts = (spec.get("resources") or {}).get(kind) or {}
        yield from fractional_bytes(amounts, "storage", path.child("resources", kind))


def ip_text(path: Path, value: str) -> Texts:
    """An address that is not written as it should be; nothing about what is no address."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        parts = value.split(".")
        if len(parts) == 4 and all(part.isdecimal() and int(part) < 256 for part in parts):
            plain = ".".join(str(int(part)) for part in parts)
            yield f'{path}: non-standard IP address {quote(value)} is invalid: use "{plain}"'
        return
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            yield f'{path}: non-standard IP address {quote(value)} is invalid: use "{address.ipv4_mapped}"'
        elif str(address) != value:
            yield f'{path}: IPv6 address {quote(value)} should be in RFC 5952 canonical format ("{address}")'


def cidr_text(path: Path, value: str) -> Texts:
    """A range whose address has bits behind its prefix, or that is not written as it should be."""
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        return
    network = interface.network
    if interface.ip != network.network_address:
        alone = f"{interface.ip}/{network.max_prefixlen}"
        yield f'{path}: CIDR value {quote(value)} is ambiguous in this context (should be "{network}" or "{alone}"?)'
    elif network.version == 6 and str(network) != value:
        yield f'{path}: IPv6 CIDR value {quote(value)} should be in RFC 5952 canonical format ("{network}")'
