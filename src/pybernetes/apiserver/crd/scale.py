"""The `scale` view of a custom resource, over the paths that its definition names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pybernetes.api.errors import internal
from pybernetes.api.field import FieldError, Path, invalid
from pybernetes.api.patch import go_text
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import MAX_INT32
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.strategy import Part

_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class CustomScale(Part):
    """`paths` is the definition's `subresources.scale`."""

    is_whole: ClassVar[bool] = False

    def __init__(self, paths: Tree) -> None:
        self._paths = paths
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

    def validate(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        return list(validate_replicas(self._paths, new))

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


def validate_replicas(paths: Tree, obj: Tree) -> Iterator[FieldError]:
    """What a scale reads of an object has to be what a scale can say."""
    yield from _validate_count(paths["specReplicasPath"], obj)
    yield from validate_status_replicas(paths, obj)


def validate_status_replicas(paths: Tree, obj: Tree) -> Iterator[FieldError]:
    yield from _validate_count(paths["statusReplicasPath"], obj)
    if selector := paths.get("labelSelectorPath"):
        _, wrong = _nested(obj, selector, str, "string")
        if wrong:
            yield invalid(Path(selector), "", wrong)


def _validate_count(path: str, obj: Tree) -> Iterator[FieldError]:
    count, wrong = _nested(obj, path, int, "int64")
    if wrong:
        yield invalid(Path(path), 0, wrong)
    elif count is not None and count < 0:
        yield invalid(Path(path), count, "should be a non-negative integer")
    elif count is not None and count > MAX_INT32:
        yield invalid(Path(path), count, f"should be less than or equal to {MAX_INT32}")


def _nested(obj: Tree, path: str, kind: type, called: str) -> tuple[Any, str]:
    """The value at a path, and what is wrong with its type or with that of what it lies in."""
    value: Any = obj
    keys = path.removeprefix(".").split(".")
    for place, key in enumerate(keys):
        if not isinstance(value, dict):
            where = ".".join(["", *keys[:place]])
            shown = f"{go_text.plain(value)} is of the type {go_text.type_name(value)}"
            return None, f"{where} accessor error: {shown}, expected map[string]interface{{}}"
        if key not in value:
            return None, ""
        value = value[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        shown = f"{go_text.plain(value)} is of the type {go_text.type_name(value)}"
        return None, f".{'.'.join(keys)} accessor error: {shown}, expected {called}"
    return value, ""


def _at(obj: Tree, path: list[str]) -> Any:
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
