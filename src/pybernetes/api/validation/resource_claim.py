"""Claims of devices and templates of claims (KEP-4381)."""

from __future__ import annotations

from functools import partial
from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable, one_of
from pybernetes.api.validation.device_allocation import validate_status_update
from pybernetes.api.validation.device_form import shown_claim_spec, shown_claim_template
from pybernetes.api.validation.devices import (
    GROUP,
    MAX_CONFIG,
    MAX_REQUESTS,
    SPEC,
    Requests,
    configuration,
    each,
    each_once,
    effect,
    fully_qualified_name,
    label,
    label_key,
    label_value,
    requests_of,
    selectors,
    validate_references,
)
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain, validate_annotations, validate_labels

_MAX_CONSTRAINTS, _MAX_ALTERNATIVES = 32, 8
_MODES: Final = ("All", "ExactCount")
_ONE_OF_TWO: Final = "exactly one of `exactly` or `firstAvailable` is required"
_ONE_ATTRIBUTE: Final = (
    'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
)


def _claim(claim: Tree) -> Errors:
    yield from _validate_spec(claim["spec"], SPEC)


def _validate_spec(spec: Tree, path: Path) -> Errors:
    devices, at = spec.get("devices") or {}, path.child("devices")
    requests = requests_of(devices)
    yield from each_once(devices.get("requests"), at.child("requests"), MAX_REQUESTS, _request, _name)
    yield from each(
        devices.get("constraints"), at.child("constraints"), _MAX_CONSTRAINTS, partial(_constraint, requests)
    )
    yield from each(devices.get("config"), at.child("config"), MAX_CONFIG, partial(_config, requests))


def _name(named: Tree) -> str:
    return named.get("name") or ""


def _request(request: Tree, path: Path) -> Errors:
    yield from label(_name(request), path.child("name"))
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable")
    if exactly is None and not alternatives:
        yield field.required(path, _ONE_OF_TWO)
    elif exactly is not None and alternatives:
        yield field.invalid(path, None, f"{_ONE_OF_TWO}, but multiple fields are set")
    elif exactly is not None:
        yield from _exactly(exactly, path.child("exactly"))
    else:
        yield from each_once(alternatives, path.child("firstAvailable"), _MAX_ALTERNATIVES, _alternative, _name)


def _alternative(request: Tree, path: Path) -> Errors:
    yield from label(_name(request), path.child("name"))
    yield from _exactly(request, path)


def _exactly(request: Tree, path: Path) -> Errors:
    class_name = request.get("deviceClassName") or ""
    if class_name:
        yield from complain(path.child("deviceClassName"), class_name, names.dns1123_subdomain(class_name))
    else:
        yield field.required(path.child("deviceClassName"))
    yield from selectors(request.get("selectors"), path.child("selectors"))
    mode, count, at = request.get("allocationMode"), request.get("count") or 0, path.child("count")
    if mode == "All":
        if count:
            yield field.invalid(at, count, "must not be specified when allocationMode is 'All'")
    elif mode == "ExactCount":
        if count <= 0:
            yield field.invalid(at, count, "must be greater than zero")
    else:
        yield field.not_supported(path.child("allocationMode"), mode or "", _MODES)
    for index, toleration in enumerate(request.get("tolerations") or ()):
        yield from _toleration(toleration, path.child("tolerations").index(index))


def _toleration(toleration: Tree, path: Path) -> Errors:
    if toleration.get("key"):
        yield from label_key(toleration["key"], path.child("key"))
    operator, value = toleration.get("operator") or "", toleration.get("value") or ""
    if operator == "Exists":
        if value:
            yield field.invalid(path.child("value"), value, "must be empty for operator `Exists`")
    elif operator == "Equal":
        yield from label_value(value, path.child("value"))
    else:
        yield from one_of(operator, path.child("operator"), ("Equal", "Exists"))
    yield from effect(toleration.get("effect") or "", path.child("effect"))


def _constraint(requests: Requests, constraint: Tree, path: Path) -> Errors:
    yield from validate_references(requests, constraint, path)
    for name in ("matchAttribute", "distinctAttribute"):
        if constraint.get(name) is not None:
            yield from fully_qualified_name(constraint[name], path.child(name))
            return
    yield field.required(path, _ONE_ATTRIBUTE)


def _config(requests: Requests, config: Tree, path: Path) -> Errors:
    yield from validate_references(requests, config, path)
    yield from configuration(config, path)


def _update_claim(new: Tree, old: Tree) -> Errors:
    if new["spec"] != old["spec"]:
        yield from immutable(new["spec"], old["spec"], SPEC, shown_claim_spec(new["spec"]))


def _template(template: Tree) -> Errors:
    metadata, path = template["spec"].get("metadata") or {}, SPEC.child("metadata")
    yield from validate_labels(metadata.get("labels") or {}, path.child("labels"))
    yield from validate_annotations(metadata.get("annotations") or {}, path.child("annotations"))
    for name in metadata:
        if name not in ("labels", "annotations", "creationTimestamp") and metadata[name]:
            yield field.forbidden(path.child(name), "cannot be set")
    yield from _validate_spec(template["spec"].get("spec") or {}, SPEC.child("spec"))


def _update_template(new: Tree, old: Tree) -> Errors:
    if new["spec"] != old["spec"]:
        yield from immutable(new["spec"], old["spec"], SPEC, shown_claim_template(new["spec"]))


RULES: RulesTable = {
    (GROUP, "resourceclaims"): Rules(
        _claim, _update_claim, update_is_whole=True, subresources={"status": validate_status_update}, whole_looks=1
    ),
    (GROUP, "resourceclaimtemplates"): Rules(_template, _update_template, whole_looks=1),
}
