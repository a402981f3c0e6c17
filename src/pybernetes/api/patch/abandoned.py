"""What a manager applied before and states no more: it goes, unless somebody else claims it."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.patch.fields import FieldSet, closed, difference, intersection, union
from pybernetes.api.patch.managed_fields import STRIPPED, Entry, Managers, Versions
from pybernetes.api.patch.structure import remove
from pybernetes.api.patch.typed import field_set
from pybernetes.api.schema import Json, Schema


def pruned(
    schema: Schema, api_version: str, versions: Versions | None, merged: Json, managers: Managers, last: Entry
) -> Json:
    """The merged object without what the manager applied before and neither it nor anyone else claims now.

    What was applied in another version is taken away in that, and what others claim put back in theirs.
    """
    if versions is None or not isinstance(merged, dict):
        return _prune(schema, merged, managers.values(), last.fields)
    applied = versions.schema(last.api_version)
    if applied is None:
        return merged
    whole, version = versions.convert(merged, last.api_version), last.api_version
    left = _cleared(applied, whole, [one for one in managers.values() if one.api_version == version], last.fields)
    if left == whole or not isinstance(left, dict):
        return merged
    for other in sorted({entry.api_version for entry in managers.values()} - {version}):
        theirs = versions.schema(other)
        if theirs is None:
            continue
        there = versions.convert(left, other)
        claims = [entry.fields for entry in managers.values() if entry.api_version == other]
        kept = _restored(theirs, versions.convert(merged, other), there, claims)
        left = kept if isinstance(kept, dict) else there
    result = _without_dangling(applied, whole, versions.convert(left, version), last.fields)
    return versions.convert(result, api_version) if isinstance(result, dict) else merged


def _prune(schema: Schema, merged: Json, managers: Iterable[Entry], last: FieldSet) -> Json:
    """The object without what was applied before and is claimed by none of the managers, all of one version."""
    return _without_dangling(schema, merged, _cleared(schema, merged, managers, last), last)


def _cleared(schema: Schema, merged: Json, managers: Iterable[Entry], last: FieldSet) -> Json:
    """As `_prune`, also without what stood below and was never applied."""
    # Every configuration states its own name, in whatever version: so `metadata` does not go with what was in it.
    claimed = STRIPPED
    for entry in managers:
        claimed = union(claimed, entry.fields)
    if not difference(last, claimed):
        return merged
    last, claimed = closed(last, schema), closed(claimed, schema)
    whole = closed(field_set(schema, merged), schema)
    kept = union(closed(field_set(schema, remove(schema, merged, last)), schema), claimed)
    return remove(schema, merged, difference(whole, kept))


def _without_dangling(schema: Schema, merged: Json, cleared: Json, last: FieldSet) -> Json:
    """The object without those of the applied fields that are gone."""
    if cleared is merged:
        return merged
    whole = closed(field_set(schema, merged), schema)
    gone = difference(whole, closed(field_set(schema, cleared), schema))
    return remove(schema, merged, intersection(gone, closed(last, schema)))


def _restored(schema: Schema, whole: Json, left: Json, claims: Iterable[FieldSet]) -> Json:
    """What is left of an object with what else is claimed of the whole."""
    claimed = closed(field_set(schema, left), schema)
    for fields in claims:
        claimed = union(claimed, closed(fields, schema))
    return remove(schema, whole, difference(closed(field_set(schema, whole), schema), claimed))
