"""Tables and metadata of what is no stored object of its own: a Scale, a review."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pybernetes.api.tree import Tree
from pybernetes.apiserver.negotiate import TABLE, Format
from pybernetes.apiserver.table.cells import age, at, name
from pybernetes.apiserver.table.column import Column

_SCALE: Final = (
    Column("Name", "string"),
    Column("Desired", "integer"),
    Column("Available", "integer"),
    Column("Age", "string"),
)


def converted(tree: Tree, wanted: Format, include: str, now: datetime) -> Tree:
    """The view of an object, or of a Scale as a table, that the client wants; the object itself if it wants none."""
    if not wanted.kind:
        return tree
    api_version = f"meta.k8s.io/{wanted.version}"
    metadata: Tree = {"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": tree["metadata"]}
    if wanted.kind != TABLE:
        return metadata
    shown = {"None": None, "Object": tree}.get(include, metadata)
    cells = [
        name(tree),
        at(tree, "spec", "replicas", default=0),
        at(tree, "status", "replicas", default=0),
        age(tree, now),
    ]
    version = tree["metadata"].get("resourceVersion")
    return {
        "kind": TABLE, "apiVersion": api_version, "metadata": {"resourceVersion": version} if version else {},
        "columnDefinitions": [column.definition for column in _SCALE], "rows": [{"cells": cells, "object": shown}],
    }  # fmt: skip
