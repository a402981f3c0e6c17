"""Status views that let less of the metadata through than the default."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.strategy import Part

BOOKKEEPING = ("resourceVersion", "uid", "managedFields")
"""What the generic path has to know of the view: which version it was, and who manages what."""


class StatusAlone(Part):
    """Metadata stays as it is, whatever the view says."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        return merged | {"metadata": self._metadata(view["metadata"], old["metadata"])}

    def _metadata(self, given: Tree, old: Tree) -> Tree:
        return taken(given, old, ("resourceVersion", "managedFields"))


class StatusOnly(StatusAlone):
    """The same; but what nobody may change is not put back, so that who tries is told."""

    def _metadata(self, given: Tree, old: Tree) -> Tree:
        return taken(given, old, (*BOOKKEEPING, "generateName"))


def taken(given: Tree, old: Tree, names: tuple[str, ...]) -> Tree:
    """`old` with what has these names taken from `given`."""
    kept = {key: value for key, value in old.items() if key not in names}
    return kept | {key: given[key] for key in names if key in given}


class UnlistedStatus(StatusOnly):
    """The same, of a kind that upstream shows as a Table only as a whole."""

    has_table = False


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
