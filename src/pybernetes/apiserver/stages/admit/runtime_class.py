"""RuntimeClass: what a class demands of the pods that run by it."""

from pybernetes.api.field import quote
from pybernetes.api.quota.amounts import amounts
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.objects import Objects


class RuntimeClass(Plugin):
    """Sets the class's overhead, node selector and tolerations on the pod."""

    name = "RuntimeClass"
    operations = frozenset(("CREATE",))
    resources = frozenset(("pods",))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.object is None or not (name := attributes.object["spec"].get("runtimeClassName")):
            return
        found = self._objects.get("node.k8s.io", "runtimeclasses", "", name)
        if found is None:
            raise refuse(attributes, f"pod rejected: RuntimeClass {quote(name)} not found")
        spec = attributes.object["spec"]
        self._set_overhead(attributes, spec, found)
        self._set_scheduling(attributes, spec, found.get("scheduling") or {})

    async def validate(self, attributes: Attributes) -> None:
        if attributes.object is None:
            return
        spec = attributes.object["spec"]
        if spec.get("overhead") and not spec.get("runtimeClassName"):
            raise refuse(
                attributes, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            )

    @staticmethod
    def _set_overhead(attributes: Attributes, spec: Tree, found: Tree) -> None:
        overhead = (found.get("overhead") or {}).get("podFixed")
        if spec.get("overhead") and amounts(spec["overhead"]) != amounts(overhead):
            raise refuse(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        if overhead:
            spec["overhead"] = dict(overhead)

    @staticmethod
    def _set_scheduling(attributes: Attributes, spec: Tree, scheduling: Tree) -> None:
        wanted = scheduling.get("nodeSelector") or {}
        present = spec.get("nodeSelector") or {}
        for key, value in wanted.items():
            if present.get(key, value) != value:
                raise refuse(
                    attributes,
                    f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                    f"pod.spec.nodeSelector[{key}] = {present[key]}",
                )
        if wanted:
            spec["nodeSelector"] = present | wanted
        tolerations = spec.get("tolerations") or []
        added = [dict(entry) for entry in scheduling.get("tolerations") or () if entry not in tolerations]
        if added:
            spec["tolerations"] = [*tolerations, *added]
