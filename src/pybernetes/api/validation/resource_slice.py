"""Slices of the devices of a pool (KEP-4381)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable
from pybernetes.api.validation.device_capacity import validate_request_policy
from pybernetes.api.validation.device_form import shown_attribute, shown_node_terms
from pybernetes.api.validation.devices import (
    GROUP,
    SPEC,
    binding_conditions,
    each,
    each_once,
    effect,
    label,
    label_key,
    label_value,
    pool_name,
    qualified_name,
)
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.pod.scheduling import validate_node_selector
from pybernetes.api.validation.pod.volumes import validate_driver_name

_MAX_DEVICES, _MAX_ADVANCED_DEVICES = 128, 64
_MAX_ATTRIBUTES, _MAX_TAINTS, _MAX_VALUE, _MAX_SETS, _MAX_COUNTERS, _MAX_CONSUMED = 32, 16, 64, 8, 32, 2
_MAX_SHOWN_KEY, _MAX_SHOWN_COUNTER = 63 + 1 + 32, 63
_VALUES: Final = ("int", "bool", "string", "version")
_PLACES: Final = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_DEVICE_PLACES: Final = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)
_NUMBER, _PRERELEASE, _BUILD = r"(0|[1-9]\d*)", r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)", "[0-9a-zA-Z-]+"
_VERSION: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRERELEASE}(\.{_PRERELEASE})*)?(\+{_BUILD}(\.{_BUILD})*)?", re.ASCII
)


def _create(resource_slice: Tree) -> Errors:
    yield from _validate_spec(resource_slice["spec"], {})


def _update(new: Tree, old: Tree) -> Errors:
    spec, before = new["spec"], old["spec"]
    yield from _validate_spec(spec, before)
    yield from immutable(spec["pool"].get("name"), before["pool"].get("name"), SPEC.child("pool", "name"))
    yield from immutable(spec.get("driver"), before.get("driver"), SPEC.child("driver"))
    yield from immutable(spec.get("nodeName"), before.get("nodeName"), SPEC.child("nodeName"))


def _validate_spec(spec: Tree, old: Tree) -> Errors:
    yield from validate_driver_name(spec.get("driver") or "", SPEC.child("driver"))
    yield from _validate_pool(spec.get("pool") or {}, SPEC.child("pool"))
    yield from _validate_places(spec)
    devices, counters = spec.get("devices"), spec.get("sharedCounters")
    if devices is not None and counters is not None:
        yield field.invalid(SPEC, "", "only one of `sharedCounters` or `devices` is allowed")
    advanced = any(device.get("taints") or device.get("consumesCounters") for device in devices or ())
    most = _MAX_ADVANCED_DEVICES if advanced else _MAX_DEVICES
    known = {device.get("name") or "": device for device in old.get("devices") or ()}
    check = partial(_device, known, bool(spec.get("perDeviceNodeSelection")))
    yield from each_once(devices, SPEC.child("devices"), most, check, _name)
    yield from each_once(counters, SPEC.child("sharedCounters"), _MAX_SETS, _counter_set, _name)


def _name(named: Tree) -> str:
    return named.get("name") or ""


def _validate_pool(pool: Tree, path: Path) -> Errors:
    yield from pool_name(_name(pool), path.child("name"))
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        yield field.invalid(path.child("resourceSliceCount"), count, "must be greater than zero")
    if generation < 0:
        yield field.invalid(path.child("generation"), generation, "must be greater than or equal to zero")


def _validate_places(spec: Tree) -> Errors:
    """Where the devices can be reached from: one of four ways to say it."""
    told: list[str] = []
    yield from _validate_node_name(spec, SPEC, "must be either unset or set to a non-empty string", told)
    selector = spec.get("nodeSelector")
    if selector is not None:
        told.append("`nodeSelector`")
        path, terms = SPEC.child("nodeSelector"), selector.get("nodeSelectorTerms")
        yield from validate_node_selector(selector, path)
        if len(terms or ()) != 1:
            detail = "must have exactly one node selector term"
            yield field.invalid(path.child("nodeSelectorTerms"), shown_node_terms(terms), detail)
    yield from _validate_switch(spec, SPEC, "allNodes", told)
    yield from _validate_switch(spec, SPEC, "perDeviceNodeSelection", told)
    if not told:
        yield field.required(SPEC, _PLACES)
    elif len(told) > 1:
        yield field.invalid(SPEC, f"{{{', '.join(told)}}}", f"{_PLACES}, but multiple fields are set")


def _validate_node_name(tree: Tree, path: Path, empty: str, told: list[str]) -> Errors:
    """Adds to `told` what says where."""
    name = tree.get("nodeName")
    if name:
        told.append("`nodeName`")
        yield from complain(path.child("nodeName"), name, names.dns1123_subdomain(name))
    elif name is not None:
        yield field.invalid(path.child("nodeName"), name, empty)


def _validate_switch(tree: Tree, path: Path, name: str, told: list[str]) -> Errors:
    if tree.get(name):
        told.append(f"`{name}`")
    elif tree.get(name) is not None:
        yield field.invalid(path.child(name), False, "must be either unset or set to true")


def _device(known: dict[str, Tree], placed: bool, device: Tree, path: Path) -> Errors:
    """`placed`: whether each device tells where it can be reached from."""
    yield from label(_name(device), path.child("name"))
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    if len(attributes) + len(capacity) > _MAX_ATTRIBUTES:
        detail = f"the total number of attributes and capacities must not exceed {_MAX_ATTRIBUTES}"
        yield field.invalid(path, len(attributes) + len(capacity), detail)
    yield from _each_entry(attributes, path.child("attributes"), _MAX_SHOWN_KEY, qualified_name, _attribute)
    shared = partial(_capacity, bool(device.get("allowMultipleAllocations")))
    yield from _each_entry(capacity, path.child("capacity"), _MAX_SHOWN_KEY, qualified_name, shared)
    # What is in force stays so.
    if known.get(_name(device), {}).get("taints") != device.get("taints"):
        yield from each(device.get("taints"), path.child("taints"), _MAX_TAINTS, _taint)
    yield from each_once(
        device.get("consumesCounters"), path.child("consumesCounters"), _MAX_CONSUMED, _consumption,
        lambda consumed: consumed.get("counterSet") or "",
    )  # fmt: skip
    yield from _validate_device_places(device, placed, path)
    yield from binding_conditions(device, path)


def _validate_device_places(device: Tree, placed: bool, path: Path) -> Errors:
    if not placed:
        if any(device.get(name) is not None for name in ("nodeName", "nodeSelector", "allNodes")):
            detail = (
                "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true "
                "in the ResourceSlice spec"
            )
            yield field.invalid(path, None, detail)
        return
    told: list[str] = []
    yield from _validate_node_name(device, path, "must not be empty", told)
    if device.get("nodeSelector") is not None:
        told.append("`nodeSelector`")
        yield from validate_node_selector(device["nodeSelector"], path.child("nodeSelector"))
    yield from _validate_switch(device, path, "allNodes", told)
    if not told:
        yield field.required(path, _DEVICE_PLACES)
    elif len(told) > 1:
        yield field.invalid(path, f"{{{', '.join(told)}}}", _DEVICE_PLACES)


def _each_entry(
    entries: dict[str, Any],
    path: Path,
    most_shown: int,
    check_key: Callable[[str, Path], Errors],
    check: Callable[[Tree, Path], Errors],
) -> Errors:
    for key, value in entries.items():
        yield from check_key(key, path)
        yield from check(value or {}, path.key(_shortened(key, most_shown)))


def _shortened(key: str, most: int) -> str:
    """A long key without its middle."""
    if len(key) <= most:
        return key
    left = most - 3
    return f"{key[: (left + 1) // 2]}...{key[len(key) - left // 2 :]}"


def _attribute(attribute: Tree, path: Path) -> Errors:
    """One value of four types."""
    told = [name for name in _VALUES if attribute.get(name) is not None]
    if len(told) != 1:
        yield field.invalid(path, shown_attribute(attribute) if told else "", "exactly one value must be specified")
    version = attribute.get("version")
    if version is not None and not _VERSION.fullmatch(version):
        yield field.invalid(path.child("version"), version, "must be a string compatible with semver.org spec 2.0.0")
    for name in ("string", "version"):
        if len((attribute.get(name) or "").encode()) > _MAX_VALUE:
            yield field.too_long(path.child(name), _MAX_VALUE)


def _capacity(shared: bool, capacity: Tree, path: Path) -> Errors:
    policy = capacity.get("requestPolicy")
    if policy is None:
        return
    if shared:
        yield from validate_request_policy(capacity.get("value") or "0", policy, path.child("requestPolicy"))
    else:
        yield field.forbidden(path.child("requestPolicy"), "allowMultipleAllocations must be true")


def _taint(taint: Tree, path: Path) -> Errors:
    yield from label_key(taint.get("key") or "", path.child("key"))
    yield from label_value(taint.get("value") or "", path.child("value"))
    if not taint.get("effect"):
        yield field.required(path.child("effect"))
    yield from effect(taint.get("effect") or "", path.child("effect"))


def _counter_set(counter_set: Tree, path: Path) -> Errors:
    yield from _counters(counter_set, "name", path)


def _consumption(consumption: Tree, path: Path) -> Errors:
    yield from _counters(consumption, "counterSet", path)


def _counters(tree: Tree, named: str, path: Path) -> Errors:
    """Counters of a set, whose name is in the field `named`."""
    if tree.get(named):
        yield from label(tree[named], path.child(named))
    else:
        yield field.required(path.child(named))
    counters, at = tree.get("counters") or {}, path.child("counters")
    if not counters:
        yield field.required(at)
    elif len(counters) > _MAX_COUNTERS:
        yield field.too_many(at, len(counters), _MAX_COUNTERS)
    else:
        for key in counters:
            yield from label(key, at)


RULES: RulesTable = {(GROUP, "resourceslices"): Rules(_create, _update, update_is_whole=True)}
