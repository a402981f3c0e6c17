"""Flow schemas and priority levels."""

from __future__ import annotations

from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

_GROUP = "flowcontrol.apiserver.k8s.io"
_SPEC = Path("spec")
_MAX_PRECEDENCE = 10000
_SUBJECTS: Final = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
_METHODS = ("ByNamespace", "ByUser")
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")


def _schema(schema: Tree) -> Errors:
    spec = schema["spec"]
    precedence = spec.get("matchingPrecedence", 0)
    if precedence == 1 and schema["metadata"].get("name") != "exempt":
        detail = "only the schema named 'exempt' may have matchingPrecedence 1"
        yield field.invalid(_SPEC.child("matchingPrecedence"), precedence, detail)
    if precedence <= 0:
        yield field.invalid(_SPEC.child("matchingPrecedence"), precedence, "must be a positive value")
    if precedence > _MAX_PRECEDENCE:
        detail = f"must not be greater than {_MAX_PRECEDENCE}"
        yield field.invalid(_SPEC.child("matchingPrecedence"), precedence, detail)
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        path = _SPEC.child("distinguisherMethod").child("type")
        shown = field.not_supported(path, "", _METHODS)
        yield field.FieldError(shown.kind, shown.field, {"Type": method.get("type", "")}, shown.detail)
    name = (spec.get("priorityLevelConfiguration") or {}).get("name")
    path = _SPEC.child("priorityLevelConfiguration", "name")
    if not name:
        yield field.required(path, "must reference a priority level")
    else:
        yield from complain(path, name, names.dns1123_subdomain(name))
    for index, rule in enumerate(spec.get("rules") or ()):
        yield from _validate_rule(rule, _SPEC.child("rules").index(index))


def _validate_rule(rule: Tree, path: Path) -> Errors:
    subjects = rule.get("subjects") or []
    if not subjects:
        yield field.required(path.child("subjects"), "subjects must contain at least one value")
    for index, subject in enumerate(subjects):
        yield from _validate_subject(subject, path.child("subjects").index(index))
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        detail = "at least one of resourceRules and nonResourceRules has to be non-empty"
        yield field.required(path, detail)
    for index, resources in enumerate(rule.get("resourceRules") or ()):
        yield from _validate_resources(resources, path.child("resourceRules").index(index))
    for index, urls in enumerate(rule.get("nonResourceRules") or ()):
        at = path.child("nonResourceRules").index(index)
        yield from _validate_verbs(urls, at)
        yield from _validate_urls(urls, at)


def _validate_subject(subject: Tree, path: Path) -> Errors:
    kind = subject["kind"]
    if kind not in _SUBJECTS:
        yield field.not_supported(path.child("kind"), kind, tuple(_SUBJECTS))
        return
    name = _SUBJECTS[kind]
    told, at = subject.get(name), path.child(name)
    if told is None:
        yield field.required(at, f"{name} is required when subject kind is '{kind}'")
    else:
        if not told.get("name"):
            yield field.required(at.child("name"))
        if kind == "ServiceAccount":
            yield from _validate_account(told, at)
    for other_kind, other in _SUBJECTS.items():
        if other != name and subject.get(other) is not None:
            yield field.forbidden(path.child(other), f"{other} is forbidden when subject kind is not '{other_kind}'")


def _validate_account(account: Tree, path: Path) -> Errors:
    name, namespace = account.get("name"), account.get("namespace")
    if name and name != "*":
        yield from complain(path.child("name"), name, names.dns1123_subdomain(name))
    if namespace:
        yield from complain(path.child("namespace"), namespace, names.dns1123_label(namespace))
    else:
        yield field.required(path.child("namespace"), "must specify namespace for service account")


def _validate_verbs(rule: Tree, path: Path) -> Errors:
    verbs, at = rule.get("verbs") or [], path.child("verbs")
    if not verbs:
        yield field.required(at, "verbs must contain at least one value")
    elif "*" in verbs:
        if len(verbs) > 1:
            yield field.invalid(at, verbs, "if '*' is present, must not specify other verbs")
    elif not set(verbs) <= set(_VERBS):
        shown = field.not_supported(at, "", _VERBS)
        yield field.FieldError(shown.kind, shown.field, verbs, shown.detail)


def _validate_urls(rule: Tree, path: Path) -> Errors:
    urls, at = rule.get("nonResourceURLs") or [], path.child("nonResourceURLs")
    if not urls:
        yield field.required(at, "nonResourceURLs must contain at least one value")
    elif "*" in urls:
        if len(urls) > 1:
            yield field.invalid(at, urls, "if '*' is present, must not specify other non-resource URLs")
    else:
        for index, url in enumerate(urls):
            yield from _validate_url(url, at.index(index))


def _validate_url(url: str, path: Path) -> Errors:
    if not url:
        yield field.invalid(path, url, "must not be empty")
    elif url == "/":
        return
    elif not url.startswith("/"):
        yield field.invalid(path, url, "must start with slash")
    elif " " in url:
        yield field.invalid(path, url, "must not contain white-space")
    elif "//" in url:
        yield field.invalid(path, url, "must not contain double slash")
    elif "*" in url and (url.count("*") > 1 or not url.endswith("/*")):
        yield field.invalid(path, url, "wildcard can only do suffix matching")


def _validate_resources(rule: Tree, path: Path) -> Errors:
    yield from _validate_verbs(rule, path)
    for name, one, several in (
        ("apiGroups", "resource rules must supply at least one api group", "api groups"),
        ("resources", "resource rules must supply at least one resource", "resources"),
    ):
        values = rule.get(name) or []
        if not values:
            yield field.required(path.child(name), one)
        elif "*" in values and len(values) > 1:
            yield field.invalid(path.child(name), values, f"if '*' is present, must not specify other {several}")
    namespaces, at = rule.get("namespaces") or [], path.child("namespaces")
    if not namespaces and not rule.get("clusterScope"):
        yield field.required(at, "resource rules that are not cluster scoped must supply at least one namespace")
    elif "*" in namespaces:
        if len(namespaces) > 1:
            yield field.invalid(at, namespaces, "if '*' is present, must not specify other namespaces")
    else:
        for index, namespace in enumerate(namespaces):
            for complaint in names.dns1123_label(namespace):
                detail = f"each member of this list must be '*' or a DNS-1123 label; {complaint}"
                yield field.invalid(at.index(index), namespace, detail)


def _level(level: Tree) -> Errors:
    spec = level["spec"]
    kind, limited = spec.get("type", ""), spec.get("limited")
    if (kind == "Exempt") != (level["metadata"].get("name") == "exempt"):
        yield field.invalid(_SPEC.child("type"), kind, "must be 'Exempt' if and only if `name` is 'exempt'")
    if spec.get("exempt") is not None and kind == "Exempt":
        yield from _validate_exempt(spec["exempt"], _SPEC.child("exempt"))
    if kind == "Exempt":
        if limited is not None:
            yield field.forbidden(_SPEC.child("limited"), "must be nil if the type is Exempt")
    elif kind == "Limited":
        if spec.get("exempt") is not None:
            yield field.forbidden(_SPEC.child("exempt"), "must be nil if the type is Limited")
        if limited is None:
            yield field.required(_SPEC.child("limited"), "must not be empty when type is Limited")
        else:
            yield from _validate_limited(limited, _SPEC.child("limited"))
    else:
        yield field.not_supported(_SPEC.child("type"), kind, ("Exempt", "Limited"))


def _validate_exempt(exempt: Tree, path: Path) -> Errors:
    shares, lendable = exempt.get("nominalConcurrencyShares", 0), exempt.get("lendablePercent", 0)
    if shares < 0:
        yield field.invalid(path.child("nominalConcurrencyShares"), shares, "must be a non-negative integer")
    if not 0 <= lendable <= 100:
        yield field.invalid(path.child("lendablePercent"), lendable, "must be between 0 and 100, inclusive")


def _validate_limited(limited: Tree, path: Path) -> Errors:
    shares = limited.get("nominalConcurrencyShares", 0)
    if shares < 0:
        yield field.invalid(path.child("nominalConcurrencyShares"), shares, "must be a non-negative integer")
    lendable = limited.get("lendablePercent")
    if lendable is not None and not 0 <= lendable <= 100:
        yield field.invalid(path.child("lendablePercent"), lendable, "must be between 0 and 100, inclusive")
    borrowing = limited.get("borrowingLimitPercent")
    if borrowing is not None and borrowing < 0:
        detail = "if specified, must be a non-negative integer"
        yield field.invalid(path.child("borrowingLimitPercent"), borrowing, detail)
    response = limited.get("limitResponse") or {}
    at = path.child("limitResponse")
    kind, queuing = response.get("type", ""), response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            yield field.forbidden(at.child("queuing"), "must be nil if limited.limitResponse.type is not Limited")
    elif kind == "Queue":
        if queuing is None:
            detail = "must not be empty if limited.limitResponse.type is Limited"
            yield field.required(at.child("queuing"), detail)
        else:
            yield from _validate_queuing(queuing, at.child("queuing"))
    else:
        yield field.not_supported(at.child("type"), kind, ("Queue", "Reject"))


def _validate_queuing(queuing: Tree, path: Path) -> Errors:
    queues, hands = queuing.get("queues", 0), queuing.get("handSize", 0)
    if queues <= 0:
        yield field.invalid(path.child("queues"), queues, "must be positive")
    if hands <= 0:
        yield field.invalid(path.child("handSize"), hands, "must be positive")
    elif hands > queues:
        detail = f"should not be greater than queues ({queues})"
        yield field.invalid(path.child("handSize"), hands, detail)
    if queuing.get("queueLengthLimit", 0) <= 0:
        yield field.invalid(path.child("queueLengthLimit"), queuing.get("queueLengthLimit", 0), "must be positive")


RULES: RulesTable = {
    (_GROUP, "flowschemas"): Rules(_schema, whole_looks=1, update_looks=0),
    (_GROUP, "prioritylevelconfigurations"): Rules(_level, whole_looks=1, update_looks=0),
}
