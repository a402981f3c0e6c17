"""What a claim's status tells: the devices that it got, who may use them, and what their drivers say of them."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import parse_cidr
from pybernetes.api.validation.common import duplicates, immutable, one_of, require
from pybernetes.api.validation.conditions import MAX_MESSAGE, MAX_REASON, REASON, REASON_COMPLAINT, STATUSES
from pybernetes.api.validation.device_form import shown_allocation
from pybernetes.api.validation.devices import (
    MAX_CONFIG,
    Requests,
    binding_conditions,
    configuration,
    each,
    each_once,
    label,
    label_key,
    pool_name,
    raw_object,
    requests_of,
    validate_reference,
    validate_references,
)
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.pod.scheduling import validate_node_selector
from pybernetes.api.validation.pod.volumes import validate_driver_name

_STATUS: Final = Path("status")
_MAX_RESULTS, _MAX_USERS, _MAX_CONDITIONS, _MAX_ADDRESSES = 32, 256, 8, 16
_MAX_INTERFACE, _MAX_HARDWARE = 256, 128
_UUID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NORMAL: Final = (
    "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` "
    "with lowercase hexadecimal characters"
)


def validate_status_update(new: Tree, old: Tree) -> Errors:
    """An allocation stays what it is until it is taken back, and nobody uses a claim that has none."""
    status, before = new.get("status") or {}, old.get("status") or {}
    users, allocation = status.get("reservedFor") or [], status.get("allocation")
    yield from each_once(users, _STATUS.child("reservedFor"), _MAX_USERS, _user, lambda user: user.get("uid") or "")
    if users and allocation is None:
        yield field.forbidden(_STATUS.child("reservedFor"), "may not be specified when `allocated` is not set")
    elif new["metadata"].get("deletionTimestamp") and any(user not in before.get("reservedFor", ()) for user in users):
        detail = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        yield field.forbidden(_STATUS.child("reservedFor"), detail)
    yield from _validate_devices(status.get("devices") or [], allocation or {})
    if allocation is not None:
        path = _STATUS.child("allocation")
        if before.get("allocation") is not None:
            yield from immutable(allocation, before["allocation"], path, shown_allocation(allocation))
        else:
            yield from _validate_allocation(allocation, path, requests_of(new["spec"].get("devices") or {}))


def _user(user: Tree, path: Path) -> Errors:
    yield from require(user, path, "resource", "name", "uid")


def _validate_allocation(allocation: Tree, path: Path, requests: Requests) -> Errors:
    devices, at = allocation.get("devices") or {}, path.child("devices")
    yield from each(devices.get("results"), at.child("results"), _MAX_RESULTS, partial(_result, requests))
    # Settings of classes and of the claim.
    yield from each(devices.get("config"), at.child("config"), 2 * MAX_CONFIG, partial(_config, requests))
    if allocation.get("nodeSelector") is not None:
        yield from validate_node_selector(allocation["nodeSelector"], path.child("nodeSelector"))


def _result(requests: Requests, result: Tree, path: Path) -> Errors:
    yield from validate_reference(requests, result.get("request") or "", path.child("request"))
    yield from _validate_device_name(result, path)
    yield from binding_conditions(result, path)


def _validate_device_name(named: Tree, path: Path) -> Errors:
    yield from validate_driver_name(named.get("driver") or "", path.child("driver"))
    yield from pool_name(named.get("pool") or "", path.child("pool"))
    yield from label(named.get("device") or "", path.child("device"))
    share, at = named.get("shareID"), path.child("shareID")
    if share is None or _UUID.fullmatch(share):
        return
    if _UUID.fullmatch(share.lower()):
        yield field.invalid(at, share, _NORMAL)
    else:
        wrong = "invalid UUID format" if len(share) == 36 else f"invalid UUID length: {len(share)}"
        yield field.invalid(at, share, f"error validating uid: {wrong}")


def _config(requests: Requests, config: Tree, path: Path) -> Errors:
    yield from one_of(config.get("source"), path.child("source"), ("FromClaim", "FromClass"))
    yield from validate_references(requests, config, path)
    yield from configuration(config, path)


def device_key(device: Tree) -> tuple[str, ...]:
    """Which device it is: driver, pool, name, and which share of it."""
    return tuple(device.get(name) or "" for name in ("driver", "pool", "device", "shareID"))


def _shown_key(key: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(("Driver", "Pool", "Device", "ShareID"), key, strict=True))


def _validate_devices(devices: list[Tree], allocation: Tree) -> Errors:
    path = _STATUS.child("devices")
    allocated = {device_key(result) for result in (allocation.get("devices") or {}).get("results") or ()}
    for index, device in enumerate(devices):
        at = path.index(index)
        yield from _validate_device_name(device, at)
        if device_key(device) not in allocated:
            yield field.invalid(at, _shown_key(device_key(device)), "must be an allocated device in the claim")
        yield from _validate_conditions(device.get("conditions") or [], at.child("conditions"))
        if device.get("data") is not None:
            yield from raw_object(device["data"], at.child("data"))
        yield from _validate_network(device.get("networkData") or {}, at.child("networkData"))
    for index, key in duplicates(map(device_key, devices)):
        yield field.duplicate(path.index(index), _shown_key(key))


def _validate_network(data: Tree, path: Path) -> Errors:
    for name, most in (("interfaceName", _MAX_INTERFACE), ("hardwareAddress", _MAX_HARDWARE)):
        if len((data.get(name) or "").encode()) > most:
            yield field.too_long(path.child(name), most)
    yield from each_once(data.get("ips"), path.child("ips"), _MAX_ADDRESSES, _interface_address, str)


def _interface_address(text: str, path: Path) -> Errors:
    if parse_cidr(text) is None:
        detail = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
        yield field.invalid(path, text, detail)


def _validate_conditions(conditions: list[Tree], path: Path) -> Errors:
    if len(conditions) > _MAX_CONDITIONS:
        yield field.too_many(path, len(conditions), _MAX_CONDITIONS)
    for index, kind in duplicates(condition.get("type") or "" for condition in conditions):
        yield field.duplicate(path.index(index).child("type"), kind)
    for index, condition in enumerate(conditions):
        yield from _validate_condition(condition, path.index(index))


def _validate_condition(condition: Tree, path: Path) -> Errors:
    """A `meta.v1.Condition`."""
    yield from label_key(condition.get("type") or "", path.child("type"))
    status: Any = condition.get("status") or ""
    if status not in STATUSES:
        yield field.not_supported(path.child("status"), status, STATUSES)
    if (condition.get("observedGeneration") or 0) < 0:
        generation = condition["observedGeneration"]
        yield field.invalid(path.child("observedGeneration"), generation, "must be greater than or equal to zero")
    yield from require(condition, path, "lastTransitionTime", "reason")
    reason = condition.get("reason") or ""
    if len(reason) > MAX_REASON:
        yield field.too_long(path.child("reason"), MAX_REASON)
    if reason and not re.fullmatch(REASON, reason):
        yield field.invalid(path.child("reason"), reason, REASON_COMPLAINT)
    if len(condition.get("message") or "") > MAX_MESSAGE:
        yield field.too_long(path.child("message"), MAX_MESSAGE)
