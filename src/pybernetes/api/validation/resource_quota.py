"""Resource quotas."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.pod.resources import is_standard, validate_amount

_SPEC, _STATUS = Path("spec"), Path("status")
_SCOPES = (
    "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating",
    "VolumeAttributesClass",
)  # fmt: skip
_QUOTA = frozenset({
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
    "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas",
    "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps", "services.nodeports",
    "services.loadbalancers",
})  # fmt: skip
_COMPUTE = frozenset({
    "pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
    "ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage",
})  # fmt: skip
_STORAGE = frozenset({"persistentvolumeclaims", "requests.storage"})
_EXISTS_ONLY = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity")
_CONFLICTS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_POD_SCOPES = frozenset(
    {"Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"}
)


def _create(quota: Tree) -> Errors:
    spec = quota["spec"]
    hard = spec.get("hard") or {}
    yield from _validate_amounts(hard, _SPEC.child("hard"))
    scopes = spec.get("scopes") or []
    if scopes:
        yield from _validate_scopes(scopes, hard, scopes, _SPEC.child("scopes"))
    if spec.get("scopeSelector") is not None:
        yield from _validate_selector(spec["scopeSelector"], hard, scopes)


def _validate_amounts(amounts: dict[str, str], path: Path) -> Errors:
    for name, amount in amounts.items():
        at = path.key(name)
        complaints = names.qualified_name(name)
        yield from complain(at, name, complaints)
        if "/" not in name:
            if not complaints and not is_standard(name):
                yield field.invalid(at, name, "must be a standard resource type or fully qualified")
            if name not in _QUOTA and not name.startswith(("hugepages-", "requests.hugepages-")):
                yield field.invalid(at, name, "must be a standard resource for quota")
        yield from validate_amount(name, amount, at)


def _applies(scope: str, resource: str) -> bool:
    """Whether a scope can narrow down what is counted for a resource."""
    if scope == "BestEffort":
        return resource == "pods"
    if scope == "VolumeAttributesClass":
        return resource in _STORAGE
    if scope in _POD_SCOPES:
        return resource in _COMPUTE or resource.startswith(("hugepages-", "requests.hugepages-"))
    return True


def _validate_scopes(scopes: list[str], hard: dict[str, str], shown: list[str], path: Path) -> Errors:
    for scope in scopes:
        if scope not in _SCOPES:
            yield field.invalid(path, shown, "unsupported scope")
        for resource in hard:
            if scope in _SCOPES and resource in _QUOTA and not _applies(scope, resource):
                yield field.invalid(path, shown, "unsupported scope applied to resource")
    for pair in _CONFLICTS:
        if pair <= set(scopes):
            yield field.invalid(path, shown, "conflicting scopes")


def _validate_selector(selector: Tree, hard: dict[str, str], shown: list[str]) -> Errors:
    """Scopes that conflict upstream shows by the other list of scopes, whatever is in it."""
    path = _SPEC.child("scopeSelector", "matchExpressions")
    requirements = selector.get("matchExpressions") or []
    for requirement in requirements:
        scope, operator, values = requirement["scopeName"], requirement["operator"], requirement.get("values") or []
        if scope not in _SCOPES:
            yield field.invalid(path.child("scopeName"), scope, "unsupported scope")
        for resource in hard:
            if scope in _SCOPES and resource in _QUOTA and not _applies(scope, resource):
                yield field.invalid(path, _shown(requirements), "unsupported scope applied to resource")
        if scope in _EXISTS_ONLY and operator != "Exists":
            listed = [f"ResourceQuotaScope{name}" for name in _EXISTS_ONLY]
            detail = f"must be 'Exists' when scope is any of {', '.join(listed[:-1])} or {listed[-1]}"
            yield field.invalid(path.child("operator"), operator, detail)
        yield from _validate_operator(operator, values, path)
    scopes = {requirement["scopeName"] for requirement in requirements}
    for pair in _CONFLICTS:
        if pair <= scopes:
            yield field.invalid(path, shown or None, "conflicting scopes")


def _shown(requirements: list[Tree]) -> Tree:
    """The selector as upstream's own structure."""
    found = [
        {"ScopeName": one["scopeName"], "Operator": one["operator"], "Values": one.get("values")}
        for one in requirements
    ]
    return {"MatchExpressions": found}


def _validate_operator(operator: str, values: list[str], path: Path) -> Errors:
    if operator in ("In", "NotIn"):
        if not values:
            detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            yield field.required(path.child("values"), detail)
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            yield field.invalid(path.child("values"), values, detail)
    else:
        yield field.invalid(path.child("operator"), operator, "not a valid selector operator")


def _update(new: Tree, old: Tree) -> Errors:
    """Scopes stay: what was counted under them would be wrong."""
    now, before = (sorted(one["spec"].get("scopes") or ()) for one in (new, old))
    if now != before:
        yield field.invalid(_SPEC.child("scopes"), new["spec"].get("scopes"), "field is immutable")


def _update_status(new: Tree, old: Tree) -> Errors:
    status = new.get("status") or {}
    for kind in ("hard", "used"):
        yield from _validate_amounts(status.get(kind) or {}, _STATUS.child(kind))


RULES: RulesTable = {("", "resourcequotas"): Rules(_create, _update, subresources={"status": _update_status})}
