"""ObjectMeta: names, labels, annotations, owners, finalizers, managed fields, and what an update may not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from pybernetes.api import field, names
from pybernetes.api.contents import by_content
from pybernetes.api.field import Path
from pybernetes.api.scheme import split_api_version
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors

METADATA = Path("metadata")
_MAX_ANNOTATIONS = 256 * 1024
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_IMMUTABLE = ("name", "namespace", "uid", "deletionTimestamp", "deletionGracePeriodSeconds")
_MAX_MANAGER = 128
_MAX_SUBRESOURCE = 256
_FREE = frozenset(("resourceVersion", "managedFields"))
"""What every update changes."""

Judge: TypeAlias = Callable[[str], Sequence[str]]
"""What is wrong with a name."""


def validate_metadata(
    meta: Tree,
    namespaced: bool,
    name_check: names.Check = names.dns1123_subdomain,
    path: Path = METADATA,
    *,
    plain_finalizers: bool = False,
) -> Errors:
    """The metadata of an object, new or changed. `plain_finalizers`: their names need no domain."""
    yield from validate_name(meta, name_check, path)
    if not meta.get("name"):
        yield field.required(path.child("name"), "name or generateName is required")
    yield from _validate_namespace(meta.get("namespace", ""), namespaced, path.child("namespace"))
    if meta.get("generation", 0) < 0:
        yield field.invalid(path.child("generation"), meta["generation"], "must be greater than or equal to 0")
    yield from _validate_bags(meta, path)
    if not plain_finalizers:
        yield from validate_plain_finalizers(meta, path)


def validate_plain_finalizers(meta: Tree, path: Path = METADATA) -> Errors:
    """Finalizers have a domain, but for the standard ones."""
    for index, finalizer in enumerate(meta.get("finalizers") or ()):
        if is_plain(finalizer):
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield field.invalid(path.child("finalizers").index(index), finalizer, detail)


def validate_name(meta: Tree, check: names.Check, path: Path = METADATA) -> Errors:
    """The name, and what it is generated from."""
    prefix, name = meta.get("generateName"), meta.get("name")
    if prefix:
        yield from complain(path.child("generateName"), prefix, names.generated_prefix(check)(prefix))
    if name:
        yield from complain(path.child("name"), name, check(name))


def validate_told_name(meta: Tree, wanted: str, detail: str, judge: Judge | None = None) -> Errors:
    """Of a kind whose name follows from its spec; what `judge` finds fault with has been complained of already."""
    for key in ("name", "generateName"):
        value = meta.get(key)
        if value and value != wanted and not (judge and judge(value)):
            yield field.invalid(METADATA.child(key), value, detail)


def is_plain(finalizer: str) -> bool:
    """Whether a finalizer has no domain, and is none of those that need none."""
    return "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS


def _validate_namespace(namespace: str, namespaced: bool, path: Path) -> Errors:
    if not namespaced:
        if namespace:
            yield field.forbidden(path, "not allowed on this type")
    elif not namespace:
        yield field.required(path)
    else:
        yield from complain(path, namespace, names.dns1123_label(namespace))


def _validate_bags(meta: Tree, path: Path) -> Errors:
    yield from validate_open_bags(meta, path)
    finalizers = meta.get("finalizers")
    if finalizers:
        for finalizer in finalizers:
            yield from complain(path.child("finalizers"), finalizer, names.qualified_name(finalizer))
        if "orphan" in finalizers and "foregroundDeletion" in finalizers:
            detail = "finalizer orphan and foregroundDeletion cannot be both set"
            yield field.invalid(path.child("finalizers"), finalizers, detail)


def validate_open_bags(meta: Tree, path: Path = METADATA) -> Errors:
    """Labels, annotations, owners and managed fields: what anybody may write into metadata."""
    labels = meta.get("labels")
    if labels:
        yield from validate_labels(labels, path.child("labels"))
    annotations = meta.get("annotations")
    if annotations:
        yield from validate_annotations(annotations, path.child("annotations"))
    owners = meta.get("ownerReferences")
    if owners:
        yield from _validate_owners(owners, path.child("ownerReferences"))
    entries = meta.get("managedFields")
    if entries:
        yield from _validate_managed_fields(entries, path.child("managedFields"))


def validate_metadata_update(new: Tree, old: Tree, path: Path = METADATA) -> Errors:
    """What an update may not change. The creation time is not judged: the server puts it back."""
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            listed = ", ".join(field.quote(one) for one in added)
            detail = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            yield field.forbidden(path.child("finalizers"), detail)
    if not new.get("resourceVersion"):
        yield field.invalid(path.child("resourceVersion"), 0, "must be specified for an update")
    if new.get("generation", 0) < old.get("generation", 0):
        yield field.invalid(path.child("generation"), new.get("generation", 0), "must not be decremented")
    for name in _IMMUTABLE:
        if new.get(name) != old.get(name):
            yield field.invalid(path.child(name), new.get(name, ""), "field is immutable")


def is_kept(new: Tree, old: Tree) -> bool:
    """Whether an update leaves the metadata as it is, and names a version: then there is nothing to say about it."""
    if not new.get("resourceVersion"):
        return False
    for name, value in old.items():
        if name not in _FREE and (name not in new or new[name] != value):
            return False
    for name in new:
        if name not in old and name not in _FREE:
            return False
    return next(_validate_managed_fields(new.get("managedFields") or [], METADATA), None) is None


def complain(path: Path, value: str, complaints: tuple[str, ...]) -> Errors:
    """The complaints of a format as errors of a field."""
    for complaint in complaints:
        yield field.invalid(path, value, complaint)


def validate_domain_prefixed_path(value: str, path: Path) -> Errors:
    """A path below a domain, like "acme.io/foo"."""
    domain, _, below = value.partition("/")
    if not value:
        yield field.required(path)
    elif not domain or not below:
        yield field.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        yield from complain(path, domain, names.dns1123_subdomain(domain))
        yield from complain(path, below, names.url_path(below))


def validate_labels(labels: dict[str, str], path: Path) -> Errors:
    if not _are_labels(labels):
        yield from _label_errors(labels, path)


@by_content
def _are_labels(labels: Tree) -> bool:
    """All objects of one owner have the same ones."""
    return next(_label_errors(labels, METADATA), None) is None


def _label_errors(labels: dict[str, str], path: Path) -> Errors:
    for key, value in labels.items():
        yield from complain(path, key, names.qualified_name(key))
        yield from complain(path, value, names.label_value(value))


def validate_annotations(annotations: dict[str, str], path: Path) -> Errors:
    size = 0
    for key, value in annotations.items():
        # Keys may have capitals for history's sake.
        yield from complain(path, key, names.qualified_name(key.lower()))
        size += len(key) + len(value)
    # A character has at most four bytes: counting bytes can wait until it may matter.
    if size * 4 > _MAX_ANNOTATIONS:
        size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
        if size > _MAX_ANNOTATIONS:
            yield field.too_long(path, _MAX_ANNOTATIONS)


def _validate_owners(owners: list[Tree], path: Path) -> Errors:
    controller = ""
    for owner in owners:
        yield from _validate_owner(owner, path)
        if owner.get("controller"):
            named = f"{owner['kind']}/{owner['name']}"
            if controller:
                detail = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {named}"
                )
                yield field.invalid(path, [_shown_owner(one) for one in owners], detail)
            controller = controller or named


def _validate_owner(owner: Tree, path: Path) -> Errors:
    group, version = split_api_version(owner["apiVersion"])
    if not version or "/" in group:  # what has two slashes is no version at all
        yield field.invalid(path.child("apiVersion"), owner["apiVersion"], "version must not be empty")
    for name in ("kind", "name", "uid"):
        if not owner[name]:
            yield field.invalid(path.child(name), owner[name], "must not be empty")
    if (group, version, owner["kind"]) == ("", "v1", "Event"):
        detail = "/v1, Kind=Event is disallowed from being an owner"
        yield field.invalid(path, _shown_owner(owner), detail)


def _shown_owner(owner: Tree) -> Tree:
    order = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
    return {name: owner[name] for name in order if name in owner}


def _validate_managed_fields(entries: list[Tree], path: Path) -> Errors:
    for index, entry in enumerate(entries):
        at = path.index(index)
        operation = entry.get("operation", "")
        if operation not in ("Apply", "Update"):
            yield field.invalid(at.child("operation"), operation, "must be `Apply` or `Update`")
        if entry.get("fieldsType", "") not in ("", "FieldsV1"):
            yield field.invalid(at.child("fieldsType"), entry["fieldsType"], "must be `FieldsV1`")
        yield from validate_manager(entry.get("manager") or "", at.child("manager"))
        if len((entry.get("subresource") or "").encode()) > _MAX_SUBRESOURCE:
            yield field.too_long(at.child("subresource"), _MAX_SUBRESOURCE)


def validate_manager(manager: str, path: Path) -> Errors:
    """The name of a field manager."""
    if len(manager) * 4 <= _MAX_MANAGER and manager.isprintable():  # a character has at most four bytes
        return
    if len(manager.encode()) > _MAX_MANAGER:
        yield field.too_long(path, _MAX_MANAGER)
    for position, char in enumerate(manager):
        if not char.isprintable():
            detail = f"invalid character U+{ord(char):04X} (at position {position})"
            yield field.invalid(path, manager, detail)
