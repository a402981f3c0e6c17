"""RBAC: what rules allow, the reason that is told, and who may grant what."""

from collections.abc import Sequence

import pytest

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
from pybernetes.apiserver.stages.authorize.attributes import Attributes, Union, forbidden_words
from pybernetes.apiserver.stages.authorize.escalation import Escalation
from pybernetes.apiserver.stages.authorize.rbac import Policy
from pybernetes.apiserver.user import UserInfo

BOB = UserInfo("bob", groups=("system:authenticated",))
ROBOT = UserInfo("system:serviceaccount:ns:robot")


def rule(verbs: str, resources: str, groups: Sequence[str] = ("",), names: str = "") -> PolicyRule:
    return PolicyRule(
        verbs=verbs.split(), resources=resources.split(), api_groups=list(groups), resource_names=names.split()
    )


def policy(*rules: PolicyRule, namespace: str = "ns") -> Policy:
    made = Policy()
    subjects = [
        Subject(kind="User", name="bob"),
        Subject(kind="Group", name="ops"),
        Subject(kind="ServiceAccount", name="robot", namespace="ns"),
    ]
    if namespace:
        made.put(Role(metadata=ObjectMeta(name="r", namespace=namespace), rules=list(rules)))
        ref = RoleRef(kind="Role", name="r")
        made.put(RoleBinding(metadata=ObjectMeta(name="b", namespace=namespace), role_ref=ref, subjects=subjects))
    else:
        made.put(ClusterRole(metadata=ObjectMeta(name="r"), rules=list(rules)))
        made.put(
            ClusterRoleBinding(
                metadata=ObjectMeta(name="b"), role_ref=RoleRef(kind="ClusterRole", name="r"), subjects=subjects
            )
        )
    return made


@pytest.mark.parametrize(
    ("granted", "asked", "allowed"),
    [
        (rule("get list", "pods"), Attributes(BOB, "get", resource="pods", namespace="ns"), True),
        (rule("get list", "pods"), Attributes(BOB, "get", resource="pods", namespace="other"), False),
        (rule("get list", "pods"), Attributes(BOB, "get", resource="pods"), False),
        (rule("get list", "pods"), Attributes(BOB, "delete", resource="pods", namespace="ns"), False),
        (rule("get", "pods"), Attributes(BOB, "get", resource="pods", subresource="log", namespace="ns"), False),
        (rule("get", "pods/log"), Attributes(BOB, "get", resource="pods", subresource="log", namespace="ns"), True),
        (rule("get", "*/scale"), Attributes(BOB, "get", resource="rcs", subresource="scale", namespace="ns"), True),
        (rule("*", "*", ["*"]), Attributes(BOB, "x", "g", resource="y", subresource="z", namespace="ns"), True),
        (
            rule("get", "secrets", names="one"),
            Attributes(BOB, "get", resource="secrets", namespace="ns", name="one"),
            True,
        ),
        (rule("get", "secrets", names="one"), Attributes(BOB, "get", resource="secrets", namespace="ns"), False),
        (
            rule("get", "pods"),
            Attributes(UserInfo("eve", groups=("ops",)), "get", resource="pods", namespace="ns"),
            True,
        ),
        (rule("get", "pods"), Attributes(ROBOT, "get", resource="pods", namespace="ns"), True),
        (rule("get", "pods"), Attributes(UserInfo("eve"), "get", resource="pods", namespace="ns"), False),
    ],
)
def test_rules_of_a_role(granted: PolicyRule, asked: Attributes, allowed: bool) -> None:
    assert policy(granted).authorize(asked).allowed is allowed


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [("/healthz", "/healthz", True), ("/apis/*", "/apis/apps", True), ("/apis/*", "/api", False), ("*", "/x", True)],
)
def test_paths(pattern: str, path: str, allowed: bool) -> None:
    granted = PolicyRule(verbs=["get"], non_resource_urls=[pattern])
    assert policy(granted, namespace="").authorize(Attributes(BOB, "get", path=path)).allowed is allowed
    assert not policy(granted, namespace="ns").authorize(Attributes(BOB, "get", path=path)).allowed


def test_the_reason_names_binding_role_and_subject() -> None:
    asked = Attributes(ROBOT, "get", resource="pods", namespace="ns")
    assert policy(rule("get", "pods")).authorize(asked).reason == (
        'RBAC: allowed by RoleBinding "b/ns" of Role "r" to ServiceAccount "robot/ns"'
    )
    assert policy(rule("get", "pods"), namespace="").authorize(asked).reason == (
        'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to ServiceAccount "robot/ns"'
    )


def test_changes_count_at_once() -> None:
    made = policy(rule("get", "pods"))
    asked = Attributes(BOB, "get", resource="pods", namespace="ns")
    assert made.authorize(asked).allowed
    made.put(Role(metadata=ObjectMeta(name="r", namespace="ns"), rules=[rule("list", "pods")]))
    assert not made.authorize(asked).allowed
    made.put(Role(metadata=ObjectMeta(name="r", namespace="ns"), rules=[rule("get", "pods")]))
    made.remove(RoleBinding(metadata=ObjectMeta(name="b", namespace="ns"), role_ref=RoleRef(kind="Role", name="r")))
    assert not made.authorize(asked).allowed


def test_nobody_grants_what_they_do_not_hold() -> None:
    made = policy(rule("get list", "pods"))
    escalation = Escalation(made, Union([made]))
    assert escalation.refuse_role(BOB, "roles", "ns", "x", [rule("get", "pods")]) == ""
    assert escalation.refuse_role(
        BOB, "roles", "ns", "x", [rule("get delete watch", "pods"), rule("get", "secrets", names="s")]
    ) == (
        'user "bob" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}\n'
        '{APIGroups:[""], Resources:["secrets"], ResourceNames:["s"], Verbs:["get"]}'
    )
    assert escalation.refuse_binding(BOB, "ns", RoleRef(kind="Role", name="nosuch")) is None
    assert escalation.refuse_binding(BOB, "ns", RoleRef(kind="Role", name="r")) == ""
    made.put(Role(metadata=ObjectMeta(name="strong", namespace="ns"), rules=[rule("*", "*", ["*"])]))
    assert "not currently held" in (escalation.refuse_binding(BOB, "ns", RoleRef(kind="Role", name="strong")) or "")


def test_the_verbs_bind_and_escalate_lift_the_check() -> None:
    group = ["rbac.authorization.k8s.io"]
    made = policy(rule("bind", "roles", group, "strong"), rule("escalate", "roles", group))
    made.put(Role(metadata=ObjectMeta(name="strong", namespace="ns"), rules=[rule("*", "*", ["*"])]))
    escalation = Escalation(made, made)
    assert escalation.refuse_binding(BOB, "ns", RoleRef(kind="Role", name="strong")) == ""
    assert escalation.refuse_role(BOB, "roles", "ns", "x", [rule("*", "*", ["*"])]) == ""


def test_the_words_of_a_refusal() -> None:
    assert forbidden_words(Attributes(BOB, "get", resource="pods", subresource="log", namespace="ns")) == (
        'User "bob" cannot get resource "pods/log" in API group "" in the namespace "ns"'
    )
    assert forbidden_words(Attributes(BOB, "list", "apps", resource="deployments")) == (
        'User "bob" cannot list resource "deployments" in API group "apps" at the cluster scope'
    )
    assert forbidden_words(Attributes(BOB, "get", path="/x")) == 'User "bob" cannot get path "/x"'
