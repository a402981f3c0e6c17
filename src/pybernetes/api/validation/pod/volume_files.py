"""Volumes whose files are keys of objects, fields of the pod, tokens or certificates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import require
from pybernetes.api.validation.kinds import Errors, Part
from pybernetes.api.validation.pod.environment import VOLUME_FIELDS, validate_field_ref, validate_resource_field_ref
from pybernetes.api.validation.pod.paths import new_file_path

_MODE_RANGE = "must be a number between 0 and 0777 (octal), both inclusive"


def _mode(source: Tree, path: Path, name: str = "defaultMode") -> Errors:
    value = source.get(name)
    if value is not None and not 0 <= value <= 0o777:
        yield field.invalid(path.child(name), value, _MODE_RANGE)


def _items(source: Tree, path: Path) -> Errors:
    """Which keys become which files."""
    for index, item in enumerate(source.get("items") or ()):
        at = path.child("items").index(index)
        yield from require(item, at, "key", "path")
        yield from new_file_path(item.get("path", ""), at.child("path"))
        yield from _mode(item, at, "mode")


def secret(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "secretName")
    yield from _mode(source, path)
    yield from _items(source, path)


def config_map(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "name")
    yield from _mode(source, path)
    yield from _items(source, path)


def downward_api(source: Tree, path: Path) -> Errors:
    yield from _mode(source, path)
    for item in source.get("items") or ():
        yield from _downward_file(item, path)


def _downward_file(item: Tree, path: Path) -> Errors:
    """Upstream names these without the index of their item."""
    yield from require(item, path, "path")
    yield from new_file_path(item.get("path", ""), path.child("path"))
    if item.get("fieldRef") is not None:
        yield from validate_field_ref(item["fieldRef"], VOLUME_FIELDS, path.child("fieldRef"))
        if item.get("resourceFieldRef") is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            yield field.invalid(path, "resource", detail)
    elif item.get("resourceFieldRef") is not None:
        yield from validate_resource_field_ref(item["resourceFieldRef"], path.child("resourceFieldRef"), volume=True)
    else:
        yield field.required(path, "one of fieldRef and resourceFieldRef is required")
    yield from _mode(item, path, "mode")


def projected(source: Tree, path: Path) -> Errors:
    yield from _mode(source, path)
    taken: set[str] = set()
    for index, projection in enumerate(source.get("sources") or ()):
        at = path.child("sources").index(index)
        told = [name for name in _PROJECTIONS if projection.get(name) is not None]
        for name in told:
            yield from _PROJECTIONS[name](projection[name], at.child(name))
            if name == "serviceAccountToken":  # upstream names its path without the source
                yield from require(projection[name], path, "path")
                yield from new_file_path(projection[name].get("path", ""), path.child("path"))
            for file, shown in _files(name, projection[name]):
                if file in taken:
                    yield field.invalid(path, shown, "conflicting duplicate paths")
                taken.add(file)
        if len(told) > 1:
            yield field.forbidden(at, "may not specify more than 1 volume type per source")


def _files(kind: str, source: Tree) -> Iterator[tuple[str, str]]:
    """The files that a source makes, with what messages show of it. Tokens may stand in the place of others."""
    if kind == "serviceAccountToken":
        return
    for item in source.get("items") or ():
        if item.get("path"):
            yield item["path"], source.get("name", "") if kind != "downwardAPI" else item["path"]


def _account_token(source: Tree, path: Path) -> Errors:
    seconds, at = source.get("expirationSeconds", 3600), path.child("expirationSeconds")
    if seconds < 600:
        yield field.invalid(at, seconds, "may not specify a duration less than 10 minutes")
    if seconds > 2**32:
        yield field.invalid(at, seconds, "may not specify a duration larger than 2^32 seconds")


def _downward_files(source: Tree, path: Path) -> Errors:
    for item in source.get("items") or ():
        yield from _downward_file(item, path)


def _named_projection(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "name")
    yield from _items(source, path)


_PROJECTIONS: Final[dict[str, Part]] = {
    "secret": _named_projection,
    "configMap": _named_projection,
    "downwardAPI": _downward_files,
    "serviceAccountToken": _account_token,
}
