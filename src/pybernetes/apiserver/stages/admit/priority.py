"""Priority: a pod's priority is that of its class."""

from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes, Operation
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.objects import Objects

SCHEDULING = "scheduling.k8s.io"
CLASSES = "priorityclasses"
PREEMPT = "PreemptLowerPriority"
SYSTEM_CLASSES = frozenset(("system-node-critical", "system-cluster-critical"))


class Priority(Plugin):
    name = "Priority"
    operations = frozenset(("CREATE", "UPDATE", "DELETE"))
    resources = frozenset(("pods", f"{CLASSES}.{SCHEDULING}"))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.resource.plural != "pods" or attributes.object is None:
            return
        spec = attributes.object["spec"]
        if attributes.operation == "CREATE":
            self._set(attributes, spec)
        elif attributes.old is not None:
            _keep(spec, attributes.old["spec"])

    def validates(self, operation: Operation, resource: Resource) -> bool:
        return resource.plural == CLASSES

    async def validate(self, attributes: Attributes) -> None:
        if attributes.operation == "DELETE":
            if attributes.name in SYSTEM_CLASSES:
                raise refuse(attributes, "this is a system priority class and cannot be deleted")
        elif attributes.object is not None and attributes.object.get("globalDefault"):
            default = self._default()
            if default is not None and default["metadata"]["name"] != attributes.object["metadata"].get("name"):
                name = default["metadata"]["name"]
                raise refuse(
                    attributes, f"PriorityClass {name} is already marked as default. Only one default can exist"
                )

    def _set(self, attributes: Attributes, spec: Tree) -> None:
        chosen = self._class_of(attributes, spec)
        priority = chosen.get("value", 0) if chosen else 0
        policy = chosen.get("preemptionPolicy", PREEMPT) if chosen else PREEMPT
        if spec.get("priority", priority) != priority:
            raise refuse(
                attributes,
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {priority} from the given PriorityClass name",
            )
        if spec.get("preemptionPolicy", policy) != policy:
            raise refuse(
                attributes,
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
                f"priority admission controller computed {policy} from the given PriorityClass name",
            )
        spec["priority"], spec["preemptionPolicy"] = priority, policy

    def _class_of(self, attributes: Attributes, spec: Tree) -> Tree | None:
        name = spec.get("priorityClassName", "")
        if not name:
            default = self._default()
            if default is not None:
                spec["priorityClassName"] = default["metadata"]["name"]
            return default
        chosen = self._objects.get(SCHEDULING, CLASSES, "", name)
        if chosen is None:
            raise refuse(attributes, f"no PriorityClass with name {name} was found")
        return chosen

    def _default(self) -> Tree | None:
        """The default class; of several, which only a race can make, the one of the lowest value."""
        defaults = [entry for entry in self._objects.list(SCHEDULING, CLASSES) if entry.get("globalDefault")]
        return min(defaults, key=lambda entry: entry.get("value", 0), default=None)


def _keep(spec: Tree, old: Tree) -> None:
    for field in ("priority", "preemptionPolicy"):
        if field not in spec and field in old:
            spec[field] = old[field]
