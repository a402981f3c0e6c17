"""Moving from client-side apply: the annotation in which `kubectl apply` keeps what it applied last."""

from __future__ import annotations

import json
from typing import Final, TypeAlias

from pybernetes.api.json_text import read_json
from pybernetes.api.patch import check
from pybernetes.api.patch.fields import FieldSet, difference
from pybernetes.api.patch.typed import compare, field_set
from pybernetes.api.schema import Json, Schema

Tree: TypeAlias = "dict[str, Json]"

ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER: Final = "kubectl"
"""The field manager that `kubectl apply --server-side` uses; others do not touch the annotation."""

_MAX_ANNOTATIONS: Final = 256 * 1024


def owned(schema: Schema, live: Tree, api_version: str) -> FieldSet:
    """The fields that client-side apply set and that still have these values; empty if it was never used."""
    text = _annotations(live).get(ANNOTATION)
    if not isinstance(text, str) or not text:
        return {}
    try:
        applied = read_json(text)
    except ValueError:
        return {}
    if not isinstance(applied, dict) or applied.get("apiVersion") != api_version or check.errors(schema, applied):
        return {}
    changed = compare(schema, applied, live)
    out = field_set(schema, applied)
    for differing in (changed.modified, changed.added, changed.removed):
        out = difference(out, differing)
    return out


def synced(new: Tree, config: Tree) -> Tree:
    """`new` with the annotation, if it has one, telling this configuration: a later client-side apply goes on from it."""
    annotations = _annotations(new)
    if ANNOTATION not in annotations:
        return new
    meta = new["metadata"]
    assert isinstance(meta, dict)
    updated = {**annotations, ANNOTATION: _stated(config)}
    if sum(len(key) + len(value) for key, value in updated.items() if isinstance(value, str)) > _MAX_ANNOTATIONS:
        updated[ANNOTATION] = ""
    return {**new, "metadata": {**meta, "annotations": updated}}


def _stated(config: Tree) -> str:
    meta = config.get("metadata")
    stated = dict(config)
    if isinstance(meta, dict):
        rest = {key: value for key, value in _annotations(config).items() if key != ANNOTATION}
        stated["metadata"] = {**meta, "annotations": rest} if "annotations" in meta else meta
    return json.dumps(stated, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def _annotations(tree: Tree) -> dict[str, Json]:
    meta = tree.get("metadata")
    found = meta.get("annotations") if isinstance(meta, dict) else None
    return found if isinstance(found, dict) else {}
