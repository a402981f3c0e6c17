"""PodResizeValidator: a pod may not be resized beyond what its node has altogether."""

from __future__ import annotations

from pybernetes.api.errors import StatusError
from pybernetes.api.field import quote
from pybernetes.api.quantity import Quantity
from pybernetes.api.quota.amounts import amounts, pod_amounts
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.objects import Objects


class PodResizeValidator(Plugin):
    """What the node has left for the pod is the kubelet's to judge; until then the pod waits."""

    name = "PodResizeValidator"
    operations = frozenset(("UPDATE",))
    resources = frozenset(("pods",))
    subresources = frozenset(("resize",))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def validate(self, attributes: Attributes) -> None:
        pod, old = attributes.object or {}, attributes.old or {}
        name = pod["spec"].get("nodeName")
        if not name or pod["metadata"].get("generation") == old["metadata"].get("generation"):
            return
        node = self._objects.get("", "nodes", "", name)
        if node is None:
            raise refuse(attributes, f"node {quote(name)} not found")
        system = (node["metadata"].get("labels") or {}).get("kubernetes.io/os", "linux")
        if system != "linux":
            words = f"pod resize is only supported on linux nodes, node {quote(name)} is {quote(system)}"
            raise _because(refuse(attributes, words), "UnsupportedPlatform")
        if short := _short(pod, node):
            words = f"node didn't have enough allocatable resources: {'; '.join(short)}"
            raise _because(refuse(attributes, words), "NodeCapacity")


def _short(pod: Tree, node: Tree) -> list[str]:
    """What the pod asks for more of than the node has."""
    wanted = pod_amounts(pod["spec"], "requests")
    there = amounts((node.get("status") or {}).get("allocatable"))
    found = []
    if (cpu := wanted.get("cpu", Quantity())) > (has := there.get("cpu", Quantity())):
        found.append(f"cpu, requested: {cpu.milli_value}, allocatable: {has.milli_value}")
    if (memory := wanted.get("memory", Quantity())) > (has := there.get("memory", Quantity())):
        found.append(f"memory, requested: {memory.value}, allocatable: {has.value}")
    return found


def _because(error: StatusError, reason: str) -> StatusError:
    error.details = {**(error.details or {}), "causes": [{"reason": reason}]}
    return error
