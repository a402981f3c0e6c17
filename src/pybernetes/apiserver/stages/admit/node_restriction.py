"""NodeRestriction: a kubelet writes its own node, its own pods and nothing else."""

from collections.abc import Callable

from pybernetes.api.field import quote
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes, Operation
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.admit.pods import is_mirror
from pybernetes.apiserver.stages.authenticate.user import node_name
from pybernetes.apiserver.stages.authorize.node_graph import references
from pybernetes.apiserver.stages.objects import Objects

RESTRICTED_LABELS = "node-restriction.kubernetes.io"
KUBELET_LABELS = frozenset(
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
KUBELET_LABEL_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")


class NodeRestriction(Plugin):
    name = "NodeRestriction"
    subresources = frozenset()
    resources = frozenset(
        (
            "pods",
            "nodes",
            "serviceaccounts",
            "persistentvolumeclaims",
            "leases.coordination.k8s.io",
            "csinodes.storage.k8s.io",
        )
    )

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._checks: dict[str, Callable[[Attributes, str], None]] = {
            "pods": self._pod,
            "nodes": self._node,
            "serviceaccounts": self._token,
            "persistentvolumeclaims": self._claim,
            "leases": self._named,
            "csinodes": self._named,
        }

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        return operation != "CONNECT" and super().handles(operation, resource, subresource)

    async def validate(self, attributes: Attributes) -> None:
        node = node_name(attributes.ctx.user)
        if node is None:
            return
        if not node:
            raise refuse(attributes, f"could not determine node from user {quote(attributes.ctx.user.name)}")
        self._checks[attributes.resource.plural](attributes, node)

    def _pod(self, attributes: Attributes, node: str) -> None:
        match attributes.operation, attributes.subresource:
            case "CREATE", "":
                self._mirror_pod(attributes, node)
            case "DELETE", "":
                self._own_pod(attributes, node, "delete pods")
            case "UPDATE", "status":
                self._own_pod(attributes, node, "update pod status for pods")
                new, old = (attributes.object or {})["metadata"], (attributes.old or {})["metadata"]
                if (new.get("labels") or {}) != (old.get("labels") or {}):
                    raise refuse(attributes, f"node {quote(node)} cannot update labels through pod status")
            case "CREATE", "eviction":
                self._own_pod(attributes, node, "evict pods")
            case _, part:
                raise refuse(attributes, f"unexpected pod {attributes.operation} of {part or 'pods'} by a node")

    def _own_pod(self, attributes: Attributes, node: str, what: str) -> None:
        pod = attributes.old or self._objects.get("", "pods", attributes.namespace, attributes.name)
        if pod is not None and pod["spec"].get("nodeName") != node:
            raise refuse(attributes, f"node {quote(node)} can only {what} with spec.nodeName set to itself")

    @staticmethod
    def _mirror_pod(attributes: Attributes, node: str) -> None:
        pod = attributes.object or {}
        if not is_mirror(pod):
            raise refuse(
                attributes,
                'pod does not have "kubernetes.io/config.mirror" annotation, '
                f"node {quote(node)} can only create mirror pods",
            )
        if pod["spec"].get("nodeName") != node:
            raise refuse(attributes, f"node {quote(node)} can only create pods with spec.nodeName set to itself")
        for plural, name in references(pod):
            if name:
                raise refuse(attributes, f"node {quote(node)} can not create pods that reference {plural}")
        owners = pod["metadata"].get("ownerReferences") or []
        if any(owner.get("kind") != "Node" or owner.get("name") != node for owner in owners):
            raise refuse(attributes, f"node {quote(node)} can only create pods with an owner reference set to itself")

    def _node(self, attributes: Attributes, node: str) -> None:
        named = attributes.name or ((attributes.object or {}).get("metadata") or {}).get("name", "")
        if named != node:
            raise refuse(attributes, f"node {quote(node)} is not allowed to modify node {quote(named)}")
        new, old = attributes.object, attributes.old
        if new is None:
            return
        if new["metadata"].get("ownerReferences") and not (old or {}).get("metadata", {}).get("ownerReferences"):
            raise refuse(attributes, f"node {quote(node)} is not allowed to set owner references")
        if old is not None and (new.get("spec") or {}).get("taints") != (old.get("spec") or {}).get("taints"):
            raise refuse(attributes, f"node {quote(node)} is not allowed to modify taints")
        wrong = sorted(label for label in _changed_labels(new, old) if _is_restricted(label))
        if wrong:
            verb = "set" if old is None else "modify"
            raise refuse(
                attributes, f"node {quote(node)} is not allowed to {verb} the following labels: {', '.join(wrong)}"
            )

    def _token(self, attributes: Attributes, node: str) -> None:
        if attributes.subresource != "token":
            return
        ref = ((attributes.object or {}).get("spec") or {}).get("boundObjectRef") or {}
        if ref.get("kind") != "Pod" or not ref.get("name"):
            raise refuse(attributes, "node requested token not bound to a pod")
        if not ref.get("uid"):
            raise refuse(attributes, "node requested token with a pod binding without a uid")
        pod = self._objects.get("", "pods", attributes.namespace, ref["name"])
        if pod is None or pod["metadata"].get("uid") != ref["uid"]:
            raise refuse(attributes, "the UID in the bound object reference does not match the UID in record")
        if pod["spec"].get("nodeName") != node:
            raise refuse(attributes, "node requested token bound to a pod scheduled on a different node")

    @staticmethod
    def _claim(attributes: Attributes, node: str) -> None:
        if (attributes.operation, attributes.subresource) != ("UPDATE", "status"):
            raise refuse(attributes, f"node {quote(node)} can only update the status of persistentvolumeclaims")
        new, old = attributes.object or {}, attributes.old or {}
        if new.get("spec") != old.get("spec"):
            raise refuse(attributes, f"node {quote(node)} is not allowed to update fields other than status")

    @staticmethod
    def _named(attributes: Attributes, node: str) -> None:
        named = attributes.name or ((attributes.object or {}).get("metadata") or {}).get("name", "")
        if named != node:
            plural = attributes.resource.plural
            raise refuse(attributes, f"can only access {plural} with the same name as the requesting node")


def _changed_labels(new: Tree, old: Tree | None) -> set[str]:
    after = new["metadata"].get("labels") or {}
    before = (old or {}).get("metadata", {}).get("labels") or {}
    return {key for key in after.keys() | before.keys() if after.get(key) != before.get(key)}


def _is_restricted(label: str) -> bool:
    """Labels that steer pods to nodes are the administrator's, except those that describe the machine."""
    domain = label.partition("/")[0] if "/" in label else ""
    if domain == RESTRICTED_LABELS or domain.endswith("." + RESTRICTED_LABELS):
        return True
    if not (domain in ("kubernetes.io", "k8s.io") or domain.endswith((".kubernetes.io", ".k8s.io"))):
        return False
    own = any(domain == allowed or domain.endswith("." + allowed) for allowed in KUBELET_LABEL_DOMAINS)
    return label not in KUBELET_LABELS and not own
