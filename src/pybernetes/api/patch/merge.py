"""JSON merge patch (RFC 7396)."""

from __future__ import annotations

from pybernetes.api.patch.depth import refuses_depth
from pybernetes.api.schema import Json


@refuses_depth
def merge_patch(document: Json, patch: Json) -> Json:
    """The document with the patch laid over it: null removes a field, an object is merged, all else replaces."""
    return _merged(document, patch)


def _merged(document: Json, patch: Json) -> Json:
    if not isinstance(patch, dict):
        return patch
    out = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = _merged(out.get(name), value)
    return out
