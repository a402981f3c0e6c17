"""Ownership through `scale`: the replicas of an object and of its Scale are one field with one owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pybernetes.api.patch.fields import FieldSet, difference, has, of_paths
from pybernetes.api.patch.managed_fields import ManagedFieldsError, Managers, decode, encode
from pybernetes.api.schema import Json

SCALE_VERSION: Final = "autoscaling/v1"
_IN_SCALE: Final = of_paths("spec.replicas")


class ScaleFields(Struct, frozen=True):
    """Carries managedFields between an object and its Scale.

    `replicas` maps each apiVersion of the object to the dotted path of its replicas (`spec.replicas`, or a custom
    resource's specReplicasPath); `api_version` is the one that is being written.
    """

    api_version: str
    replicas: Mapping[str, str]

    def to_scale(self, entries: Json) -> list[Json]:
        """The managedFields of the Scale: the managers of the object that own its replicas."""
        managers: Managers = {}
        for key, entry in _decode(entries).items():
            path = self.replicas.get(entry.api_version)
            if path is not None and has(entry.fields, _elements(path)):
                managers[key] = replace(entry, api_version=SCALE_VERSION, fields=_IN_SCALE)
        return encode(managers)

    def to_object(self, entries: Json, scale_entries: Json) -> list[Json]:
        """The object's managedFields after a write to its Scale: who lost the replicas there loses them here.

        As upstream's, an entry that comes from a Scale carries no time. Whoever updated an object is told apart by the
        version too, which is another one in a Scale: so the replicas become an entry of their own at the first write.
        """
        out: Managers = {}
        scaling = _decode(scale_entries)
        for key, entry in _decode(entries).items():
            path = self.replicas.get(entry.api_version)
            if path is None:
                continue
            if not has(entry.fields, _elements(path)) or scaling.pop(key, None) is not None:
                out[key] = entry
            elif rest := difference(entry.fields, of_paths(path)):
                out[key] = entry.with_fields(rest)
        own: FieldSet = of_paths(self.replicas[self.api_version])
        for key, entry in scaling.items():
            if entry.fields == _IN_SCALE:
                out[key] = replace(entry, api_version=self.api_version, fields=own, time="")
        return encode(out)


def _elements(path: str) -> tuple[str, ...]:
    return tuple("f:" + name for name in path.split("."))


def _decode(entries: Json) -> Managers:
    try:
        return decode(entries)
    except ManagedFieldsError:
        return {}
