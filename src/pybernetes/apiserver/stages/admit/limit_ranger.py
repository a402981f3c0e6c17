"""LimitRanger: the defaults and bounds that a namespace's LimitRanges set for containers, pods and claims."""

from collections.abc import Iterator
from itertools import chain

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
    subresources = frozenset(("", "resize"))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        if not super().handles(operation, resource, subresource):
            return False
        # A pod's resources change by its resizing only; a claim may grow later.
        if resource.plural == CLAIMS or operation == "CREATE":
            return not subresource
        return subresource == "resize"

    async def mutate(self, attributes: Attributes) -> None:
        pod = attributes.object
        if attributes.resource.plural != "pods" or pod is None or _is_going(attributes):
            return
        for limits in self._ranges(attributes):
            notes = set_defaults(pod, limits)
            if notes and attributes.operation == "CREATE":
                metadata = pod["metadata"]
                text = "LimitRanger plugin set: " + "; ".join(notes)
                metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION: text}

    async def validate(self, attributes: Attributes) -> None:
        obj = attributes.object
        if obj is None or _is_going(attributes):
            return
        for limits in self._ranges(attributes):
            found = (_violations(attributes.resource.plural, entry, obj) for entry in limits)
            if violations := list(dict.fromkeys(chain.from_iterable(found))):
                raise refuse(attributes, violations[0] if len(violations) == 1 else f"[{', '.join(violations)}]")

    def _ranges(self, attributes: Attributes) -> Iterator[list[Tree]]:
        for limit_range in self._objects.list("", "limitranges", attributes.namespace):
            yield limit_range.get("spec", {}).get("limits") or []


def _is_going(attributes: Attributes) -> bool:
    """What is being deleted is not judged any more."""
    return attributes.old is not None and "deletionTimestamp" in attributes.old["metadata"]


def set_defaults(pod: Tree, limits: list[Tree]) -> list[str]:
    """Give the pod's containers the default requests and limits; the words for what was given."""
    defaults = [entry for entry in limits if entry.get("type") == "Container"]
    limit = {key: value for entry in defaults for key, value in (entry.get("default") or {}).items()}
    request = {key: value for entry in defaults for key, value in (entry.get("defaultRequest") or {}).items()}
    notes: list[str] = []
    for kind, title in (("containers", "container"), ("initContainers", "init container")):
        for container in containers(pod["spec"], kind):
            resources = container["resources"] = dict(container.get("resources") or {})
            for field, values, word in (("requests", request, "request"), ("limits", limit, "limit")):
                if added := _fill(resources, field, values):
                    notes.append(f"{', '.join(added)} {word} for {title} {container['name']}")
    return notes


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
        spec = {name: value for name, value in obj["spec"].items() if name != "overhead"}
        yield from _bounds(entry, pod_amounts(spec, "requests"), pod_amounts(spec, "limits"))


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
