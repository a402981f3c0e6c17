"""Role-based access control, compiled per user: a decision costs a dozen dictionary look-ups.

The policy is fed with roles and bindings as they change (`put`, `remove`). What a user holds is compiled at the first
question after a change and kept until the next change.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import TypeAlias

from msgspec import Struct

from pybernetes.api.field import aggregate
from pybernetes.api.types.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject
from pybernetes.apiserver.stages.authenticate.user import split_service_account
from pybernetes.apiserver.stages.authorize.attributes import NO_OPINION, Attributes, Decision
from pybernetes.apiserver.stages.authorize.rules import allows_path
from pybernetes.apiserver.user import UserInfo

Binding: TypeAlias = ClusterRoleBinding | RoleBinding
PolicyObject: TypeAlias = ClusterRole | Role | Binding

GROUP = "rbac.authorization.k8s.io"
COMPILED_USERS = 4096
REMEMBERED_QUESTIONS = 1024


class Grant(Struct, frozen=True):
    """One rule of a role that a binding gives; `namespace` is empty where it holds everywhere."""

    rule: PolicyRule
    namespace: str
    decision: Decision


class Lost(Struct, frozen=True):
    """A role that is not there, though a binding gives it; `namespace` is the binding's."""

    kind: str
    name: str
    namespace: str

    def __str__(self) -> str:
        return f'{self.kind.lower()}.{GROUP} "{self.name}" not found'


class Compiled:
    """What one user holds, indexed for look-up."""

    def __init__(self, grants: Iterable[Grant], lost: Sequence[Lost] = ()) -> None:
        self.grants = list(grants)
        self.lost = lost
        self._matching: dict[tuple[str, str, str, str], list[Grant]] = {}
        self._by_resource: defaultdict[tuple[str, str, str], list[Grant]] = defaultdict(list)
        for grant in self.grants:
            for verb in grant.rule.verbs:
                for group in grant.rule.api_groups:
                    for resource in grant.rule.resources:
                        self._by_resource[verb, group, resource].append(grant)

    def authorize(self, asked: Attributes) -> Decision:
        if not asked.resource:
            return self._authorize_path(asked)
        key = (asked.verb, asked.group, asked.resource, asked.subresource)
        grants = self._matching.get(key)
        if grants is None:
            if len(self._matching) >= REMEMBERED_QUESTIONS:
                self._matching.clear()
            grants = self._matching[key] = self._grants_for(asked)
        for grant in grants:
            if (not grant.namespace or grant.namespace == asked.namespace) and (
                not grant.rule.resource_names or asked.name in grant.rule.resource_names
            ):
                return grant.decision
        return self._refusal(asked.namespace)

    def _refusal(self, namespace: str) -> Decision:
        """Names the roles that might have allowed it, were they there."""
        if not self.lost:
            return NO_OPINION
        words = aggregate(self.lost_in(namespace))
        return Decision(False, f"RBAC: {words}") if words else NO_OPINION

    def lost_in(self, namespace: str) -> list[Lost]:
        """The roles that do not count in a namespace ("": of the whole cluster), being nowhere."""
        return [one for one in self.lost if not one.namespace or one.namespace == namespace]

    def _grants_for(self, asked: Attributes) -> list[Grant]:
        """The grants that name the verb and resource, whatever the namespace and name."""
        resources = [asked.full_resource, "*"]
        if asked.subresource:
            resources.append(f"*/{asked.subresource}")
        found: list[Grant] = []
        for key in product((asked.verb, "*"), (asked.group, "*"), resources):
            found += self._by_resource.get(key, ())
        return found

    def _authorize_path(self, asked: Attributes) -> Decision:
        for grant in self.grants:
            rule = grant.rule
            if grant.namespace or not ("*" in rule.verbs or asked.verb in rule.verbs):
                continue
            if any(allows_path(pattern, asked.path) for pattern in rule.non_resource_urls):
                return grant.decision
        return self._refusal("")


class Policy:
    """All roles and bindings, and what each user holds by them."""

    def __init__(self) -> None:
        self._roles: dict[tuple[str, str], list[PolicyRule]] = {}
        self._bindings: dict[tuple[str, str], Binding] = {}
        self._compiled: dict[tuple[str, tuple[str, ...]], Compiled] = {}

    def put(self, obj: PolicyObject) -> None:
        """Take a created or changed role or binding."""
        key = (obj.metadata.namespace or "", obj.metadata.name or "")
        if isinstance(obj, ClusterRole | Role):
            self._roles[key] = obj.rules
        else:
            self._bindings[key] = obj
        self._compiled.clear()

    def remove(self, obj: PolicyObject) -> None:
        """Forget a deleted role or binding. Safe to repeat."""
        key = (obj.metadata.namespace or "", obj.metadata.name or "")
        if isinstance(obj, ClusterRole | Role):
            self._roles.pop(key, None)
        else:
            self._bindings.pop(key, None)
        self._compiled.clear()

    def authorize(self, attributes: Attributes) -> Decision:
        return self.compiled(attributes.user).authorize(attributes)

    def compiled(self, user: UserInfo) -> Compiled:
        """What the user holds now."""
        key = (user.name, user.groups)
        found = self._compiled.get(key)
        if found is None:
            if len(self._compiled) >= COMPILED_USERS:
                self._compiled.clear()
            lost: list[Lost] = []
            found = self._compiled[key] = Compiled(self._grants(user, lost), lost)
        return found

    def rules_of(self, user: UserInfo, namespace: str) -> list[PolicyRule]:
        """The rules that hold for the user in `namespace` ("": those that hold everywhere)."""
        grants = self.compiled(user).grants
        return [grant.rule for grant in grants if not grant.namespace or grant.namespace == namespace]

    def role_rules(self, kind: str, namespace: str, name: str) -> list[PolicyRule] | None:
        """The rules of a Role of `namespace` or of a ClusterRole; None if there is no such role."""
        return self._roles.get(("" if kind == "ClusterRole" else namespace, name))

    def _grants(self, user: UserInfo, lost: list[Lost]) -> Iterator[Grant]:
        # Bindings of the cluster come first, as upstream looks at them first: it decides the reason that is told.
        for (namespace, name), binding in sorted(self._bindings.items(), key=lambda entry: entry[0]):
            subject = next((each for each in binding.subjects if _applies(each, user, namespace)), None)
            if subject is None:
                continue
            role = binding.role_ref
            rules = self.role_rules(role.kind, namespace, role.name)
            if rules is None:
                lost.append(Lost(role.kind, role.name, namespace))
                continue
            decision = Decision(True, _reason(binding, namespace, name, subject))
            for rule in rules:
                yield Grant(rule, namespace, decision)


def _applies(subject: Subject, user: UserInfo, namespace: str) -> bool:
    if subject.kind == "User":
        return subject.name == user.name
    if subject.kind == "Group":
        return subject.name in user.groups
    if subject.kind == "ServiceAccount":
        return split_service_account(user.name) == (subject.namespace or namespace, subject.name)
    return False


def _reason(binding: Binding, namespace: str, name: str, subject: Subject) -> str:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    bound = f"{name}/{namespace}" if namespace else name
    who = f"{subject.name}/{subject.namespace}" if subject.kind == "ServiceAccount" else subject.name
    return (
        f'RBAC: allowed by {kind} "{bound}" of {binding.role_ref.kind} "{binding.role_ref.name}" '
        f'to {subject.kind} "{who}"'
    )
