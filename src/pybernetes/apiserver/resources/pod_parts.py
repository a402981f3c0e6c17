"""The views of a pod that are written on their own: status, ephemeral containers, resources."""

from __future__ import annotations

from typing import ClassVar

from pybernetes.api import field
from pybernetes.api.field import FieldError, Path
from pybernetes.api.quantity import Quantity
from pybernetes.apiserver.context import RequestContext, Tree
from pybernetes.apiserver.resources.pod_qos import qos_class
from pybernetes.apiserver.resources.strategy import Part

EPHEMERAL = Path("spec").child("ephemeralContainers")
NOT_FOR_EPHEMERAL = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy")
RESIZABLE = ("cpu", "memory")


class PodStatus(Part):
    """What the kubelet says of a pod; owners and quality of service are not its to change."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        metadata = dict(merged["metadata"])
        metadata.pop("ownerReferences", None)
        if "ownerReferences" in old["metadata"]:
            metadata["ownerReferences"] = old["metadata"]["ownerReferences"]
        status = dict(merged.get("status") or {})
        status.setdefault("qosClass", old.get("status", {}).get("qosClass") or qos_class(old["spec"]))
        merged["metadata"], merged["status"] = metadata, status
        return merged


class EphemeralContainers(Part):
    """Containers for debugging, added to a pod that runs."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        spec = dict(old["spec"])
        wanted = (view.get("spec") or {}).get("ephemeralContainers")
        if wanted:
            spec["ephemeralContainers"] = wanted
        else:
            spec.pop("ephemeralContainers", None)
        return {**old, "metadata": view["metadata"], "spec": spec}

    def validate(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        after: list[Tree] = new["spec"].get("ephemeralContainers") or []
        before: list[Tree] = old["spec"].get("ephemeralContainers") or []
        return [*_kept(after, before), *_ephemeral_errors(new["spec"], after)]


def _kept(after: list[Tree], before: list[Tree]) -> list[FieldError]:
    by_name = {container["name"]: container for container in after}
    removed = [container["name"] for container in before if container["name"] not in by_name]
    changed = [container["name"] for container in before if by_name.get(container["name"], container) != container]
    errors: list[FieldError] = []
    if removed:
        names = ", ".join(f'"{name}"' for name in removed)
        errors.append(field.forbidden(EPHEMERAL, f"existing ephemeral containers {names} may not be removed\n"))
    if changed:
        names = ", ".join(f'"{name}"' for name in changed)
        dump = "core.EphemeralContainer{" + ", ".join(changed) + "}"
        errors.append(field.forbidden(EPHEMERAL, f"existing ephemeral containers {names} may not be changed\n{dump}"))
    return errors


def _ephemeral_errors(spec: Tree, ephemeral: list[Tree]) -> list[FieldError]:
    errors: list[FieldError] = []
    others = {container["name"] for kind in ("initContainers", "containers") for container in spec.get(kind) or ()}
    taken = set(others)
    for index, container in enumerate(ephemeral):
        where = EPHEMERAL.index(index)
        if container["name"] in taken:
            errors.append(field.duplicate(where.child("name"), container["name"]))
        taken.add(container["name"])
        wrong = [name for name in NOT_FOR_EPHEMERAL if container.get(name)]
        if any((container.get("resources") or {}).values()):
            wrong.append("resources")
        errors += [field.forbidden(where.child(name), "cannot be set for an Ephemeral Container") for name in wrong]
        target = container.get("targetContainerName")
        if target and target not in others:
            errors.append(field.not_found(where.child("targetContainerName"), target))
    return errors


class Resize(Part):
    """Changing requests and limits of containers in place."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        spec = dict(old["spec"])
        for kind in ("containers", "initContainers"):
            if kind in spec:
                wanted = {each["name"]: each for each in (view.get("spec") or {}).get(kind) or ()}
                spec[kind] = [_resized(container, wanted.get(container["name"], container)) for container in spec[kind]]
        return {**old, "spec": spec, "metadata": old["metadata"] | _versions(view["metadata"])}

    def validate(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        errors: list[FieldError] = []
        spec = Path("spec")
        pairs = [
            (
                spec.child(kind).index(index).child("resources"),
                after.get("resources") or {},
                before.get("resources") or {},
            )
            for kind in ("containers", "initContainers")
            for index, (after, before) in enumerate(
                zip(new["spec"].get(kind) or (), old["spec"].get(kind) or (), strict=False)
            )
        ]
        if any(_others(after) != _others(before) for _, after, before in pairs):
            return [field.forbidden(spec, "only cpu and memory resources are mutable")]
        for where, after, before in pairs:
            errors += [*_removed(where, after, before), *_above_limit(where, after)]
        held = old.get("status", {}).get("qosClass") or qos_class(old["spec"])
        if not errors and qos_class(new["spec"]) != held:
            errors.append(field.invalid(spec, held, "Pod QOS Class may not change as a result of resizing"))
        return errors


def _versions(metadata: Tree) -> Tree:
    """What the generic path has to know of the view: which version it was, and who manages what."""
    return {key: metadata[key] for key in ("resourceVersion", "uid", "managedFields") if key in metadata}


def _resized(container: Tree, wanted: Tree) -> Tree:
    return {**container, "resources": wanted.get("resources") or {}}


def _others(resources: Tree) -> Tree:
    """What of requests and limits cannot be resized."""
    return {
        name: {key: value for key, value in (resources.get(name) or {}).items() if key not in RESIZABLE}
        for name in ("limits", "requests")
    }


def _removed(where: Path, after: Tree, before: Tree) -> list[FieldError]:
    return [
        field.forbidden(where.child(name), f"resource {name} cannot be removed")
        for name in ("limits", "requests")
        if (before.get(name) or {}).keys() - (after.get(name) or {}).keys()
    ]


def _above_limit(where: Path, resources: Tree) -> list[FieldError]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return [
        field.invalid(where.child("requests"), value, f"must be less than or equal to {name} limit of {limits[name]}")
        for name, value in requests.items()
        if name in limits and Quantity.parse(value) > Quantity.parse(limits[name])
    ]


class Assign(Part):
    """Where the binding action writes a pod's node; it is no view that clients can write."""

    managed_by: ClassVar[str] = "binding"

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        return view
