"""JSON merge patch (RFC 7396)."""

from __future__ import annotations

from pybernetes.api.schema import Json


def merge_patch(document: Json, patch: Json) -> Json:
    """The document with the patch laid over it: null removes a field, an object is merged, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    out = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = merge_patch(out.get(name), value)
    return out
