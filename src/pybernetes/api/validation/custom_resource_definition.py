"""Custom resource definitions. Their CEL rules are compiled where CEL is."""

from __future__ import annotations

import re
from typing import Any

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.authorities import bundle_complaint
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import METADATA, complain, validate_told_name
from pybernetes.api.validation.structural import validate_structural
from pybernetes.api.validation.webhooks import validate_client_config

_SPEC, _STATUS = Path("spec"), Path("status")
_SIMPLE_PATH = re.compile(r"(?:\.[a-zA-Z_$][a-zA-Z0-9_$-]*(?:\[[^\]]*\])?)+")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("", "byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_REVIEWS = ("v1", "v1beta1")
_LONGEST_WARNING = 256
_PROTECTED = ("k8s.io", "kubernetes.io")
APPROVED = "api-approved.kubernetes.io"
NEEDS_APPROVAL = (
    f'protected groups must have approval annotation "{APPROVED}", '
    "see https://github.com/kubernetes/enhancements/pull/1111"
)
WRONG_APPROVAL = (
    f'protected groups must have approval annotation "{APPROVED}" with either a URL or a reason starting '
    'with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111'
)


def _create(definition: Tree) -> Errors:
    spec = definition["spec"]
    yield from _validate_name(definition)
    yield from _validate_approval(definition)
    yield from _validate_spec(spec)
    yield from _validate_stored_versions(definition)


def _validate_name(definition: Tree) -> Errors:
    spec = definition["spec"]
    wanted = f"{spec['names'].get('plural', '')}.{spec.get('group', '')}"
    yield from validate_told_name(definition["metadata"], wanted, 'must be spec.names.plural+"."+spec.group')


def _validate_approval(definition: Tree) -> Errors:
    """Names of the project's own domains are for the project."""
    if not is_protected(definition["spec"].get("group", "")):
        return
    value = (definition["metadata"].get("annotations") or {}).get(APPROVED, "")
    path = METADATA.child("annotations").key(APPROVED)
    if not value:
        yield field.required(path, NEEDS_APPROVAL)
    elif not value.startswith(("http://", "https://", "unapproved")):
        yield field.invalid(path, value, WRONG_APPROVAL)


def is_protected(group: str) -> bool:
    """Whether a group is of the project's own domains."""
    return any(group == one or group.endswith(f".{one}") for one in _PROTECTED)


def _validate_spec(spec: Tree) -> Errors:
    group, scope = spec.get("group", ""), spec.get("scope", "")
    if not group:
        yield field.required(_SPEC.child("group"))
    else:
        complaints = names.dns1123_subdomain(group)
        yield from complain(_SPEC.child("group"), group, complaints)
        if not complaints and "." not in group:
            yield field.invalid(_SPEC.child("group"), group, "should be a domain with at least one dot")
    if not scope:
        yield field.required(_SPEC.child("scope"))
    elif scope not in ("Cluster", "Namespaced"):
        yield field.not_supported(_SPEC.child("scope"), scope, ("Cluster", "Namespaced"))
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        yield field.invalid(_SPEC.child("preserveUnknownFields"), True, detail)
    yield from _validate_names(spec["names"], _SPEC.child("names"))
    yield from _validate_versions(spec)
    yield from _validate_conversion(spec.get("conversion") or {}, _SPEC.child("conversion"))


def _validate_names(found: Tree, path: Path) -> Errors:
    for name in ("plural", "singular"):
        if not found.get(name):
            yield field.required(path.child(name))
        else:
            yield from complain(path.child(name), found[name], names.dns1035_label(found[name]))
    for name in ("kind", "listKind"):
        value = found.get(name, "")
        if not value:
            yield field.required(path.child(name))
        else:
            for complaint in names.dns1035_label(value.lower()):
                detail = f"may have mixed case, but should otherwise match: {complaint}"
                yield field.invalid(path.child(name), value, detail)
    for name in ("shortNames", "categories"):
        for index, value in enumerate(found.get(name) or ()):
            yield from complain(path.child(name).index(index), value, names.dns1035_label(value))
    if found.get("kind") and found.get("kind") == found.get("listKind"):
        yield field.invalid(path.child("listKind"), found["listKind"], "kind and listKind may not be the same")


def _validate_versions(spec: Tree) -> Errors:
    path = _SPEC.child("versions")
    versions = spec.get("versions") or []
    for index, version in enumerate(versions):
        yield from _validate_version(version, path.index(index))
    if versions and versions[0]["name"] and names.dns1035_label(versions[0]["name"]):
        # The first version is also told under its old name.
        first = versions[0]["name"]
        yield from complain(_SPEC.child("version"), first, names.dns1035_label(first))
    yield from _validate_version_set(spec.get("versions"), path)
    # What all versions agree on is told under the name that it has for all of them.
    same = len(versions) == 1
    for index, version in enumerate(versions):
        at = _SPEC if same else path.index(index)
        yield from _validate_schema(version, at.child("validation" if same else "schema"))
        yield from _validate_columns(version.get("additionalPrinterColumns") or [], at)
        yield from _validate_scale(((version.get("subresources") or {}).get("scale")), at)
        yield from _validate_selectable(version, at)


def _validate_version(version: Tree, path: Path) -> Errors:
    yield from complain(path.child("name"), version["name"], names.dns1035_label(version["name"]))
    warning = version.get("deprecationWarning")
    if warning is not None:
        yield from _validate_warning(warning, bool(version.get("deprecated")), path.child("deprecationWarning"))
    if not (version.get("schema") or {}).get("openAPIV3Schema") and not version.get("schema"):
        yield field.required(path.child("schema", "openAPIV3Schema"))


def _validate_warning(warning: str, deprecated: bool, path: Path) -> Errors:
    if not deprecated:
        yield field.invalid(path, warning, "can only be set for deprecated versions")
    if not warning:
        yield field.invalid(path, warning, "must not be an empty string")
    if len(warning.encode()) > _LONGEST_WARNING:
        yield field.invalid(path, warning, f"must be <= {_LONGEST_WARNING} characters long")
    for index, character in enumerate(warning):
        if not character.isprintable():
            detail = f"must only contain printable UTF-8 characters; non-printable character found at index {index}"
            yield field.invalid(path, warning, detail)
            break


def _validate_version_set(versions: list[Tree] | None, path: Path) -> Errors:
    if versions is None:
        yield field.invalid(path, None, "must have exactly one version marked as storage version")
        return
    shown: Any = [_shown_version(version, len(versions) > 1 and _differ(versions)) for version in versions]
    called = [version["name"] for version in versions]
    if len(set(called)) != len(called):
        yield field.invalid(path, shown, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield field.invalid(path, shown, "must have exactly one version marked as storage version")


def _differ(versions: list[Tree]) -> bool:
    return any(version.get("schema") != versions[0].get("schema") for version in versions)


def _shown_version(version: Tree, own_schema: bool) -> Tree:
    """The internal form of a version, whose schema stands beside the versions where all have the same."""
    return {
        "Name": version["name"], "Served": bool(version.get("served")), "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")), "DeprecationWarning": version.get("deprecationWarning"),
        "Schema": version.get("schema") if own_schema else None, "Subresources": None,
        "AdditionalPrinterColumns": None, "SelectableFields": None,
    }  # fmt: skip


def _validate_schema(version: Tree, path: Path) -> Errors:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is not None:
        yield from validate_structural(schema, path.child("openAPIV3Schema"))


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


def _validate_selectable(version: Tree, path: Path) -> Errors:
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    taken: set[str] = set()
    for index, selectable in enumerate(version.get("selectableFields") or ()):
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


def _validate_conversion(conversion: Tree, path: Path) -> Errors:
    strategy, webhook = conversion.get("strategy", ""), conversion.get("webhook") or {}
    if not strategy:
        yield field.required(path.child("strategy"))
    elif strategy not in ("None", "Webhook"):
        yield field.not_supported(path.child("strategy"), strategy, ("None", "Webhook"))
    elif strategy == "Webhook":
        if webhook.get("clientConfig") is None:
            yield field.required(path.child("webhookClientConfig"), "required when strategy is set to Webhook")
        else:
            yield from validate_client_config(webhook["clientConfig"], path.child("webhookClientConfig"))
        yield from _validate_review_versions(webhook.get("conversionReviewVersions") or [], path)
    else:
        detail = "should not be set when strategy is not set to Webhook"
        if webhook.get("clientConfig") is not None:
            yield field.forbidden(path.child("webhookClientConfig"), detail)
        if webhook.get("conversionReviewVersions"):
            yield field.forbidden(path.child("conversionReviewVersions"), detail)


def _validate_review_versions(versions: list[str], path: Path) -> Errors:
    at = path.child("conversionReviewVersions")
    if not versions:
        yield field.required(at)
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield field.invalid(at.index(index), version, "duplicate version")
        else:
            yield from complain(at.index(index), version, names.dns1035_label(version))
    if not set(versions) & set(_REVIEWS):
        yield field.invalid(at, versions, f"must include at least one of {', '.join(_REVIEWS)}")


def has_bad_bundle(definition: Tree) -> bool:
    """Whether no server of its conversion webhook could be trusted: such a definition is not established."""
    return bool(_bundle_complaint(definition["spec"])[1])


def _bundle_complaint(spec: Tree) -> tuple[str, str]:
    """The bundle of the conversion webhook, and what is wrong with it."""
    config = ((spec.get("conversion") or {}).get("webhook") or {}).get("clientConfig") or {}
    bundle = config.get("caBundle") or ""
    return bundle, bundle_complaint(bundle) if bundle else ""


def _validate_stored_versions(definition: Tree) -> Errors:
    """What the server has noted; a new definition stores its storage version."""
    versions = definition["spec"].get("versions") or []
    storage = [version["name"] for version in versions if version.get("storage")]
    path = _STATUS.child("storedVersions")
    stored = (definition.get("status") or {}).get("storedVersions") or storage[:1]
    if not stored:
        yield field.invalid(path, None, "must have at least one stored version")
    for name in storage[-1:]:
        if stored and (name not in stored or len(storage) > 1):
            yield field.invalid(path, stored, f"must have the storage version {name}")
    known = [version["name"] for version in versions]
    for index, name in enumerate(stored):
        if name not in known:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions "
                f"until a storage migration ensures no data remains persisted in {name} and removes {name} from "
                "status.storedVersions"
            )
            yield field.invalid(path.index(index), name, detail)


def _update(new: Tree, old: Tree) -> Errors:
    """What an established definition serves stays: its group, names and scope."""
    yield from _validate_spec(new["spec"])
    yield from _validate_stored_versions(new)
    conditions = {one["type"]: one["status"] for one in (old.get("status") or {}).get("conditions") or ()}
    spec, was = new["spec"], old["spec"]
    bundle, complaint = _bundle_complaint(spec)
    if complaint and conditions.get("Established") == "True" and not has_bad_bundle(old):
        yield field.invalid(_SPEC.child("conversion", "webhookClientConfig", "caBundle"), bundle, complaint)
    if conditions.get("Established") == "True":
        for path, now, before in (
            (_SPEC.child("scope"), spec.get("scope"), was.get("scope")),
            (_SPEC.child("names", "kind"), spec["names"].get("kind"), was["names"].get("kind")),
        ):
            if now != before:
                yield field.invalid(path, now, "field is immutable")
    for path, now, before in (
        (_SPEC.child("group"), spec.get("group"), was.get("group")),
        (_SPEC.child("names", "plural"), spec["names"].get("plural"), was["names"].get("plural")),
    ):
        if now != before:
            yield field.invalid(path, now, "field is immutable")


def _update_status(new: Tree, old: Tree) -> Errors:
    """Accepted names are judged as wanted ones are, except that none need be there."""
    accepted = (new.get("status") or {}).get("acceptedNames") or {}
    path = _STATUS.child("acceptedNames")
    yield from (one for one in _validate_names(accepted, path) if one.kind is not field.Kind.REQUIRED)


RULES: RulesTable = {
    ("apiextensions.k8s.io", "customresourcedefinitions"): Rules(
        _create,
        _update,
        update_is_whole=True,
        subresources={"status": _update_status},
        plain_finalizers=True,
    ),
}
