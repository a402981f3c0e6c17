"""Status views that let less of the metadata through than the default."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.strategy import Part

BOOKKEEPING = ("resourceVersion", "uid", "managedFields")
"""What the generic path has to know of the view: which version it was, and who manages what."""


class StatusOnly(Part):
    """Metadata stays as it is."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        given = {key: view["metadata"][key] for key in BOOKKEEPING if key in view["metadata"]}
        kept = {key: value for key, value in old["metadata"].items() if key not in BOOKKEEPING}
        return merged | {"metadata": kept | given}


class JobStatus(Part):
    """Without labels a job has those of its pods, whoever writes it."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        labels = (merged["spec"]["template"].get("metadata") or {}).get("labels")
        if labels and not merged["metadata"].get("labels"):
            merged["metadata"] = {**merged["metadata"], "labels": dict(labels)}
        return merged


class StatusWithoutLabels(Part):
    """Labels stay as they are."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        metadata = {key: value for key, value in merged["metadata"].items() if key != "labels"}
        if "labels" in old["metadata"]:
            metadata["labels"] = old["metadata"]["labels"]
        return merged | {"metadata": metadata}
