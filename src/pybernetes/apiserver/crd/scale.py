"""The `scale` view of a custom resource, over the paths that its definition names."""

from __future__ import annotations

from typing import Any, ClassVar

from pybernetes.api.errors import internal
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.strategy import Part

_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class CustomScale(Part):
    """`paths` is the definition's `subresources.scale`."""

    is_whole: ClassVar[bool] = False

    def __init__(self, paths: Tree) -> None:
        self._path: str = paths["specReplicasPath"]
        self._spec = self._path.strip(".").split(".")
        self._status = paths["statusReplicasPath"].strip(".").split(".")
        self._selector = (paths.get("labelSelectorPath") or "").strip(".").split(".")

    def read(self, obj: Tree) -> Tree:
        replicas = _at(obj, self._spec)
        status: Tree = {"replicas": _at(obj, self._status) or 0}
        if selector := _at(obj, self._selector):
            status["selector"] = selector
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {key: obj["metadata"][key] for key in _METADATA if key in obj["metadata"]},
            "spec": {"replicas": replicas} if replicas else {},
            "status": status,
        }

    def check_shown(self, obj: Tree) -> None:
        if _at(obj, self._spec) is None:
            raise internal(f'the spec replicas field "{self._path}" does not exist')

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        given = view["metadata"]
        named = {key: given[key] for key in ("resourceVersion", "uid") if given.get(key)}
        merged: Tree = {**old, "metadata": {**old["metadata"], **named}}
        inside = merged
        for key in self._spec[:-1]:
            inside[key] = dict(inside.get(key) or {})
            inside = inside[key]
        inside[self._spec[-1]] = (view.get("spec") or {}).get("replicas", 0)
        return merged


def _at(obj: Tree, path: list[str]) -> Any:
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
