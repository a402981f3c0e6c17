"""DefaultIngressClass, and the choice among classes that are marked as default."""

from collections.abc import Iterable, Sequence

from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin
from pybernetes.apiserver.stages.objects import Objects

NETWORKING = "networking.k8s.io"
DEFAULT_INGRESS_CLASS = ("ingressclass.kubernetes.io/is-default-class",)
CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def newest_default(classes: Iterable[Tree], annotations: Sequence[str]) -> Tree | None:
    """The class that is marked as default by one of the annotations: the newest, and of the same age the first."""
    marked = [
        entry
        for entry in classes
        if any((entry["metadata"].get("annotations") or {}).get(name) == "true" for name in annotations)
    ]
    by_name = sorted(marked, key=lambda entry: str(entry["metadata"]["name"]))
    return max(by_name, key=lambda entry: str(entry["metadata"].get("creationTimestamp", "")), default=None)


class DefaultIngressClass(Plugin):
    """An ingress that names no class gets the default one."""

    name = "DefaultIngressClass"
    operations = frozenset(("CREATE",))
    resources = frozenset((f"ingresses.{NETWORKING}",))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def mutate(self, attributes: Attributes) -> None:
        ingress = attributes.object
        if ingress is None or ingress.get("spec", {}).get("ingressClassName") is not None:
            return
        if CLASS_ANNOTATION in (ingress["metadata"].get("annotations") or {}):
            return
        default = newest_default(self._objects.list(NETWORKING, "ingressclasses"), DEFAULT_INGRESS_CLASS)
        if default is not None:
            ingress.setdefault("spec", {})["ingressClassName"] = default["metadata"]["name"]
