"""A kubelet makes mirror pods, and evicts, deletes and reports on what runs on its node."""

from __future__ import annotations

from pybernetes.api.errors import not_found
from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import refuse
from pybernetes.apiserver.stages.admit.pods import MIRROR, is_mirror
from pybernetes.apiserver.stages.authorize.references import refers_to
from pybernetes.apiserver.stages.objects import Objects


class Pods:
    """`objects` knows pods and nodes."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def check(self, attributes: Attributes, node: str) -> None:
        """Raises StatusError."""
        operation = attributes.operation
        match attributes.subresource:
            case "" if operation == "CREATE":
                self._create(attributes, node)
            case "" if operation == "DELETE":
                self._on_node(attributes, node, f"node {quote(node)} can only delete pods")
            case "":
                words = f"unexpected operation {quote(operation)}, node {quote(node)} can only create and delete mirror pods"
                raise refuse(attributes, words)
            case "status":
                _status(attributes, node)
            case "eviction":
                self._on_node(attributes, node, f"node {node} can only evict pods")
            case part:
                words = f"unexpected pod subresource {quote(part)}, only 'status' and 'eviction' are allowed"
                raise refuse(attributes, words)

    def _on_node(self, attributes: Attributes, node: str, what: str) -> None:
        pod = self._objects.get("", "pods", attributes.namespace, attributes.name)
        if pod is None:
            raise not_found("", "pod", attributes.name)
        if pod["spec"].get("nodeName") != node:
            raise refuse(attributes, f"{what} with spec.nodeName set to itself")

    def _create(self, attributes: Attributes, node: str) -> None:
        pod = attributes.object or {}
        if not is_mirror(pod):
            words = f"pod does not have {quote(MIRROR)} annotation, node {quote(node)} can only create mirror pods"
            raise refuse(attributes, words)
        if (pod.get("spec") or {}).get("nodeName") != node:
            raise refuse(attributes, f"node {quote(node)} can only create pods with spec.nodeName set to itself")
        self._owner(attributes, node, pod["metadata"].get("ownerReferences") or [])
        if what := refers_to(pod):
            raise refuse(attributes, f"node {quote(node)} can not create pods that reference {what}")

    def _owner(self, attributes: Attributes, node: str, owners: list[Tree]) -> None:
        only = f"node {quote(node)} can only create pods with"
        if len(owners) > 1:
            raise refuse(attributes, f"{only} a single owner reference set to itself")
        owner = owners[0] if owners else {}
        if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
            raise refuse(attributes, f"{only} an owner reference set to itself")
        if not owner.get("controller"):
            raise refuse(attributes, f"{only} a controller owner reference set to itself")
        if owner.get("blockOwnerDeletion"):
            raise refuse(attributes, f"node {quote(node)} must not set blockOwnerDeletion on an owner reference")
        known = self._objects.get("", "nodes", "", node)
        if known is None:
            raise not_found("", "node", node)
        uid = known["metadata"].get("uid", "")
        if owner.get("uid", "") != uid:
            words = f"node {node} UID mismatch: expected {owner.get('uid', '')} got {uid}"
            raise refuse(attributes, words)


def _status(attributes: Attributes, node: str) -> None:
    new, old = attributes.object or {}, attributes.old or {}
    if old["spec"].get("nodeName") != node:
        words = f"node {quote(node)} can only update pod status for pods with spec.nodeName set to itself"
        raise refuse(attributes, words)
    if (new["metadata"].get("labels") or {}) != (old["metadata"].get("labels") or {}):
        raise refuse(attributes, f"node {quote(node)} cannot update labels through pod status")
    after, before = new.get("status") or {}, old.get("status") or {}
    if (after.get("resourceClaimStatuses") or []) != (before.get("resourceClaimStatuses") or []):
        raise refuse(attributes, f"node {quote(node)} cannot update resource claim statues")  # sic, upstream's spelling
    if after.get("extendedResourceClaimStatus") != before.get("extendedResourceClaimStatus"):
        raise refuse(attributes, f"node {quote(node)} cannot update extended resource claim status")
