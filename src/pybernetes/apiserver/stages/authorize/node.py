"""The Node authorizer: a kubelet reads what its own pods refer to, and writes what is its own."""

from collections.abc import Sequence

from pybernetes.api.types.rbac_v1 import PolicyRule
from pybernetes.apiserver.stages.authenticate.user import node_name
from pybernetes.apiserver.stages.authorize.attributes import NO_OPINION, Attributes, Decision
from pybernetes.apiserver.stages.authorize.node_graph import NodeGraph
from pybernetes.apiserver.stages.authorize.rbac import Compiled, Grant

LEASES = "kube-node-lease"
OWN = frozenset(("get", "create", "update", "patch", "delete"))
READ = frozenset(("get", "list", "watch"))
ALLOWED = Decision(True)


class NodeAuthorizer:
    """`rules` are those of the role `system:node`; the graph narrows them for what belongs to pods."""

    def __init__(self, graph: NodeGraph, rules: Sequence[PolicyRule]) -> None:
        self._graph = graph
        self._rules = Compiled(Grant(rule, "", ALLOWED) for rule in rules)

    def authorize(self, attributes: Attributes) -> Decision:
        node = node_name(attributes.user)
        if node is None:
            return NO_OPINION
        if not node:
            return Decision(False, f'unknown node for user "{attributes.user.name}"')
        match attributes.group, attributes.resource:
            case ("", "secrets" | "configmaps"):
                return self._related(node, attributes, READ)
            case ("", "persistentvolumeclaims") | ("resource.k8s.io", "resourceclaims"):
                writes_status = attributes.subresource == "status"
                return self._related(node, attributes, {"update", "patch"} if writes_status else {"get"}, "status")
            case ("", "persistentvolumes"):
                return self._related(node, attributes, {"get"})
            case ("", "serviceaccounts"):
                is_token = attributes.subresource == "token"
                return self._related(node, attributes, {"create"} if is_token else {"get"}, "token")
            case ("", "nodes"):
                return self._node(node, attributes)
            case ("", "pods") if attributes.verb in READ and not attributes.subresource:
                return self._pods(node, attributes)
            case ("coordination.k8s.io", "leases"):
                return _own(node, attributes, namespace=LEASES)
            case ("storage.k8s.io", "csinodes"):
                return _own(node, attributes)
        return self._rules.authorize(attributes)

    def _related(self, node: str, asked: Attributes, verbs: "frozenset[str] | set[str]", part: str = "") -> Decision:
        if asked.verb not in verbs or asked.subresource not in ("", part):
            return Decision(False, f"can only {'/'.join(sorted(verbs))} resources of this type")
        if not asked.name:
            return Decision(False, "No Object name found")
        if self._graph.reaches(node, asked.resource, asked.namespace, asked.name):
            return ALLOWED
        return Decision(False, f"no relationship found between node '{node}' and this object")

    def _node(self, node: str, asked: Attributes) -> Decision:
        if asked.verb == "create" and not asked.subresource:
            return ALLOWED  # what is created is NodeRestriction's to check: the name is in the body
        if asked.name != node:
            return Decision(False, f"node '{node}' cannot {asked.verb} node '{asked.name}', only its own Node object")
        return self._rules.authorize(asked)

    def _pods(self, node: str, asked: Attributes) -> Decision:
        if asked.verb == "get":
            return self._related(node, asked, {"get"})
        if asked.name and self._graph.reaches(node, "pods", asked.namespace, asked.name):
            return ALLOWED
        if f"spec.nodeName={node}" in asked.field_selector.replace("==", "=").split(","):
            return ALLOWED
        return Decision(False, f"can only {asked.verb} pods with spec.nodeName={node} field selector")


def _own(node: str, asked: Attributes, namespace: str = "") -> Decision:
    """Objects that bear the node's name, in one namespace or in none."""
    if asked.verb not in OWN or asked.subresource:
        return Decision(False, "can only get, create, update, patch, or delete " + asked.resource)
    if asked.namespace != namespace:
        return Decision(False, f'can only access {asked.resource} in the "{namespace}" system namespace')
    if asked.name != node and not (asked.verb == "create" and not asked.name):
        return Decision(False, f"can only access {asked.resource} with the same name as the requesting node")
    return ALLOWED
