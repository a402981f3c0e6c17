"""Webhook configurations."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import label_selector
from pybernetes.api.validation.kinds import Create, Errors, Rules, RulesTable, Update
from pybernetes.api.validation.match_conditions import validate_match_conditions
from pybernetes.api.validation.metadata import complain

_GROUP = "admissionregistration.k8s.io"
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_VERSIONS = ("v1", "v1beta1")
_BAD_ESCAPE: Final = re.compile("%(?![0-9a-fA-F]{2}).{0,2}")


def _create(mutating: bool) -> Create:
    """Of a new configuration: what holds for any, and what its match conditions say."""
    validate = _validate(mutating)

    def rules(configuration: Tree) -> Errors:
        yield from validate(configuration)
        yield from _validate_conditions(configuration)

    return rules


def _update(mutating: bool) -> Update:
    """Match conditions that stay what they were are not judged again: what is in force stays so."""
    validate = _validate(mutating)

    def rules(new: Tree, old: Tree) -> Errors:
        yield from validate(new)
        after, before = ([one.get("matchConditions") for one in each.get("webhooks") or ()] for each in (new, old))
        if after != before:
            yield from _validate_conditions(new)

    return rules


def _validate_conditions(configuration: Tree) -> Errors:
    for index, webhook in enumerate(configuration.get("webhooks") or ()):
        path = ROOT.child("webhooks").index(index).child("matchConditions")
        yield from validate_match_conditions(webhook.get("matchConditions") or [], path)


def _validate(mutating: bool) -> Create:
    def validate(configuration: Tree) -> Errors:
        taken: set[str] = set()
        for index, webhook in enumerate(configuration.get("webhooks") or ()):
            path = ROOT.child("webhooks").index(index)
            yield from _validate_webhook(webhook, mutating, path)
            yield from _validate_review_versions(webhook.get("admissionReviewVersions") or [], path)
            if webhook["name"] and webhook["name"] in taken:
                yield field.duplicate(path.child("name"), webhook["name"])
            taken.add(webhook["name"])

    return validate


def _validate_webhook(webhook: Tree, mutating: bool, path: Path) -> Errors:
    name = webhook["name"]
    if not name:
        yield field.required(path.child("name"))
    else:
        complaints = names.dns1123_subdomain(name)
        yield from complain(path.child("name"), name, complaints)
        if not complaints and name.count(".") < 2:
            detail = "should be a domain with at least three segments separated by dots"
            yield field.invalid(path.child("name"), name, detail)
    for index, rule in enumerate(webhook.get("rules") or ()):
        yield from validate_rule(rule, path.child("rules").index(index))
    yield from _validate_choices(webhook, mutating, path)
    seconds = webhook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        detail = "the timeout value must be between 1 and 30 seconds"
        yield field.invalid(path.child("timeoutSeconds"), seconds, detail)
    for selector in ("namespaceSelector", "objectSelector"):
        yield from label_selector(webhook.get(selector), path.child(selector))
    yield from validate_client_config(webhook["clientConfig"], path.child("clientConfig"))


def _validate_choices(webhook: Tree, mutating: bool, path: Path) -> Errors:
    choices = {"failurePolicy": ("Fail", "Ignore"), "matchPolicy": ("Equivalent", "Exact")}
    if mutating:
        choices["reinvocationPolicy"] = ("IfNeeded", "Never")
    for name, supported in choices.items():
        value = webhook.get(name)
        if value is not None and value not in supported:
            yield field.not_supported(path.child(name), value, supported)
    effects = webhook.get("sideEffects")
    if effects is None:
        listed = ", ".join(_SIDE_EFFECTS)
        yield field.required(path.child("sideEffects"), f"must specify one of {listed}")
    elif effects not in _SIDE_EFFECTS:
        yield field.not_supported(path.child("sideEffects"), effects, _SIDE_EFFECTS)


def _validate_review_versions(versions: list[str], path: Path) -> Errors:
    at = path.child("admissionReviewVersions")
    if not versions:
        yield field.required(at, f"must specify one of {', '.join(_VERSIONS)}")
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield field.invalid(at.index(index), version, "duplicate version")
        else:
            yield from complain(at.index(index), version, names.dns1035_label(version))
    if versions and not set(versions) & set(_VERSIONS):
        yield field.invalid(at, versions, f"must include at least one of {', '.join(_VERSIONS)}")


def validate_rule(rule: Tree, path: Path) -> Errors:
    """What a webhook or policy is called for."""
    operations = rule.get("operations") or []
    if not operations:
        yield field.required(path.child("operations"))
    elif "*" in operations and len(operations) > 1:
        detail = "if '*' is present, must not specify other operations"
        yield field.invalid(path.child("operations"), operations, detail)
    for index, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            yield field.not_supported(path.child("operations").index(index), operation, _OPERATIONS)
    for name, called in (("apiGroups", "groups"), ("apiVersions", "versions")):
        values = rule.get(name) or []
        if not values:
            yield field.required(path.child(name))
        elif "*" in values and len(values) > 1:
            detail = f"if '*' is present, must not specify other API {called}"
            yield field.invalid(path.child(name), values, detail)
    if "" in (rule.get("apiVersions") or ()):
        yield field.required(path.child("apiVersions").index(rule["apiVersions"].index("")))
    yield from _validate_resources(rule.get("resources") or [], path.child("resources"))
    scope = rule.get("scope")
    if scope is not None and scope not in _SCOPES:
        yield field.not_supported(path.child("scope"), scope, _SCOPES)


def _validate_resources(resources: list[str], path: Path) -> Errors:
    """What a wildcard stands for already is not named beside it."""
    if not resources:
        yield field.required(path)
    whole: set[str] = set()  # x of x/*
    parts: set[str] = set()  # y of */y
    for index, resource in enumerate(resources):
        at, (name, _, part) = path.index(index), resource.partition("/")
        if not resource:
            yield field.required(at)
        if part and name in whole:
            yield field.invalid(at, resource, f"if '{name}/*' is present, must not specify {resource}")
        if part and part in parts:
            yield field.invalid(at, resource, f"if '*/{part}' is present, must not specify {resource}")
        if part == "*":
            whole.add(name)
        if part and name == "*":
            parts.add(part)
    if "*/*" in resources and len(resources) > 1:
        yield field.invalid(path, resources, "if '*/*' is present, must not specify other resources")
    if "*" in resources and any("/" not in each for each in resources if each != "*"):
        detail = "if '*' is present, must not specify other resources without subresources"
        yield field.invalid(path, resources, detail)


def validate_client_config(config: Tree, path: Path) -> Errors:
    """How a webhook is reached: by URL or by service."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield field.required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _validate_url(url, path.child("url"))
    elif service is not None:
        yield from _validate_service(service, path)


def _validate_service(service: Tree, path: Path) -> Errors:
    # Upstream takes the one for the other.
    for name, told in (("name", "namespace"), ("namespace", "name")):
        if not service.get(name):
            yield field.required(path.child("service", told))
    port = service.get("port", 443)
    if names.port_number(port):
        yield field.invalid(path.child("service", "port"), port, f"port is not valid: {names.port_number(port)[0]}")
    if service.get("path"):
        yield from _validate_service_path(service["path"], path.child("service", "path"))


def _validate_service_path(url_path: str, path: Path) -> Errors:
    if not url_path.startswith("/"):
        yield field.invalid(path, url_path, "must start with a '/'")
    if url_path == "/":
        return
    rest = url_path[1:]
    steps = (rest[:-1] if len(rest) > 1 and rest.endswith("/") else rest).split("/")
    for index, step in enumerate(steps):
        if not step:
            yield field.invalid(path, url_path, f"segment[{index}] may not be empty")
        for complaint in names.dns1123_subdomain(step) if step else ():
            yield field.invalid(path, url_path, f"segment[{index}]: {complaint}")


def _unreadable(url: str) -> str:
    """Why Go cannot read a URL; empty if it can."""
    if url.startswith(":"):
        return "missing protocol scheme"
    if escape := _BAD_ESCAPE.search(url):
        return f"invalid URL escape {field.quote(escape.group())}"
    return ""


def _validate_url(url: str, path: Path) -> Errors:
    form = "; desired format: https://host[/path]"
    if wrong := _unreadable(url):
        yield field.required(path, f"url must be a valid URL: parse {field.quote(url)}: {wrong}{form}")
        return
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield field.invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}")
    if not parts.netloc:
        yield field.invalid(path, parts.netloc, f"host must be specified{form}")
    if parts.username is not None:
        yield field.invalid(path, parts.netloc.rpartition("@")[0], "user information is not permitted in the URL")
    if parts.fragment:
        yield field.invalid(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield field.invalid(path, parts.query, "query parameters are not permitted in the URL")


RULES: RulesTable = {
    (_GROUP, "validatingwebhookconfigurations"): Rules(
        _create(mutating=False),
        _update(mutating=False),
        update_is_whole=True,
        whole_looks=1,
        update_looks=0,
        plain_finalizers=True,
    ),
    (_GROUP, "mutatingwebhookconfigurations"): Rules(
        _create(mutating=True),
        _update(mutating=True),
        update_is_whole=True,
        whole_looks=1,
        update_looks=0,
        plain_finalizers=True,
    ),
}
