"""Kinds that are served in more than one group or version, and how their objects translate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pybernetes.api.defaults.workloads import TEMPLATE_GENERATION
from pybernetes.api.schema import Schema, schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.registry.autoscalers import AutoscalerConversion, PlainAutoscalers
from pybernetes.apiserver.registry.served import Conversion

_EVENT_NAMES: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_REPORTING: Final = ("reportingController", "reportingInstance")
"""Core events tell these even where they are empty."""
_CORE_EVENT_NAMES: Final = {new: old for old, new in _EVENT_NAMES.items()}


def _renamed(obj: Tree, names: dict[str, str], api_version: str) -> Tree:
    made = {names.get(key, key): value for key, value in obj.items()}
    return made | {"apiVersion": api_version} if "apiVersion" in made else made


class EventConversion:
    """events.k8s.io/v1 Events, stored as core ones: the same fields under other names."""

    def to_storage(self, obj: Tree) -> Tree:
        return _renamed(dict.fromkeys(_REPORTING, "") | obj, _CORE_EVENT_NAMES, "v1")

    def from_storage(self, obj: Tree) -> Tree:
        made = _renamed(obj, _EVENT_NAMES, "events.k8s.io/v1")
        for name in _REPORTING:
            if made.get(name) == "":
                del made[name]
        return made


_GENERATION: Final = "templateGeneration"


class DaemonSetConversion:
    """Upstream's own form of a DaemonSet counts templates in its spec; clients see an annotation, in whole objects only."""

    def to_storage(self, obj: Tree) -> Tree:
        metadata = dict(obj["metadata"])
        annotations = dict(metadata.pop("annotations", None) or {})
        count = annotations.pop(TEMPLATE_GENERATION, "0")
        if annotations:
            metadata["annotations"] = annotations
        spec = {**(obj.get("spec") or {}), _GENERATION: int(count) if count.isdecimal() else 0}
        return {**obj, "metadata": metadata, "spec": spec}

    def from_storage(self, obj: Tree) -> Tree:
        spec = dict(obj.get("spec") or {})
        count = spec.pop(_GENERATION, None)
        if count is None:  # as an upstream server has stored it
            return obj
        annotations = {**(obj["metadata"].get("annotations") or {}), TEMPLATE_GENERATION: str(count)}
        return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}, "spec": spec}


CONVERSIONS: Final[dict[tuple[str, str, str], Conversion]] = {
    ("events.k8s.io", "v1", "events"): EventConversion(),
    ("autoscaling", "v1", "horizontalpodautoscalers"): AutoscalerConversion(),
    ("autoscaling", "v2", "horizontalpodautoscalers"): PlainAutoscalers(),
    ("apps", "v1", "daemonsets"): DaemonSetConversion(),
}


class VersionsOfKind:
    """How owners of fields see the versions of one kind that are stored as one."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._kind = resources[0].kind
        self._conversions = {
            one.api_version: CONVERSIONS.get((one.group, one.version, one.plural)) for one in resources
        }

    def schema(self, api_version: str) -> Schema | None:
        return schema_of(api_version, self._kind) if api_version in self._conversions else None

    def convert(self, tree: Tree, api_version: str) -> Tree:
        """An object of any of the versions in another one."""
        given, wanted = self._conversions[tree["apiVersion"]], self._conversions[api_version]
        stored = tree if given is None else given.to_storage(tree)
        return {**(stored if wanted is None else wanted.from_storage(stored)), "apiVersion": api_version}
