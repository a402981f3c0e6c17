"""The views of a pod that are written on their own: status, ephemeral containers, resources."""

from __future__ import annotations

from typing import ClassVar, Final

from pybernetes.api.pod_qos import qos_class
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.strategy import Part
from pybernetes.apiserver.resources.switched_off import drop_from

_STATUS: Final = "io.k8s.api.core.v1.PodStatus"
_CONTAINERS: Final = ("containers", "initContainers")


class PodStatus(Part):
    """What the kubelet says of a pod; owners and quality of service are not its to change."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        metadata = dict(merged["metadata"])
        for name in ("ownerReferences", "deletionTimestamp"):
            metadata.pop(name, None)
        if "ownerReferences" in old["metadata"]:
            metadata["ownerReferences"] = old["metadata"]["ownerReferences"]
        status = dict(merged.get("status") or {})
        status.setdefault("qosClass", old.get("status", {}).get("qosClass") or qos_class(old["spec"]))
        drop_from(_STATUS, status, old.get("status") or {})
        merged["metadata"], merged["status"] = metadata, status
        return merged


class EphemeralContainers(Part):
    """Containers for debugging, added to a pod that runs."""

    has_table = False

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        spec = dict(old["spec"])
        wanted = (view.get("spec") or {}).get("ephemeralContainers")
        if wanted:
            spec["ephemeralContainers"] = wanted
        else:
            spec.pop("ephemeralContainers", None)
        return {**old, "metadata": view["metadata"], "spec": spec}


class Resize(Part):
    """Changing requests and limits of the pod and its containers in place."""

    has_table = False

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        stood, wanted = old["spec"], dict(view.get("spec") or {})
        # Copies, since admission gives containers their defaults in place, and the view shares what it leaves alone.
        wanted |= {kind: [dict(each) for each in wanted.get(kind) or ()] for kind in _CONTAINERS}
        made = {**old, "metadata": old["metadata"] | _versions(view["metadata"])}
        if any(len(wanted[kind]) != len(stood.get(kind) or ()) for kind in _CONTAINERS):
            return {**made, "spec": wanted, "status": view.get("status") or {}}  # validation says what is wrong
        spec = {key: value for key, value in stood.items() if key != "resources"}
        if wanted.get("resources") is not None:
            spec["resources"] = wanted["resources"]
        for kind in _CONTAINERS:
            if stood.get(kind):
                spec[kind] = _resized(wanted[kind], stood[kind])
        return {**made, "spec": spec}


def _versions(metadata: Tree) -> Tree:
    """What the generic path has to know of the view: which version it was, and who manages what."""
    return {key: metadata[key] for key in ("resourceVersion", "uid", "managedFields") if key in metadata}


def _resized(wanted: list[Tree], stood: list[Tree]) -> list[Tree]:
    """The containers with the resources and policies that are wanted; other containers as they are wanted."""
    if [each["name"] for each in wanted] != [each["name"] for each in stood]:
        return wanted
    made = []
    for container, want in zip(stood, wanted, strict=True):
        changed = {**container, "resources": want.get("resources") or {}}
        if want.get("resizePolicy"):
            changed["resizePolicy"] = want["resizePolicy"]
        else:
            changed.pop("resizePolicy", None)
        made.append(changed)
    return made


class Assign(Part):
    """Where the binding action writes a pod's node; it is no view that clients can write."""

    managed_by: ClassVar[str] = "binding"

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        return view
