"""The Node authorizer: a kubelet reads what its own pods refer to, and writes what is its own."""

from collections.abc import Sequence

from pybernetes.api.selectors import fields
from pybernetes.api.types.rbac_v1 import PolicyRule
from pybernetes.apiserver.stages.authenticate.user import node_name
from pybernetes.apiserver.stages.authorize.attributes import NO_OPINION, Attributes, Decision
from pybernetes.apiserver.stages.authorize.node_graph import NodeGraph
from pybernetes.apiserver.stages.authorize.rbac import Compiled, Grant
from pybernetes.apiserver.user import UserInfo

LEASES = "kube-node-lease"
OWN = frozenset(("get", "create", "update", "patch", "delete"))
READ = frozenset(("get", "list", "watch"))
ALLOWED = Decision(True)


class NodeAuthorizer:
    """`rules` are those of the role `system:node`; the graph narrows them for what belongs to pods."""

    def __init__(self, graph: NodeGraph, rules: Sequence[PolicyRule]) -> None:
        self._graph = graph
        self._rules = Compiled(Grant(rule, "", ALLOWED) for rule in rules)

    def unlisted(self, user: UserInfo) -> str:
        return "" if node_name(user) is None else "node authorizer does not support user rule resolution"

    def authorize(self, attributes: Attributes) -> Decision:
        node = node_name(attributes.user)
        if node is None:
            return NO_OPINION
        if not node:
            return Decision(False, f'unknown node for user "{attributes.user.name}"')
        match attributes.group, attributes.resource:
            case ("", "secrets" | "configmaps"):
                return self._read(node, attributes)
            case ("", "persistentvolumeclaims") if attributes.subresource == "status":
                if attributes.verb not in ("update", "patch"):
                    return Decision(False, "can only get/update/patch this type")
                return self._related(node, attributes)
            case ("", "persistentvolumes" | "persistentvolumeclaims"):
                return self._get(node, attributes)
            case ("resource.k8s.io", "resourceclaims") | ("storage.k8s.io", "volumeattachments"):
                return self._get(node, attributes)
            case ("", "serviceaccounts"):
                return self._service_account(node, attributes)
            case ("", "nodes"):
                return _node(node, attributes)
            case ("", "pods"):
                return self._pod(node, attributes)
            case ("coordination.k8s.io", "leases"):
                return _lease(node, attributes)
            case ("storage.k8s.io", "csinodes"):
                return _csi_node(node, attributes)
            case ("resource.k8s.io", "resourceslices"):
                return self._slice(node, attributes)
        return self._rules.authorize(attributes)

    def _related(self, node: str, asked: Attributes) -> Decision:
        if not asked.name:
            return Decision(False, "No Object name found")
        if self._graph.reaches(node, asked.resource, asked.namespace, asked.name):
            return ALLOWED
        return Decision(False, f"no relationship found between node '{node}' and this object")

    def _read(self, node: str, asked: Attributes) -> Decision:
        if asked.verb not in READ:
            return Decision(False, "can only read resources of this type")
        if asked.subresource:
            return Decision(False, "cannot read subresource")
        if not asked.namespace:
            return Decision(False, "can only read namespaced object of this type")
        return self._related(node, asked)

    def _get(self, node: str, asked: Attributes) -> Decision:
        if asked.verb != "get":
            return Decision(False, "can only get individual resources of this type")
        if asked.subresource:
            return Decision(False, "cannot get subresource")
        return self._related(node, asked)

    def _service_account(self, node: str, asked: Attributes) -> Decision:
        if asked.verb == "get" and not asked.subresource:
            return self._read(node, asked)
        if asked.verb != "create" or not asked.name:
            return Decision(False, "can only create tokens for individual service accounts")
        if asked.subresource != "token":
            return Decision(False, "can only create token subresource of serviceaccount")
        return self._related(node, asked)

    def _pod(self, node: str, asked: Attributes) -> Decision:
        match asked.subresource, asked.verb:
            case ("", "get"):
                return self._related(node, asked)
            case ("", "list" | "watch"):
                if _selects(asked, "spec.nodeName", node):
                    return ALLOWED
                if asked.name:
                    return self._related(node, asked)
                return Decision(False, "can only list/watch pods with spec.nodeName field selector")
            case ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create"):
                return ALLOWED  # which ones, NodeRestriction checks
        return NO_OPINION

    def _slice(self, node: str, asked: Attributes) -> Decision:
        if asked.subresource:
            return Decision(False, "cannot authorize ResourceSlice subresources")
        match asked.verb:
            case "create":
                return ALLOWED
            case "get" | "update" | "patch" | "delete":
                return self._related(node, asked)
            case "list" | "watch" | "deletecollection":
                if _selects(asked, "spec.nodeName", node):
                    return ALLOWED
                known = "can only list/watch/deletecollection resourceslices with nodeName field selector"
                return Decision(False, known)
        verbs = "get, watch, list, create, update, patch, delete, deletecollection"
        return Decision(False, f"only the following verbs are allowed for a ResourceSlice: {verbs}")


def _selects(asked: Attributes, called: str, value: str) -> bool:
    return fields.parse(asked.field_selector).exact(called) == value


def _node(node: str, asked: Attributes) -> Decision:
    match asked.subresource, asked.verb:
        case ("", "create" | "update" | "patch") | ("status", "update" | "patch"):
            return ALLOWED  # which one, NodeRestriction checks
        case ("", "get" | "list" | "watch"):
            if asked.name == node:
                return ALLOWED
            what = f"'{asked.name}'" if asked.name else "all nodes"
            return Decision(False, f"node '{node}' cannot read {what}, only its own Node object")
    return NO_OPINION


def _lease(node: str, asked: Attributes) -> Decision:
    if asked.verb not in OWN:
        return Decision(False, "can only get, create, update, patch, or delete a node lease")
    if asked.namespace != LEASES:
        return Decision(False, f'can only access leases in the "{LEASES}" system namespace')
    if asked.verb != "create" and asked.name != node:
        return Decision(False, "can only access node lease with the same name as the requesting node")
    return ALLOWED


def _csi_node(node: str, asked: Attributes) -> Decision:
    if asked.verb not in OWN:
        return Decision(False, "can only get, create, update, patch, or delete a CSINode")
    if asked.subresource:
        return Decision(False, "cannot authorize CSINode subresources")
    if asked.verb != "create" and asked.name != node:
        return Decision(False, "can only access CSINode with the same name as the requesting node")
    return ALLOWED
