"""The `scale` view of kinds that run a number of pods."""

from __future__ import annotations

from typing import Any, ClassVar

from pybernetes.api import errors, field
from pybernetes.api.field import Path
from pybernetes.api.selectors import labels
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.strategy import Part

META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class Scale(Part):
    """An `autoscaling/v1 Scale` over `spec.replicas`, `status.replicas` and `spec.selector`."""

    is_whole: ClassVar[bool] = False
    managed_by: ClassVar[str] = "scale"

    def read(self, obj: Tree) -> Tree:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        replicas = spec.get("replicas", 0)
        view: dict[str, Any] = {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {key: obj["metadata"][key] for key in META if key in obj["metadata"]},
            "spec": {"replicas": replicas} if replicas else {},
            "status": {"replicas": status.get("replicas", 0)},
        }
        if selector := selector_text(spec.get("selector")):
            view["status"]["selector"] = selector
        return view

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        replicas = (view.get("spec") or {}).get("replicas", 0)
        if replicas < 0:
            wrong = field.invalid(Path("spec").child("replicas"), replicas, "must be greater than or equal to 0")
            raise errors.invalid("autoscaling", "Scale", old["metadata"]["name"], [wrong])
        given = view["metadata"]
        metadata = dict(old["metadata"])
        metadata.pop("resourceVersion", None)
        metadata |= {key: given[key] for key in ("resourceVersion", "uid") if given.get(key)}
        return {**old, "metadata": metadata, "spec": {**(old.get("spec") or {}), "replicas": replicas}}


def selector_text(selector: Tree | None) -> str:
    """A selector as `kubectl get -l` takes it; those of ReplicationControllers are plain labels."""
    if not selector:
        return ""
    is_plain = not ({"matchLabels", "matchExpressions"} & selector.keys())
    return str(labels.from_labels(selector) if is_plain else labels.from_tree(selector))
