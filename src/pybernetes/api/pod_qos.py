"""The quality-of-service class that a pod's requests and limits make. Pure."""

from pybernetes.api.contents import by_content
from pybernetes.api.quantity import Quantity
from pybernetes.api.tree import Tree

COMPUTE = ("cpu", "memory")


@by_content
def qos_class(spec: Tree) -> str:
    """BestEffort, Burstable or Guaranteed: by the pod's own resources where it has them, else by its containers'."""
    pod_level = spec.get("resources")
    owners = [pod_level] if _counts(pod_level or {}) else [
        container.get("resources") or {} for kind in ("initContainers", "containers") for container in spec.get(kind) or ()
    ]  # fmt: skip
    if not any(_counts(resources or {}) for resources in owners):
        return "BestEffort"
    return "Guaranteed" if all(_is_guaranteed(resources or {}) for resources in owners) else "Burstable"


def _amount(resources: Tree, field: str, name: str) -> Quantity:
    return Quantity.parse((resources.get(field) or {}).get(name, "0"))


def _counts(resources: Tree) -> bool:
    return any(_amount(resources, field, name) for field in ("requests", "limits") for name in COMPUTE)


def _is_guaranteed(resources: Tree) -> bool:
    for name in COMPUTE:
        limit = _amount(resources, "limits", name)
        if not limit or _amount(resources, "requests", name) not in (limit,):
            return False
    return True
