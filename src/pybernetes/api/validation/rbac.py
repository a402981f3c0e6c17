"""Roles and bindings."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable, is_wrong_selector, label_selector
from pybernetes.api.validation.kinds import Create, Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

_GROUP = "rbac.authorization.k8s.io"


def _role(role: Tree) -> Errors:
    for index, rule in enumerate(role.get("rules") or ()):
        yield from _validate_rule(rule, True, ROOT.child("rules").index(index))


def _cluster_role(role: Tree) -> Errors:
    for index, rule in enumerate(role.get("rules") or ()):
        yield from _validate_rule(rule, False, ROOT.child("rules").index(index))
    aggregation = role.get("aggregationRule")
    if aggregation is not None:
        path = ROOT.child("aggregationRule", "clusterRoleSelectors")
        if not aggregation.get("clusterRoleSelectors"):
            yield field.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
        for index, selector in enumerate(aggregation.get("clusterRoleSelectors") or ()):
            yield from label_selector(selector, path.index(index))
            if is_wrong_selector(selector):
                yield field.invalid(path.index(index), None, "invalid label selector.")


def _validate_rule(rule: Tree, namespaced: bool, path: Path) -> Errors:
    if not rule.get("verbs"):
        yield field.required(path.child("verbs"), "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs") or []
    if urls:
        at = path.child("nonResourceURLs")
        if namespaced:
            yield field.invalid(at, urls, "namespaced rules cannot apply to non-resource URLs")
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            yield field.invalid(at, urls, "rules cannot apply to both regular resources and non-resource URLs")
        return
    if not rule.get("apiGroups"):
        yield field.required(path.child("apiGroups"), "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield field.required(path.child("resources"), "resource rules must supply at least one resource")


def _binding(namespaced: bool) -> Create:
    def validate(binding: Tree) -> Errors:
        ref = binding["roleRef"]
        path = ROOT.child("roleRef")
        if ref["apiGroup"] != _GROUP:
            yield field.not_supported(path.child("apiGroup"), ref["apiGroup"], (_GROUP,))
        kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
        if ref["kind"] not in kinds:
            yield field.not_supported(path.child("kind"), ref["kind"], kinds)
        if not ref["name"]:
            yield field.required(path.child("name"))
        else:
            yield from complain(path.child("name"), ref["name"], names.path_segment(ref["name"]))
        for index, subject in enumerate(binding.get("subjects") or ()):
            yield from _validate_subject(subject, namespaced, ROOT.child("subjects").index(index))

    return validate


def _validate_subject(subject: Tree, namespaced: bool, path: Path) -> Errors:
    name, kind, group = subject["name"], subject["kind"], subject.get("apiGroup", "")
    if not name:
        yield field.required(path.child("name"))
    if kind == "ServiceAccount":
        if name:
            yield from complain(path.child("name"), name, names.dns1123_subdomain(name))
        if group:
            yield field.not_supported(path.child("apiGroup"), group, ("",))
        if not namespaced and not subject.get("namespace"):
            yield field.required(path.child("namespace"))
    elif kind in ("User", "Group"):
        if group != _GROUP:
            yield field.not_supported(path.child("apiGroup"), group, (_GROUP,))
    else:
        yield field.not_supported(path.child("kind"), kind, ("ServiceAccount", "User", "Group"))


def _update_binding(new: Tree, old: Tree) -> Errors:
    ref = new["roleRef"]
    shown = {"APIGroup": ref["apiGroup"], "Kind": ref["kind"], "Name": ref["name"]}
    yield from immutable(ref, old["roleRef"], ROOT.child("roleRef"), shown, "cannot change roleRef")


RULES: RulesTable = {
    (_GROUP, "roles"): Rules(_role, name=names.path_segment, whole_looks=1),
    (_GROUP, "clusterroles"): Rules(_cluster_role, name=names.path_segment, whole_looks=1),
    (_GROUP, "rolebindings"): Rules(_binding(namespaced=True), _update_binding, names.path_segment, whole_looks=1),
    (_GROUP, "clusterrolebindings"): Rules(
        _binding(namespaced=False), _update_binding, names.path_segment, whole_looks=1
    ),
}
