"""`metadata.managedFields`: who set which fields, by which operation, at which version, when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from pybernetes.api.field import quote
from pybernetes.api.patch.fields import FieldSet, of_paths, ordered, union
from pybernetes.api.schema import Json, Schema

APPLY: Final = "Apply"
UPDATE: Final = "Update"
MAX_UPDATE_MANAGERS: Final = 10
ANCIENT_CHANGES: Final = "ancient-changes"
_FIELDS_TYPE: Final = "FieldsV1"


STRIPPED: Final = of_paths(
    "apiVersion",
    "kind",
    "metadata",
    "metadata.name",
    "metadata.namespace",
    "metadata.creationTimestamp",
    "metadata.selfLink",
    "metadata.uid",
    "metadata.clusterName",
    "metadata.generation",
    "metadata.managedFields",
    "metadata.resourceVersion",
)
"""What every object has and nobody owns."""


class ManagerKey(NamedTuple):
    """What tells entries apart. An applier is the same at every version, hence has none here."""

    manager: str
    operation: str
    api_version: str
    subresource: str


class Entry(Struct, frozen=True):
    """The fields of one manager. `time` is RFC 3339, empty if the manager never changed the object."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    fields: FieldSet
    time: str = ""
    is_ordered: bool = False
    """The fields are as they were stored."""

    @property
    def key(self) -> ManagerKey:
        version = "" if self.operation == APPLY else self.api_version
        return ManagerKey(self.manager, self.operation, version, self.subresource)

    def with_fields(self, fields: FieldSet) -> Entry:
        if fields is self.fields:
            return self
        return Entry(self.manager, self.operation, self.api_version, self.subresource, fields, self.time)

    def encode(self) -> dict[str, Json]:
        out: dict[str, Json] = {"manager": self.manager, "operation": self.operation, "apiVersion": self.api_version}
        if not self.manager:
            del out["manager"]
        if self.time:
            out["time"] = self.time
        out["fieldsType"] = _FIELDS_TYPE
        out["fieldsV1"] = self.fields if self.is_ordered else ordered(self.fields)  # type: ignore[assignment]  # JSON of one shape
        if self.subresource:
            out["subresource"] = self.subresource
        return out

    def describe(self) -> str:
        """The manager as conflicts name it."""
        words = quote(self.manager)
        if self.subresource:
            words += f" with subresource {quote(self.subresource)}"
        return words if self.operation == APPLY else f"{words} using {self.api_version}"


class Versions(Protocol):
    """The other versions of a kind whose fields have other names there."""

    def schema(self, api_version: str) -> Schema | None:
        """None for a version that there is no longer: what was noted in it is dropped."""
        ...

    def convert(self, tree: dict[str, Json], api_version: str) -> dict[str, Json]: ...


Managers: TypeAlias = "dict[ManagerKey, Entry]"


class ManagedFieldsError(ValueError):
    """A list of managed fields that cannot be read."""


def decode(entries: Json, *, stored: bool = False) -> Managers:
    """The entries of an object by their key; raises `ManagedFieldsError`. What is `stored` was looked through before."""
    found: Managers = {}
    for index, tree in enumerate(entries if isinstance(entries, list) else []):
        entry = _decode_entry(tree if isinstance(tree, dict) else {}, index, stored)
        found[entry.key] = entry
    return found


def _decode_entry(tree: Mapping[str, Json], index: int, stored: bool) -> Entry:
    operation = tree.get("operation")
    if operation not in (APPLY, UPDATE):
        raise ManagedFieldsError("operation must be `Apply` or `Update`")
    version = tree.get("apiVersion")
    if not isinstance(version, str) or not version:
        raise ManagedFieldsError("apiVersion must not be empty")
    kind = tree.get("fieldsType")
    if not kind:
        raise ManagedFieldsError(f"missing fieldsType in managed fields entry {index}")
    if kind != _FIELDS_TYPE:
        raise ManagedFieldsError(f'invalid fieldsType "{kind}" in managed fields entry {index}')
    return Entry(
        manager=str(tree.get("manager") or ""),
        operation=str(operation),
        api_version=version,
        subresource=str(tree.get("subresource") or ""),
        fields=(tree.get("fieldsV1") or {}) if stored else _decode_fields(tree.get("fieldsV1")),  # type: ignore[arg-type]
        time=str(tree.get("time") or ""),
        is_ordered=stored,
    )


def _decode_fields(tree: Json) -> FieldSet:
    """The set of fields, without elements of kinds that only a later version knows."""
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ManagedFieldsError("error decoding set from json: expected a map")
    out: FieldSet = {}
    for element, below in tree.items():
        if element != "." and element[1:2] != ":":
            raise ManagedFieldsError(f"error decoding set from json: key {element} has no type prefix")
        if element == "." or element[0] in "fkvi":
            _check_element(element)
            out[element] = _decode_fields(below)
    return out


def _check_element(element: str) -> None:
    kind, _, rest = element.partition(":")
    try:
        if kind == "i":
            int(rest)
        elif kind in ("k", "v"):
            value = msgspec.json.decode(rest)
            if kind == "k" and not isinstance(value, dict):
                raise ManagedFieldsError("error decoding set from json: keys are no map")
    except ValueError as error:
        raise ManagedFieldsError(f"error decoding set from json: {error}") from error


def encode(managers: Managers) -> list[Json]:
    """The entries as they stand on the object: appliers first, then by time and name."""
    entries = sorted(managers.values(), key=lambda e: (e.operation, e.time, e.manager, e.api_version, e.subresource))
    return [entry.encode() for entry in entries]


def is_reset(entries: Json) -> bool:
    """Whether a request wipes all ownership: an empty list, or a list of one empty entry."""
    return isinstance(entries, list) and (not entries or entries == [{}])


def cap(managers: Managers) -> Managers:
    """At most `MAX_UPDATE_MANAGERS` entries of updates: the oldest of a version join one `ancient-changes` entry."""
    if len(managers) <= MAX_UPDATE_MANAGERS:
        return managers
    updates = sorted((e for e in managers.values() if e.operation == UPDATE), key=lambda e: (e.time, e.key))
    excess = len(updates) - MAX_UPDATE_MANAGERS
    if excess <= 0:
        return managers
    out = dict(managers)
    first_of_version: dict[str, ManagerKey] = {}
    for entry in updates:
        if excess <= 0:
            break
        bucket = ManagerKey(ANCIENT_CHANGES, UPDATE, entry.api_version, "")
        first = first_of_version.setdefault(entry.api_version, entry.key)
        if first == entry.key:
            continue
        old = out[bucket] if bucket in out else out.pop(first)
        fields = union(entry.fields, old.fields)
        out.pop(entry.key)
        out[bucket] = Entry(ANCIENT_CHANGES, UPDATE, entry.api_version, "", fields, entry.time)
        excess -= 1
    return out


def keep_times(live: Mapping[str, Json], new: dict[str, Json]) -> dict[str, Json]:
    """`new`, with the live object's managed fields if nothing but their times tells the two apart.

    So a write that changes nothing stays one: the caller may then compare the objects and skip the write.
    """
    old_meta, new_meta = live.get("metadata"), new.get("metadata")
    if not isinstance(old_meta, dict) or not isinstance(new_meta, dict):
        return new
    old_entries, new_entries = old_meta.get("managedFields"), new_meta.get("managedFields")
    if old_entries == new_entries or not _differ_in_time(old_entries, new_entries):
        return new
    candidate = {**new, "metadata": {**new_meta, "managedFields": old_entries}}
    return candidate if candidate == live else new


def _differ_in_time(old: Json, new: Json) -> bool:
    """Whether nothing but times tells two lists of entries apart."""
    old, new = old if isinstance(old, list) else [], new if isinstance(new, list) else []
    return len(old) == len(new) and all(_timeless(one) == _timeless(other) for one, other in zip(old, new, strict=True))


def _timeless(entry: Json) -> Json:
    return {k: v for k, v in entry.items() if k != "time"} if isinstance(entry, dict) else entry
