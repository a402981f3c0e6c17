"""The versions of custom resource definitions: what upstream's internal form says once for all, and each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.schema_form import shown_schema
from pybernetes.api.validation.structural import validate_structural

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("", "byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_LONGEST_WARNING = 256
_SHARED: Final = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")
"""What stands beside the versions, in upstream's internal form, where it is the same in all of them."""


def validate_versions(spec: Tree, path: Path) -> Errors:
    """What is wrong with each version, and with all together; `path` is that of the definition's spec."""
    versions: list[Tree] = spec.get("versions") or []
    shared = _shared(versions)
    at = path.child("versions")
    if _schema(shared) is None:
        for index, version in enumerate(versions):
            if _schema(version) is None:
                yield field.required(at.index(index).child("schema", "openAPIV3Schema"))
    for index, version in enumerate(versions):
        yield from complain(at.index(index).child("name"), version["name"], names.dns1035_label(version["name"]))
        yield from _validate_warning(version, at.index(index).child("deprecationWarning"))
        yield from _validate_described(_own(version, shared), at.index(index), "schema", _NO_OWN_SCHEMA)
    yield from _validate_version_set(spec.get("versions"), shared, at)
    if versions and versions[0]["name"]:  # the first version is also told under its old name
        yield from complain(path.child("version"), versions[0]["name"], names.dns1035_label(versions[0]["name"]))


def validate_shared(spec: Tree, path: Path) -> Errors:
    """What is wrong with that on which all versions agree."""
    yield from _validate_described(_shared(spec.get("versions") or []), path, "validation", _NO_SCHEMA)


_NO_SCHEMA: Final = "may only be set when validations.schema is included"
_NO_OWN_SCHEMA: Final = "may only be set when `version.schema.openAPIV3Schema` is not included"


def _shared(versions: Sequence[Tree]) -> Tree:
    """What all versions say alike; of what is not in it each says something else."""
    if not versions:
        return {}
    first = versions[0]
    return {
        name: first.get(name)
        for name in _SHARED
        if all((one.get(name) or None) == (first.get(name) or None) for one in versions)
    }


def _own(version: Tree, shared: Tree) -> Tree:
    return {name: value for name, value in version.items() if name not in shared}


def _schema(described: Tree) -> Tree | None:
    found: Tree | None = (described.get("schema") or {}).get("openAPIV3Schema")
    return found


def _validate_described(described: Tree, path: Path, schema_name: str, no_schema: str) -> Errors:
    """Schema, subresources, columns and fields to select by: of a version, or of all."""
    schema = _schema(described)
    if schema is not None:
        yield from validate_structural(schema, path.child(schema_name, "openAPIV3Schema"))
    yield from _validate_scale((described.get("subresources") or {}).get("scale"), path)
    yield from _validate_columns(described.get("additionalPrinterColumns") or [], path)
    selectable = described.get("selectableFields") or []
    if selectable and schema is None:
        yield field.invalid(path.child("selectableFields"), "", no_schema)
    elif schema is not None:
        yield from _validate_selectable(selectable, schema, path)


def _validate_warning(version: Tree, path: Path) -> Errors:
    warning = version.get("deprecationWarning")
    if warning is None:
        return
    if not version.get("deprecated"):
        yield field.invalid(path, warning, "can only be set for deprecated versions")
        return
    if len(warning.encode()) > _LONGEST_WARNING:
        yield field.invalid(path, warning, f"must be <= {_LONGEST_WARNING} characters long")
    if not warning:
        yield field.invalid(path, warning, "must not be an empty string")
    place = 0
    for character in warning:
        if not character.isprintable():
            detail = f"must only contain printable UTF-8 characters; non-printable character found at index {place}"
            yield field.invalid(path, warning, detail)
            break
        place += len(character.encode())


def _validate_version_set(versions: list[Tree] | None, shared: Tree, path: Path) -> Errors:
    if versions is None:
        yield field.invalid(path, None, "must have exactly one version marked as storage version")
        return
    shown = [_shown_version(_own(version, shared)) for version in versions]
    called = [version["name"] for version in versions]
    if len(set(called)) != len(called):
        yield field.invalid(path, shown, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield field.invalid(path, shown, "must have exactly one version marked as storage version")


def _shown_version(version: Tree) -> Tree:
    """The internal form of a version."""
    subresources = version.get("subresources")
    return {
        "Name": version["name"], "Served": bool(version.get("served")), "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")), "DeprecationWarning": version.get("deprecationWarning"),
        "Schema": None if version.get("schema") is None else _shown_validation(version["schema"]),
        "Subresources": None if subresources is None else _shown_subresources(subresources),
        "AdditionalPrinterColumns": _shown_columns(version.get("additionalPrinterColumns")),
        "SelectableFields": _shown_selectable(version.get("selectableFields")),
    }  # fmt: skip


def _shown_validation(validation: Tree) -> Tree:
    schema = validation.get("openAPIV3Schema")
    return {"OpenAPIV3Schema": None if schema is None else shown_schema(schema)}


def _shown_subresources(subresources: Tree) -> Tree:
    scale = subresources.get("scale")
    shown = None if scale is None else {
        "SpecReplicasPath": scale.get("specReplicasPath", ""), "StatusReplicasPath": scale.get("statusReplicasPath", ""),
        "LabelSelectorPath": scale.get("labelSelectorPath"),
    }  # fmt: skip
    return {"Status": subresources.get("status"), "Scale": shown}


def _shown_columns(columns: list[Tree] | None) -> list[Tree] | None:
    return columns and [
        {
            "Name": one.get("name", ""), "Type": one.get("type", ""), "Format": one.get("format", ""),
            "Description": one.get("description", ""), "Priority": one.get("priority", 0),
            "JSONPath": one.get("jsonPath", ""),
        }
        for one in columns
    ]  # fmt: skip


def _shown_selectable(fields: list[Tree] | None) -> list[Tree] | None:
    return fields and [{"JSONPath": one.get("jsonPath", "")} for one in fields]


def _validate_columns(columns: list[Tree], path: Path) -> Errors:
    for index, column in enumerate(columns):
        at = path.child("additionalPrinterColumns").index(index)
        if not column.get("name"):
            yield field.required(at.child("name"))
        kind, detail = column.get("type", ""), f"must be one of {','.join(_COLUMN_TYPES)}"
        if not kind:
            yield field.required(at.child("type"), detail)
        elif kind not in _COLUMN_TYPES:
            yield field.invalid(at.child("type"), kind, detail)
        if column.get("format", "") not in _COLUMN_FORMATS:
            detail = f"must be one of {','.join(filter(None, _COLUMN_FORMATS))}"
            yield field.invalid(at.child("format"), column["format"], detail)
        json_path = column.get("jsonPath", "")
        if not json_path:
            yield field.required(at.child("JSONPath"))
        else:
            yield from _validate_simple_path(json_path, at.child("JSONPath"))


def _validate_simple_path(value: str, path: Path) -> Errors:
    if not value.startswith("."):
        yield field.invalid(path, value, "must be a simple json path starting with .")


# Path of a scale -> where it may point to, and how messages call that.
_SCALE_ROOTS: dict[str, tuple[tuple[str, ...], str]] = {
    "specReplicasPath": ((".spec.",), ".spec"),
    "statusReplicasPath": ((".status.",), ".status"),
    "labelSelectorPath": ((".spec.", ".status."), "either .spec or .status"),
}


def _validate_scale(scale: Tree | None, path: Path) -> Errors:
    if scale is None:
        return
    for name, (roots, called) in _SCALE_ROOTS.items():
        at = path.child("subresources", "scale", name)
        value = scale.get(name) or ""
        if not value:
            if name != "labelSelectorPath":
                yield field.required(at)
        elif not value.startswith("."):
            yield from _validate_simple_path(value, at)
        elif not value.startswith(roots):
            yield field.invalid(at, value, f"should be a json path under {called}")


def _validate_selectable(selectables: Sequence[Tree], schema: Tree, path: Path) -> Errors:
    taken: set[str] = set()
    for index, selectable in enumerate(selectables):
        at = path.child("selectableFields").index(index).child("jsonPath")
        value = selectable.get("jsonPath", "")
        if not value:
            yield field.required(at)
        elif value in taken:
            yield field.duplicate(at, value)
        else:
            complaint = _selectable_complaint(value, schema)
            if complaint:
                yield field.invalid(at, value, complaint)
        taken.add(value)


def _selectable_complaint(value: str, schema: Tree) -> str:
    if not value.startswith((".", "[")):
        return f"is an invalid path: expected [ or . but got: {value.partition('.')[0]}"
    if "[" in value:
        return "is an invalid path: array notation is not allowed"
    node: Tree = schema
    for name in value.split(".")[1:]:
        node = (node.get("properties") or {}).get(name) or {}
        if not node:
            return "is an invalid path: does not refer to a valid field"
    if value.startswith(".metadata."):
        return "must not point to fields in metadata"
    if node.get("type") not in ("string", "boolean", "integer"):
        return "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
    return ""
