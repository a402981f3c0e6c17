"""PodTopologyLabels: a pod has its node's zone and region among its labels (KEP-4742)."""

from __future__ import annotations

from typing import Final

from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin
from pybernetes.apiserver.stages.objects import Objects

LABELS: Final = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels(Plugin):
    """A pod that is created on a node gets the labels; so does a pod's Binding, whose labels become the pod's."""

    name = "PodTopologyLabels"
    operations = frozenset(("CREATE",))
    resources = frozenset(("pods",))
    subresources = frozenset(("", "binding"))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def mutate(self, attributes: Attributes) -> None:
        if (given := attributes.object) is None or not (name := _node_of(given)):
            return
        node = self._objects.get("", "nodes", "", name)
        known = (node or {}).get("metadata", {}).get("labels") or {}
        if labels := {key: known[key] for key in LABELS if key in known}:
            given["metadata"]["labels"] = (given["metadata"].get("labels") or {}) | labels


def _node_of(given: Tree) -> str:
    """Of a pod, or of a Binding to a node."""
    if given.get("kind") == "Binding":
        target = given.get("target") or {}
        return str(target.get("name") or "") if target.get("kind") == "Node" else ""
    return str(given["spec"].get("nodeName") or "")
