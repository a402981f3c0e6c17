"""Resources of a running pod, changed in place through the `resize` subresource."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.pod_qos import qos_class
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.pod.spec import validate_pod_spec

_SPEC = Path("spec")
_MUTABLE = ("cpu", "memory")
_KINDS = ("containers", "initContainers")


def validate_resize(new: Tree, old: Tree) -> Errors:
    """Only amounts of cpu and memory change, and none of them goes away."""
    spec, was = new["spec"], old["spec"]
    yield from validate_pod_spec(spec, _SPEC)
    if (was.get("os") or {}).get("name") == "windows":
        yield field.forbidden(_SPEC, "windows pods cannot be resized")
    if "kubernetes.io/config.mirror" in (old["metadata"].get("annotations") or {}):
        yield field.forbidden(_SPEC, "static pods cannot be resized")
    if qos_class(spec) != qos_class(was):
        detail = "Pod QOS Class may not change as a result of resizing"
        yield field.invalid(_SPEC, qos_class(was), detail)
    for kind in _KINDS:
        for index, (container, before) in enumerate(zip(spec.get(kind) or (), was.get(kind) or (), strict=False)):
            path = _SPEC.child(kind).index(index).child("resources")
            yield from _validate_kept(container["resources"], before["resources"], path)
    if _without_amounts(spec) != _without_amounts(was):
        yield field.forbidden(_SPEC, "only cpu and memory resources are mutable")


def _validate_kept(new: Tree, old: Tree, path: Path) -> Errors:
    for name in ("limits", "requests"):
        removed = set(old.get(name) or ()) - set(new.get(name) or ())
        if removed & set(_MUTABLE):
            yield field.forbidden(path.child(name), f"resource {name} cannot be removed")


def _without_amounts(spec: Tree) -> Tree:
    fixed = dict(spec)
    for kind in _KINDS:
        fixed[kind] = [
            {**container, "resources": _fixed_resources(container["resources"])} for container in spec.get(kind) or ()
        ]
    return fixed


def _fixed_resources(resources: Tree) -> Tree:
    fixed = {name: value for name, value in resources.items() if name not in ("limits", "requests")}
    for name in ("limits", "requests"):
        fixed[name] = {key: value for key, value in (resources.get(name) or {}).items() if key not in _MUTABLE}
    return fixed
