"""Which objects a quota looks at: its scopes and its scope selector. Pure."""

from collections.abc import Iterator

from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree

COMPUTE = ("cpu", "memory")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def matches(quota: Tree, resource: Resource, obj: Tree) -> bool:
    """Whether the quota limits such an object. Scopes select pods (and claims by class) only."""
    requirements = list(_requirements(quota))
    if not requirements:
        return True
    if resource.group_resource == "pods":
        return all(_pod_matches(obj, *requirement) for requirement in requirements)
    if resource.group_resource == "persistentvolumeclaims":
        return all(_claim_matches(obj, *requirement) for requirement in requirements)
    return False


def _requirements(quota: Tree) -> Iterator[tuple[str, str, list[str]]]:
    spec = quota.get("spec", {})
    for scope in spec.get("scopes") or ():
        yield scope, "Exists", []
    for expression in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        yield expression["scopeName"], expression["operator"], expression.get("values") or []


def _pod_matches(pod: Tree, scope: str, operator: str, values: list[str]) -> bool:
    spec = pod["spec"]
    match scope:
        case "Terminating":
            return is_terminating(pod)
        case "NotTerminating":
            return not is_terminating(pod)
        case "BestEffort":
            return _is_best_effort(spec)
        case "NotBestEffort":
            return not _is_best_effort(spec)
        case "PriorityClass":
            return _selects(spec.get("priorityClassName") or "", operator, values)
        case "CrossNamespacePodAffinity":
            return _crosses_namespaces(spec)
    return False


def is_terminating(pod: Tree) -> bool:
    """Whether the pod may run for so long only."""
    return (pod.get("spec") or {}).get("activeDeadlineSeconds") is not None


def _claim_matches(claim: Tree, scope: str, operator: str, values: list[str]) -> bool:
    """While a volume is being modified its claim is of both classes."""
    if scope != "VolumeAttributesClass":
        return False
    return any(_selects(name, operator, values) for name in attributes_classes(claim) or {""})


def attributes_classes(claim: Tree) -> set[str]:
    """The classes that a claim wants, has, or is on its way to."""
    status = claim.get("status") or {}
    names = (
        (claim.get("spec") or {}).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return {name for name in names if name}


def _selects(value: str, operator: str, values: list[str]) -> bool:
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return bool(value)
        case "DoesNotExist":
            return not value
    return False


def _is_best_effort(spec: Tree) -> bool:
    asked = [
        spec.get("resources") or {},
        *(container.get("resources") or {} for kind in _CONTAINERS for container in spec.get(kind) or ()),
    ]
    return not any(
        str((resources.get(field) or {}).get(name, "0")) != "0"
        for resources in asked
        for field in ("requests", "limits")
        for name in COMPUTE
    )


def _crosses_namespaces(spec: Tree) -> bool:
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        preferred = terms.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        required = terms.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for term in (*required, *(entry.get("podAffinityTerm") or {} for entry in preferred)):
            if term.get("namespaces") or term.get("namespaceSelector") is not None:
                return True
    return False
