"""Warnings about kinds that are no pods."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from pybernetes.api.field import Path, quote
from pybernetes.api.tree import Tree
from pybernetes.api.warnings.common import (
    OLD_CLASS,
    OLD_CLASS_WORDS,
    Texts,
    cidr_text,
    claim_spec,
    ip_text,
    node_selector,
    node_selector_term,
    old_label,
)

_Find: TypeAlias = Callable[[Tree, Tree | None], Texts]

_SPEC: Final = Path("spec")
_OLD_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_NEW_HINTS: Final = "service.kubernetes.io/topology-mode"
_INGRESS_CLASS: Final = "kubernetes.io/ingress.class"
_OLD_MOUNT_OPTIONS: Final = "volume.beta.kubernetes.io/mount-options"
_OLD_SOURCES: Final = {
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "photonPersistentDisk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "scaleIO": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
_FORMATS: Final = frozenset({
    "bsonobjectid", "uri", "email", "hostname", "ipv4", "ipv6", "cidr", "mac", "uuid", "uuid3", "uuid4", "uuid5", "isbn",
    "isbn10", "isbn13", "creditcard", "ssn", "hexcolor", "rgbcolor", "byte", "password", "date", "duration", "datetime",
    "k8sshortname", "k8slongname",
})  # fmt: skip
"""Of strings, without dashes: `date-time` is `datetime`."""
_NUMBER_FORMATS: Final = {"integer": ("int32", "int64"), "number": ("float", "double")}


def _annotations(tree: Tree) -> Tree:
    found: Tree = tree["metadata"].get("annotations") or {}
    return found


def _service(service: Tree, old: Tree | None) -> Texts:
    spec = service.get("spec") or {}
    kind, addresses = spec.get("type", ""), spec.get("clusterIPs") or []
    if _OLD_HINTS in _annotations(service):
        yield f"annotation {_OLD_HINTS} is deprecated, please use {_NEW_HINTS} instead"
    headless = kind != "ExternalName" and spec.get("clusterIP") == "None"
    if not headless and kind != "ExternalName":
        for index, address in enumerate(addresses):
            yield from ip_text(_SPEC.child("clusterIPs").index(index), address)
    outside = spec.get("externalIPs") or []
    if headless:
        if spec.get("loadBalancerIP"):
            yield "spec.loadBalancerIP is ignored for headless services"
        if outside:
            yield "spec.externalIPs is ignored for headless services"
        if spec.get("sessionAffinity") != "None":
            yield "spec.SessionAffinity is ignored for headless services"
    for index, address in enumerate(outside):
        yield from ip_text(_SPEC.child("externalIPs").index(index), address)
    if outside and not headless and kind != "ExternalName":
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    if spec.get("loadBalancerIP"):
        yield from ip_text(_SPEC.child("loadBalancerIP"), spec["loadBalancerIP"])
    for index, cidr in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        yield from cidr_text(_SPEC.child("loadBalancerSourceRanges").index(index), cidr)
    if kind == "ExternalName" and outside:
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if kind != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
    if spec.get("trafficDistribution") == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'


def _endpoints(endpoints: Tree, old: Tree | None) -> Texts:
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        for kind in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(subset.get(kind) or ()):
                at = Path("subsets").index(index).child(kind).index(number).child("ip")
                yield from ip_text(at, address.get("ip", ""))


def _node(node: Tree, old: Tree | None) -> Texts:
    spec = node.get("spec") or {}
    if spec.get("configSource") is not None:
        yield "spec.configSource: the feature is removed"
    if spec.get("externalID"):
        yield "spec.externalID: this field is deprecated, and is unused by Kubernetes"
    for index, cidr in enumerate(spec.get("podCIDRs") or ()):
        yield from cidr_text(_SPEC.child("podCIDRs").index(index), cidr)


def _volume(volume: Tree, old: Tree | None) -> Texts:
    spec = volume.get("spec") or {}
    at = Path("metadata").child("annotations")
    if OLD_CLASS in _annotations(volume):
        yield f"{at.key(OLD_CLASS)}: {OLD_CLASS_WORDS}"
    if _OLD_MOUNT_OPTIONS in _annotations(volume):
        yield f'{at.key(_OLD_MOUNT_OPTIONS)}: deprecated since v1.31; use "mountOptions" attribute instead'
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        yield (
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, "
            "the recommended approach is to use dynamic provisioning."
        )
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    for index, term in enumerate(terms):
        yield from node_selector_term(term, _SPEC.child("nodeAffinity", "required", "nodeSelectorTerms").index(index))
    for name, (shown, words) in _OLD_SOURCES.items():
        if spec.get(name) is not None:
            yield f"spec.{shown}: {words}"


def _claim(claim: Tree, old: Tree | None) -> Texts:
    if OLD_CLASS in _annotations(claim):
        yield f"{Path('metadata').child('annotations').key(OLD_CLASS)}: {OLD_CLASS_WORDS}"
    yield from claim_spec(claim.get("spec") or {}, _SPEC)


def _stateful_set(stateful_set: Tree, old: Tree | None) -> Texts:
    spec = stateful_set.get("spec") or {}
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        yield from claim_spec(claim.get("spec") or {}, _SPEC.child("volumeClaimTemplates").index(index).child("Spec"))
    if (spec.get("revisionHistoryLimit") or 0) < 0:
        yield (
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
        )


def _storage_class(storage_class: Tree, old: Tree | None) -> Texts:
    for index, topology in enumerate(storage_class.get("allowedTopologies") or ()):
        for number, expression in enumerate(topology.get("matchLabelExpressions") or ()):
            if words := old_label(expression.get("key", "")):
                at = Path("allowedTopologies").index(index).child("matchLabelExpressions").index(number)
                yield f"{at.child('key')}: {words}"


def _capacity(capacity: Tree, old: Tree | None) -> Texts:
    yield from node_selector(capacity.get("nodeTopology") or {}, Path("nodeTopology"))


def _csi_driver(driver: Tree, old: Tree | None) -> Texts:
    spec, before = driver.get("spec") or {}, {} if old is None else old.get("spec") or {}
    requests = spec.get("tokenRequests")
    if requests and requests != before.get("tokenRequests") and spec.get("serviceAccountTokenInSecrets") is None:
        yield (
            "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent "
            "possible logging of tokens in volume attributes"
        )


def _runtime_class(runtime_class: Tree, old: Tree | None) -> Texts:
    for label in (runtime_class.get("scheduling") or {}).get("nodeSelector") or ():
        if words := old_label(label):
            yield f"scheduling.nodeSelector: {words}"


def _ingress(ingress: Tree, old: Tree | None) -> Texts:
    named = (ingress.get("spec") or {}).get("ingressClassName") is not None
    if old is None and _INGRESS_CLASS in _annotations(ingress) and not named:
        yield f"annotation {quote(_INGRESS_CLASS)} is deprecated, please use 'spec.ingressClassName' instead"


def _network_policy(policy: Tree, old: Tree | None) -> Texts:
    spec = policy.get("spec") or {}
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            for number, peer in enumerate(rule.get(peers) or ()):
                block = peer.get("ipBlock") or {}
                at = _SPEC.child(direction).index(index).child(peers).index(number).child("ipBlock")
                yield from cidr_text(at.child("cidr"), block.get("cidr", ""))
                for place, cidr in enumerate(block.get("except") or ()):
                    yield from cidr_text(at.child("except").index(place), cidr)


def _secret(secret: Tree, old: Tree | None) -> Texts:
    """A pair of certificate and key that is none."""
    if secret.get("type") != "kubernetes.io/tls":
        return
    data = secret.get("data") or {}
    for key, called in (("tls.crt", "certificate"), ("tls.key", "key")):
        if b"-----BEGIN " not in b64decode(data.get(key, "")):
            yield f"tls: failed to find any PEM data in {called} input"
            return


def custom_resource_definition(definition: Tree) -> Texts:
    found: set[str] = set()
    for version in definition["spec"].get("versions") or ():
        found |= set(_formats((version.get("schema") or {}).get("openAPIV3Schema")))
    for name in sorted(found):
        yield f"unrecognized format {quote(name)}"


def _formats(schema: Any) -> Iterator[str]:
    """The formats in a schema that say nothing, each of the type that it stands with."""
    if not isinstance(schema, Mapping):
        return
    name, kind = schema.get("format"), schema.get("type") or ""
    plain = name.replace("-", "") if name and kind in ("", "string") else name
    if name and plain not in (_FORMATS if kind in ("", "string") else _NUMBER_FORMATS.get(kind, ())):
        yield name
    for child in (*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")):
        yield from _formats(child)


def _service_account(account: Tree, old: Tree | None) -> Texts:
    """Told once: with the annotation's coming."""
    if _MOUNTABLE in _annotations(account) and (old is None or _MOUNTABLE not in _annotations(old)):
        words = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        yield f"metadata.annotations[{_MOUNTABLE}]: {words}"


_MOUNTABLE: Final = "kubernetes.io/enforce-mountable-secrets"
WARNINGS: Final[Mapping[tuple[str, str], _Find]] = {
    ("", "services"): _service,
    ("", "endpoints"): _endpoints,
    ("", "nodes"): _node,
    ("", "persistentvolumes"): _volume,
    ("", "persistentvolumeclaims"): _claim,
    ("", "secrets"): _secret,
    ("", "serviceaccounts"): _service_account,
    ("apps", "statefulsets"): _stateful_set,
    ("networking.k8s.io", "ingresses"): _ingress,
    ("networking.k8s.io", "networkpolicies"): _network_policy,
    ("node.k8s.io", "runtimeclasses"): _runtime_class,
    ("storage.k8s.io", "csidrivers"): _csi_driver,
    ("storage.k8s.io", "csistoragecapacities"): _capacity,
    ("storage.k8s.io", "storageclasses"): _storage_class,
}
"""Of a new object, or of a change from an old one: they are told at every write."""
