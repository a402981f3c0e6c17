"""Nobody grants by a role or binding what they do not hold themselves, unless by the verbs `escalate` and `bind`."""

from collections.abc import Sequence

from pybernetes.api.field import aggregate
from pybernetes.api.types.rbac_v1 import PolicyRule, RoleRef
from pybernetes.apiserver.stages.authorize.attributes import Attributes, Authorizer
from pybernetes.apiserver.stages.authorize.rbac import GROUP, Policy
from pybernetes.apiserver.stages.authorize.rules import compact, describe, missing, quoted
from pybernetes.apiserver.user import MASTERS, UserInfo


class Escalation:
    """The check that creating or changing a role or binding passes after authorization."""

    def __init__(self, policy: Policy, authorizer: Authorizer) -> None:
        self._policy = policy
        self._authorizer = authorizer

    def refuse_role(self, user: UserInfo, resource: str, namespace: str, name: str, rules: Sequence[PolicyRule]) -> str:
        """Why `user` may not give the role (`resource`: roles, clusterroles) these rules; empty if they may."""
        if MASTERS in user.groups or self._allowed(user, "escalate", resource, namespace, name):
            return ""
        return self._not_held(user, resource, namespace, rules)

    def refuse_binding(self, user: UserInfo, namespace: str, ref: RoleRef) -> str | None:
        """Why `user` may not bind the role; empty if they may, None if there is no such role."""
        resource = "clusterroles" if ref.kind == "ClusterRole" else "roles"
        if MASTERS in user.groups or self._allowed(user, "bind", resource, namespace, ref.name):
            return ""
        rules = self._policy.role_rules(ref.kind, namespace, ref.name)
        bindings = "rolebindings" if namespace else "clusterrolebindings"
        return None if rules is None else self._not_held(user, bindings, namespace, rules)

    def _allowed(self, user: UserInfo, verb: str, resource: str, namespace: str, name: str) -> bool:
        asked = Attributes(user, verb, GROUP, "*", resource, namespace=namespace, name=name)
        return self._authorizer.authorize(asked).allowed

    def _not_held(self, user: UserInfo, resource: str, namespace: str, rules: Sequence[PolicyRule]) -> str:
        lacking = compact(missing(self._policy.rules_of(user, namespace), rules))
        if not lacking:
            return ""
        lines = sorted(describe(rule) for rule in lacking)
        # Upstream names what is being written here, not the role that is not there.
        lost = [f'{resource}.{GROUP} "{one.name}" not found' for one in self._policy.compiled(user).lost_in(namespace)]
        unresolved = f"; resolution errors: [{aggregate(lost)}]" if lost else ""
        return (
            f'user "{user.name}" (groups={quoted(user.groups)}) is attempting to grant RBAC permissions '
            "not currently held:\n" + "\n".join(lines) + unresolved
        )
