"""What else a kubelet writes: leases, CSINodes, slices of devices, statuses of claims, requests for certificates."""

from __future__ import annotations

import base64
from typing import Any, Final

from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import refuse

LEASES: Final = "kube-node-lease"
_SIGNERS: Final = ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet")
_OF_CLAIMS: Final = ("capacity", "conditions", "allocatedResourceStatuses", "allocatedResources")
"""Fields of a claim's status that a kubelet writes as it resizes a volume."""


def check_lease(attributes: Attributes, node: str) -> None:
    """Raises StatusError."""
    if attributes.namespace != LEASES:
        raise refuse(attributes, f"can only access leases in the {quote(LEASES)} system namespace")
    if _name(attributes) != node:
        raise refuse(attributes, "can only access node lease with the same name as the requesting node")


def check_csi_node(attributes: Attributes, node: str) -> None:
    """Raises StatusError."""
    if _name(attributes) != node:
        raise refuse(attributes, "can only access CSINode with the same name as the requesting node")


def check_slice(attributes: Attributes, node: str) -> None:
    """Which slices a kubelet may change, the Node authorizer knows; not so of new ones, and of many at once.

    Raises StatusError.
    """
    match attributes.operation:
        case "CREATE":
            verb, tree = "create", attributes.object
        case "DELETE":
            verb, tree = "delete", attributes.old
        case _:
            return
    if ((tree or {}).get("spec") or {}).get("nodeName") != node:
        raise refuse(attributes, f"can only {verb} ResourceSlice with the same NodeName as the requesting node")


def check_claim(attributes: Attributes, node: str) -> None:
    """Raises StatusError."""
    if attributes.subresource != "status":
        raise refuse(attributes, "may only update PVC status")
    new, old = _rest_of_claim(attributes.object or {}), _rest_of_claim(attributes.old or {})
    if new != old:
        words = f"node {quote(node)} is not allowed to update fields other than status.quantity and status.conditions"
        changed = ", ".join(sorted(key for key in new.keys() | old.keys() if new.get(key) != old.get(key)))
        raise refuse(attributes, f"{words}: {changed}")


def _rest_of_claim(claim: Tree) -> Tree:
    """A claim without what a kubelet may change, and without what is empty; its type is known."""
    metadata = {**claim.get("metadata", {}), "resourceVersion": None, "managedFields": None}
    status = {**(claim.get("status") or {}), **dict.fromkeys(_OF_CLAIMS)}
    whole = {**claim, "apiVersion": "", "kind": "", "metadata": metadata, "status": status}
    return {key: value for key, value in ((key, _full(value)) for key, value in whole.items()) if value is not None}


def _full(value: Any) -> Any:
    """None for what is empty, as semantic equality of objects takes it."""
    if isinstance(value, dict):
        found = {key: _full(each) for key, each in value.items()}
        return {key: each for key, each in found.items() if each is not None} or None
    if isinstance(value, list):
        return [_full(each) for each in value] or None
    return value if value != "" else None


def check_certificate_request(attributes: Attributes, node: str) -> None:
    """Raises StatusError."""
    spec = (attributes.object or {}).get("spec") or {}
    if attributes.operation != "CREATE" or spec.get("signerName") not in _SIGNERS:
        return
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        request = x509.load_pem_x509_csr(base64.b64decode(spec.get("request") or ""))
    except ValueError as error:
        words = "unable to parse csr: PEM block type must be CERTIFICATE REQUEST"
        raise refuse(attributes, words) from error
    names = [entry.value for entry in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names[-1:] != [f"system:node:{node}"]:
        raise refuse(attributes, f"can only create a node CSR with CN=system:node:{node}")


def _name(attributes: Attributes) -> str:
    """What is written by name; a new object's own."""
    tree = attributes.object if attributes.operation == "CREATE" else None
    return str(tree["metadata"].get("name", "")) if tree is not None else attributes.name
