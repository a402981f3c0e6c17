"""Resources of a pod and its containers, changed in place through the `resize` subresource."""

from __future__ import annotations

from typing import Final

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.pod_qos import qos_class
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.pod.spec import validate_pod_spec

_SPEC: Final = Path("spec")
_MUTABLE: Final = ("cpu", "memory")
_KINDS: Final = ("containers", "initContainers")
_LISTS: Final = ("requests", "limits")


def validate_resize(new: Tree, old: Tree) -> Errors:
    """Only amounts of cpu and memory change, and none of them goes away."""
    for is_so, whose in ((_is_mirror(old), "static"), (_is_windows(old), "windows")):
        if is_so:
            yield field.forbidden(Path(), f"{whose} pods cannot be resized")
            return
    found = [*validate_pod_spec(new["spec"], _SPEC), *_validate_whole(new, old)]
    ordering = [error for kind in _KINDS for error in _validate_order(new["spec"], old["spec"], kind)]
    if not ordering:
        found += [error for kind in _KINDS for error in _validate_kind(new["spec"], old["spec"], kind)]
    yield from found + ordering
    if not found and not ordering and _fixed(new["spec"], old["spec"]) != _fixed(old["spec"], old["spec"]):
        yield field.forbidden(_SPEC, "only cpu and memory resources are mutable")


def _is_mirror(pod: Tree) -> bool:
    return "kubernetes.io/config.mirror" in (pod["metadata"].get("annotations") or {})


def _is_windows(pod: Tree) -> bool:
    return (pod["spec"].get("os") or {}).get("name") == "windows"


def _validate_whole(new: Tree, old: Tree) -> Errors:
    """What concerns the pod as such: its class, its node, its own resources."""
    was = old.get("status", {}).get("qosClass") or qos_class(old["spec"])
    if qos_class(new["spec"]) != was:
        shown = (new.get("status") or {}).get("qosClass", "")
        yield field.invalid(_SPEC, shown, "Pod QOS Class may not change as a result of resizing")
    if not _is_supported(old):
        yield field.forbidden(_SPEC, "Pod running on node without support for resize")
    resources, before = new["spec"].get("resources"), old["spec"].get("resources")
    if before is not None and resources is None and _amounts_of(before):
        yield field.forbidden(_SPEC.child("resources"), "pod-level resources cannot be removed")
    elif _amounts_of(resources or {}) or _amounts_of(before or {}):
        if before is not None:
            yield from _validate_kept(resources or {}, before, _SPEC.child("resources"), "pod-level resource")
        if _fixed_resources(resources or {}, before or {}) != _fixed_resources(before or {}, before or {}):
            yield field.forbidden(_SPEC, "only cpu and memory resources are mutable at pod-level")


def _is_supported(pod: Tree) -> bool:
    """A node that can resize tells what its running containers have."""
    for status in pod.get("status", {}).get("containerStatuses") or ():
        if (status.get("state") or {}).get("running") is not None:
            return status.get("resources") is not None
    return True


def _validate_order(spec: Tree, was: Tree, kind: str) -> Errors:
    path = _SPEC.child(kind)
    containers, before = spec.get(kind) or [], was.get(kind) or []
    if len(containers) != len(before):
        yield field.forbidden(path, f"{kind} may not be added or removed on resize")
        return
    for index, (container, stood) in enumerate(zip(containers, before, strict=True)):
        if container["name"] != stood["name"]:
            yield field.forbidden(path.index(index).child("name"), f"{kind} may not be renamed or reordered on resize")


def _validate_kind(spec: Tree, was: Tree, kind: str) -> Errors:
    """Containers of one kind, which are the same ones in the same order."""
    for index, (container, stood) in enumerate(zip(spec.get(kind) or (), was.get(kind) or (), strict=True)):
        path = _SPEC.child(kind).index(index)
        yield from _validate_kept(container["resources"], stood["resources"], path.child("resources"), "resource")
        if _fixed_container(container, stood) != {**stood, "resources": _without_empty(stood["resources"])}:
            if kind == "containers":
                yield field.forbidden(_SPEC, "only cpu and memory resources are mutable")
            else:
                words = "only cpu and memory resources for init or sidecar containers are mutable"
                yield field.forbidden(path, words)
        if kind == "initContainers" and container != stood and container.get("restartPolicy") != "Always":
            words = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
            for policy in container.get("resizePolicy") or ():
                if policy.get("restartPolicy") == "RestartContainer":
                    yield field.forbidden(path, words)


def _validate_kept(new: Tree, old: Tree, path: Path, what: str) -> Errors:
    for name in _LISTS:
        if set(old.get(name) or ()) - set(new.get(name) or ()):
            yield field.forbidden(path.child(name), f"{what} {name} cannot be removed")


def _amounts_of(resources: Tree) -> bool:
    return any(resources.get(name) for name in _LISTS)


def _fixed(spec: Tree, was: Tree) -> Tree:
    """The spec with all that may change as it was."""
    fixed = {name: value for name, value in spec.items() if name not in (*_KINDS, "resources")}
    for kind in _KINDS:
        pairs = zip(spec.get(kind) or (), was.get(kind) or (), strict=True)
        fixed[kind] = [_fixed_container(container, stood) for container, stood in pairs]
    return fixed


def _fixed_container(container: Tree, stood: Tree) -> Tree:
    """A container with claims counts as changed: upstream compares it without them."""
    fixed = _fixed_resources(container["resources"], stood["resources"])
    fixed.pop("claims", None)
    return {**container, "resources": fixed}


def _fixed_resources(resources: Tree, stood: Tree) -> Tree:
    fixed = dict(resources)
    for name in _LISTS:
        others = {key: value for key, value in (resources.get(name) or {}).items() if key not in _MUTABLE}
        amounts = {key: value for key, value in (stood.get(name) or {}).items() if key in _MUTABLE}
        fixed[name] = others | amounts
    return _without_empty(fixed)


def _without_empty(resources: Tree) -> Tree:
    return {name: value for name, value in resources.items() if value}
