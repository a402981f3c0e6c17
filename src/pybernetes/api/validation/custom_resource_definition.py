"""Custom resource definitions. Their CEL rules are compiled where CEL is."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.authorities import bundle_complaint
from pybernetes.api.validation.definition_versions import validate_shared, validate_versions
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import METADATA, complain, validate_told_name
from pybernetes.api.validation.webhooks import validate_client_config

_SPEC, _STATUS = Path("spec"), Path("status")
_REQUIRED_NAMES = ("plural", "singular", "kind", "listKind")
_REVIEWS = ("v1", "v1beta1")
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
    yield from _validate_spec(spec)
    yield from _validate_stored_versions(definition)
    yield from _validate_approval(definition)
    yield from _validate_preserving(spec)


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
    yield from validate_versions(spec, _SPEC)
    for name in _REQUIRED_NAMES:
        if not spec["names"].get(name):
            yield field.required(_SPEC.child("names", name))
    yield from _validate_names(spec["names"], _SPEC.child("names"))
    yield from validate_shared(spec, _SPEC)
    yield from _validate_conversion(spec.get("conversion") or {}, _SPEC.child("conversion"))


def _validate_preserving(spec: Tree) -> Errors:
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        yield field.invalid(_SPEC.child("preserveUnknownFields"), True, detail)


def _validate_names(found: Tree, path: Path) -> Errors:
    """Of names that are there."""
    for name in ("plural", "singular"):
        if found.get(name):
            yield from complain(path.child(name), found[name], names.dns1035_label(found[name]))
    for name in ("kind", "listKind"):
        if value := found.get(name, ""):
            for complaint in names.dns1035_label(value.lower()):
                detail = f"may have mixed case, but should otherwise match: {complaint}"
                yield field.invalid(path.child(name), value, detail)
    for name in ("shortNames", "categories"):
        for index, value in enumerate(found.get(name) or ()):
            yield from complain(path.child(name).index(index), value, names.dns1035_label(value))
    if found.get("kind") and found.get("kind") == found.get("listKind"):
        yield field.invalid(path.child("listKind"), found["listKind"], "kind and listKind may not be the same")


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
    if not old["spec"].get("preserveUnknownFields"):
        yield from _validate_preserving(new["spec"])
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
    yield from _validate_names(accepted, _STATUS.child("acceptedNames"))


RULES: RulesTable = {
    ("apiextensions.k8s.io", "customresourcedefinitions"): Rules(
        _create,
        _update,
        update_is_whole=True,
        subresources={"status": _update_status},
        plain_finalizers=True,
    ),
}
