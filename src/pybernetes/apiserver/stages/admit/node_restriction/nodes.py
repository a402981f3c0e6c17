"""A kubelet's own Node: the labels, taints and owners are the administrator's, but for what describes the machine."""

from __future__ import annotations

from typing import Final

from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import refuse

_RESTRICTED: Final = "node-restriction.kubernetes.io"
_OF_KUBELETS: Final = frozenset(
    (
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
    )
)
_DOMAINS_OF_KUBELETS: Final = ("kubelet.kubernetes.io", "node.kubernetes.io")


def check_node(attributes: Attributes, node: str) -> None:
    """Raises StatusError."""
    if attributes.name != node:
        raise refuse(attributes, f"node {quote(node)} is not allowed to modify node {quote(attributes.name)}")
    new = attributes.object
    if new is None:
        return
    if attributes.operation == "CREATE":
        _registers(attributes, node, new)
    else:
        _changes(attributes, node, new, attributes.old or {})


def _registers(attributes: Attributes, node: str, new: Tree) -> None:
    if (new.get("spec") or {}).get("configSource"):
        raise refuse(attributes, f"node {quote(node)} is not allowed to create pods with a non-nil configSource")
    if wrong := _forbidden(new["metadata"].get("labels") or {}, {}):
        raise refuse(attributes, f"node {quote(node)} is not allowed to set the following labels: {wrong}")


def _changes(attributes: Attributes, node: str, new: Tree, old: Tree) -> None:
    own = f"node {quote(node)} is not allowed to"
    spec, old_spec = new.get("spec") or {}, old.get("spec") or {}
    metadata, old_metadata = new["metadata"], old["metadata"]
    source = spec.get("configSource")
    if source and source != old_spec.get("configSource"):
        raise refuse(attributes, f"{own} update configSource to a new non-nil configSource")
    if (spec.get("taints") or []) != (old_spec.get("taints") or []):
        raise refuse(attributes, f"{own} modify taints")
    if (metadata.get("ownerReferences") or []) != (old_metadata.get("ownerReferences") or []):
        raise refuse(attributes, f"{own} modify ownerReferences")
    if wrong := _forbidden(metadata.get("labels") or {}, old_metadata.get("labels") or {}):
        raise refuse(attributes, f"is not allowed to modify labels: {wrong}")


def _forbidden(after: dict[str, str], before: dict[str, str]) -> str:
    """The changed labels that are not a kubelet's, as they are told."""
    changed = {key for key in after.keys() | before.keys() if after.get(key) != before.get(key)}
    return ", ".join(sorted(label for label in changed if _is_restricted(label)))


def _is_restricted(label: str) -> bool:
    """Labels that steer pods to nodes are the administrator's, except those that describe the machine."""
    domain = label.partition("/")[0] if "/" in label else ""
    if domain == _RESTRICTED or domain.endswith("." + _RESTRICTED):
        return True
    if not (domain in ("kubernetes.io", "k8s.io") or domain.endswith((".kubernetes.io", ".k8s.io"))):
        return False
    own = any(domain == allowed or domain.endswith("." + allowed) for allowed in _DOMAINS_OF_KUBELETS)
    return label not in _OF_KUBELETS and not own
