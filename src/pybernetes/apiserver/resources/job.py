"""Jobs: the selector and labels by which a job knows its own pods."""

from __future__ import annotations

from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy

PREFIX = "batch.kubernetes.io/"
ORPHANED = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)
UID, NAME = "controller-uid", "job-name"
_MADE = frozenset((UID, NAME, PREFIX + UID, PREFIX + NAME))


class JobStrategy(KindStrategy):
    """Unless `manualSelector` is set, both are made of the job's uid, so that no two jobs share pods."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        if not new["spec"].get("manualSelector"):
            _set_selector(new)

    def complete(self, new: Tree) -> None:
        labels = new["spec"]["template"].get("metadata", {}).get("labels")
        if labels and not new["metadata"].get("labels"):
            new["metadata"]["labels"] = dict(labels)

    def is_completed(self, created: Tree) -> bool:
        """A job without labels gets its template's: at once those that were sent, in reading those that are made here."""
        labels = created["metadata"].get("labels") or {}
        made = labels == created["spec"]["template"].get("metadata", {}).get("labels") and labels.keys() <= _MADE
        return bool(labels) and made and not created["spec"].get("manualSelector")

    def deletion_warning(self, *, chosen: bool) -> str:
        return "" if chosen else ORPHANED

    def unknown_field(self, name: str) -> str:
        return f"field label {quote(name)} not supported for Job"


def _set_selector(job: Tree) -> None:
    spec, metadata = job["spec"], job["metadata"]
    is_shared = "labels" in metadata and metadata["labels"] is (spec["template"].get("metadata") or {}).get("labels")
    labels = _labels(spec)
    own = {
        UID: metadata["uid"],
        NAME: metadata.get("name", ""),
        PREFIX + UID: metadata["uid"],
        PREFIX + NAME: metadata.get("name", ""),
    }
    for key, value in own.items():
        labels.setdefault(key, value)
    if is_shared:
        metadata["labels"] = dict(labels)
    selector = spec.get("selector") or {}
    matched = dict(selector.get("matchLabels") or {})
    matched.setdefault(PREFIX + UID, metadata["uid"])
    spec["selector"] = {**selector, "matchLabels": matched}


def _labels(spec: Tree) -> Tree:
    metadata = spec.setdefault("template", {}).setdefault("metadata", {})
    labels: Tree = dict(metadata.get("labels") or {})
    metadata["labels"] = labels
    return labels
