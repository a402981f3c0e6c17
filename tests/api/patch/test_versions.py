"""Server-side apply of one manager in another version than before: what it no longer states goes, and nothing else."""

from __future__ import annotations

from typing import Any

from pybernetes.api.patch.apply import FieldManager
from pybernetes.api.schema import Schema, custom_resource_schema

FREE = custom_resource_schema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
NOW = "2026-01-01T00:00:00Z"


class Renamed:
    """Versions that differ in nothing but their name."""

    def schema(self, api_version: str) -> Schema | None:
        return FREE

    def convert(self, tree: dict[str, Any], api_version: str) -> dict[str, Any]:
        return {**tree, "apiVersion": api_version}


def manager(version: str) -> FieldManager:
    return FieldManager(FREE, f"t.test/{version}", "Thing", versions=Renamed())


def thing(version: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": f"t.test/{version}", "kind": "Thing", "metadata": {"name": "t", **metadata}, "spec": spec}


def test_what_the_server_set_stays() -> None:
    made = manager("v1").apply(None, thing("v1", {"a": 1, "b": 2}, finalizers=["x"]), "one", False, NOW)
    given = {"uid": "u", "resourceVersion": "5", "creationTimestamp": NOW, "labels": {"of": "others"}}
    live = {**made, "apiVersion": "t.test/v2", "metadata": {**made["metadata"], **given}}
    new = manager("v2").apply(live, thing("v2", {"a": 1}), "one", False, NOW)
    [entry] = new["metadata"].pop("managedFields")
    assert new == thing("v2", {"a": 1}, **given)
    assert (entry["apiVersion"], entry["fieldsV1"]) == ("t.test/v2", {"f:spec": {".": {}, "f:a": {}}})
