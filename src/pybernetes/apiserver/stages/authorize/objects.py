"""Roles and bindings out of their trees: what is absent or null in one is empty, so that nothing stored can break this."""

from pybernetes.api.tree import Tree
from pybernetes.api.types.meta_v1 import ObjectMeta
from pybernetes.api.types.rbac_v1 import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRule,
    Role,
    RoleBinding,
    RoleRef,
    Subject,
)
from pybernetes.apiserver.stages.authorize.rbac import PolicyObject


def policy_object(plural: str, tree: Tree) -> PolicyObject:
    """The role or binding; `plural` tells which of the four kinds it is."""
    metadata = ObjectMeta(name=tree["metadata"]["name"], namespace=tree["metadata"].get("namespace"))
    if plural.endswith("roles"):
        rules = rules_of(tree)
        return (
            ClusterRole(metadata=metadata, rules=rules)
            if plural == "clusterroles"
            else Role(metadata=metadata, rules=rules)
        )
    ref, subjects = role_ref_of(tree), [_subject(each) for each in tree.get("subjects") or ()]
    if plural == "clusterrolebindings":
        return ClusterRoleBinding(metadata=metadata, role_ref=ref, subjects=subjects)
    return RoleBinding(metadata=metadata, role_ref=ref, subjects=subjects)


def rules_of(role: Tree) -> list[PolicyRule]:
    """The rules of a role's tree."""
    return [
        PolicyRule(
            verbs=rule.get("verbs") or [],
            api_groups=rule.get("apiGroups") or [],
            resources=rule.get("resources") or [],
            resource_names=rule.get("resourceNames") or [],
            non_resource_urls=rule.get("nonResourceURLs") or [],
        )
        for rule in role.get("rules") or ()
    ]


def role_ref_of(binding: Tree) -> RoleRef:
    """The role that a binding's tree names."""
    ref = binding.get("roleRef") or {}
    return RoleRef(kind=ref.get("kind") or "", name=ref.get("name") or "", api_group=ref.get("apiGroup"))


def _subject(tree: Tree) -> Subject:
    return Subject(
        kind=tree.get("kind") or "",
        name=tree.get("name") or "",
        namespace=tree.get("namespace"),
        api_group=tree.get("apiGroup"),
    )
