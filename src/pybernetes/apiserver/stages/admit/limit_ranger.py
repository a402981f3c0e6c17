"""LimitRanger: the defaults and bounds that a namespace's LimitRanges set for containers, pods and claims."""

from collections.abc import Iterator

from pybernetes.api.quantity import Quantity
from pybernetes.api.quota.amounts import Amounts, amounts, pod_amounts
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes, Operation
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.admit.pods import containers
from pybernetes.apiserver.stages.objects import Objects

ANNOTATION = "kubernetes.io/limit-ranger"
CLAIMS = "persistentvolumeclaims"


class LimitRanger(Plugin):
    name = "LimitRanger"
    operations = frozenset(("CREATE", "UPDATE"))
    resources = frozenset(("pods", CLAIMS))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        # A pod's resources are bounded when it is made; a claim may grow later.
        only_created = operation == "CREATE" or resource.plural == CLAIMS
        return only_created and super().handles(operation, resource, subresource)

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.object is None or attributes.resource.plural != "pods":
            return
        for limits in self._ranges(attributes):
            set_defaults(attributes.object, limits)

    async def validate(self, attributes: Attributes) -> None:
        if attributes.object is None:
            return
        violations = [
            violation
            for limits in self._ranges(attributes)
            for entry in limits
            for violation in _violations(attributes.resource.plural, entry, attributes.object)
        ]
        if violations:
            listed = ", ".join(dict.fromkeys(violations))
            raise refuse(attributes, listed if len(violations) == 1 else f"[{listed}]")

    def _ranges(self, attributes: Attributes) -> Iterator[list[Tree]]:
        for limit_range in self._objects.list("", "limitranges", attributes.namespace):
            yield limit_range.get("spec", {}).get("limits") or []


def set_defaults(pod: Tree, limits: list[Tree]) -> None:
    """Give the pod's containers the default requests and limits, and say so in an annotation."""
    defaults = [entry for entry in limits if entry.get("type") == "Container"]
    limit = {key: value for entry in defaults for key, value in (entry.get("default") or {}).items()}
    request = {key: value for entry in defaults for key, value in (entry.get("defaultRequest") or {}).items()}
    notes: list[str] = []
    for kind, title in (("containers", "container"), ("initContainers", "init container")):
        for container in containers(pod["spec"], kind):
            resources = container.setdefault("resources", {})
            for field, values, word in (("requests", request, "request"), ("limits", limit, "limit")):
                if added := _fill(resources, field, values):
                    notes.append(f"{', '.join(added)} {word} for {title} {container['name']}")
    if notes:
        annotations = dict(pod["metadata"].get("annotations") or {})
        annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(notes)
        pod["metadata"]["annotations"] = annotations


def _fill(resources: Tree, field: str, values: dict[str, str]) -> list[str]:
    present = resources.get(field) or {}
    added = sorted(key for key in values if key not in present)
    if added:
        resources[field] = present | {key: values[key] for key in added}
    return added


def _violations(plural: str, entry: Tree, obj: Tree) -> Iterator[str]:
    kind = entry.get("type", "")
    if plural == CLAIMS:
        if kind == "PersistentVolumeClaim":
            yield from _claim_violations(entry, amounts(obj.get("spec", {}).get("resources", {}).get("requests")))
    elif kind == "Container":
        for container in containers(obj["spec"], "containers", "initContainers"):
            resources = container.get("resources") or {}
            yield from _bounds(entry, amounts(resources.get("requests")), amounts(resources.get("limits")))
    elif kind == "Pod":
        yield from _bounds(entry, pod_amounts(obj["spec"], "requests"), pod_amounts(obj["spec"], "limits"))


def _bounds(entry: Tree, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, bound in sorted(amounts(entry.get("min")).items()):
        yield from _below(entry["type"], name, bound, requests.get(name), limits.get(name))
    for name, bound in sorted(amounts(entry.get("max")).items()):
        yield from _above(entry["type"], name, bound, requests.get(name), limits.get(name))
    for name, bound in sorted(amounts(entry.get("maxLimitRequestRatio")).items()):
        yield from _ratio(entry["type"], name, bound, requests.get(name), limits.get(name))


def _claim_violations(entry: Tree, requests: Amounts) -> Iterator[str]:
    for name, bound in sorted(amounts(entry.get("min")).items()):
        yield from _below(entry["type"], name, bound, requests.get(name), None)
    for name, bound in sorted(amounts(entry.get("max")).items()):
        words = f"maximum {name} usage per {entry['type']} is {bound}"
        request = requests.get(name)
        if request is None:
            yield f"{words}.  No request is specified"
        elif request > bound:
            yield f"{words}, but request is {request}"


def _below(kind: str, name: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    words = f"minimum {name} usage per {kind} is {bound}"
    if request is None:
        yield f"{words}.  No request is specified"
    elif request < bound:
        yield f"{words}, but request is {request}"
    elif limit is not None and limit < bound:
        yield f"{words}, but limit is {limit}"


def _above(kind: str, name: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    words = f"maximum {name} usage per {kind} is {bound}"
    if limit is None:
        yield f"{words}.  No limit is specified"
    elif limit > bound:
        yield f"{words}, but limit is {limit}"
    elif request is not None and request > bound:
        yield f"{words}, but request is {request}"


def _ratio(kind: str, name: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    words = f"{name} max limit to request ratio per {kind} is {bound}"
    if not request:
        yield f"{words}, but no request is specified or request is 0"
    elif not limit:
        yield f"{words}, but no limit is specified or limit is 0"
    elif limit.nanos > bound.nanos * request.nanos / 10**9:
        yield f"{words}, but provided ratio is {limit.nanos / request.nanos:f}"
