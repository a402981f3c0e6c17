"""The views of a pod that are written on their own: status, ephemeral containers, resources."""

from __future__ import annotations

from typing import ClassVar

from pybernetes.api.pod_qos import qos_class
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.strategy import Part


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


class Resize(Part):
    """Changing requests and limits of containers in place."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        spec = dict(old["spec"])
        for kind in ("containers", "initContainers"):
            if kind in spec:
                wanted = {each["name"]: each for each in (view.get("spec") or {}).get(kind) or ()}
                spec[kind] = [_resized(container, wanted.get(container["name"], container)) for container in spec[kind]]
        return {**old, "spec": spec, "metadata": old["metadata"] | _versions(view["metadata"])}


def _versions(metadata: Tree) -> Tree:
    """What the generic path has to know of the view: which version it was, and who manages what."""
    return {key: metadata[key] for key in ("resourceVersion", "uid", "managedFields") if key in metadata}


def _resized(container: Tree, wanted: Tree) -> Tree:
    return {**container, "resources": wanted.get("resources") or {}}


class Assign(Part):
    """Where the binding action writes a pod's node; it is no view that clients can write."""

    managed_by: ClassVar[str] = "binding"

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        return view
