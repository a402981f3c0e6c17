"""Mounts and block devices of containers."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.pod.paths import descending_path, no_backsteps

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(container: Tree, volumes: dict[str, Tree], path: Path) -> Errors:
    devices = container.get("volumeDevices") or ()
    device_names = {device.get("name") for device in devices}
    device_paths = {device.get("devicePath") for device in devices}
    taken: set[str] = set()
    for index, mount in enumerate(container["volumeMounts"]):
        at = path.index(index)
        name, target = mount["name"], mount["mountPath"]
        if not name:
            yield field.required(at.child("name"))
        if name not in volumes:
            yield field.not_found(at.child("name"), name)
        if not target:
            yield field.required(at.child("mountPath"))
        if target in taken:
            yield field.invalid(at.child("mountPath"), target, "must be unique")
        taken.add(target)
        if name in device_names:
            yield field.invalid(at.child("name"), name, "must not already exist in volumeDevices")
        if target in device_paths:
            yield field.invalid(at.child("mountPath"), target, "must not already exist as a path in volumeDevices")
        yield from _validate_sub_path(mount, at, path)
        yield from _validate_propagation(mount, container, path.child("mountPropagation"))
        yield from _validate_recursive_read_only(mount, path)


def _validate_sub_path(mount: Tree, at: Path, path: Path) -> Errors:
    """Upstream names these two without the index of their mount."""
    sub_path, expression = mount.get("subPath"), mount.get("subPathExpr")
    if sub_path:
        yield from descending_path(sub_path, path.child("subPath"))
    if expression:
        if sub_path:
            detail = "subPathExpr and subPath are mutually exclusive"
            yield field.invalid(at.child("subPathExpr"), expression, detail)
        yield from descending_path(expression, path.child("subPathExpr"))


def _validate_propagation(mount: Tree, container: Tree, path: Path) -> Errors:
    propagation = mount.get("mountPropagation")
    if propagation is None:
        return
    if propagation not in _PROPAGATIONS:
        yield field.not_supported(path, propagation, _PROPAGATIONS)
    elif propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        yield field.forbidden(path, "Bidirectional mount propagation is available only to privileged containers")


def _validate_recursive_read_only(mount: Tree, path: Path) -> Errors:
    """Named without the index, too."""
    mode = mount.get("recursiveReadOnly")
    if mode is None or mode == "Disabled":
        return
    at = path.child("recursiveReadOnly")
    if mode not in _RECURSIVE:
        yield field.not_supported(at, mode, _RECURSIVE)
        return
    if not mount.get("readOnly"):
        yield field.forbidden(at, "may only be specified when readOnly is true")
    if mount.get("mountPropagation") not in (None, "None"):
        yield field.forbidden(at, "may only be specified when mountPropagation is None or not specified")


def validate_devices(container: Tree, volumes: dict[str, Tree], path: Path) -> Errors:
    mounts = container.get("volumeMounts") or ()
    mount_names = {mount["name"] for mount in mounts}
    mount_paths = {mount["mountPath"] for mount in mounts}
    taken_names: set[str] = set()
    taken_paths: set[str] = set()
    for index, device in enumerate(container["volumeDevices"]):
        at = path.index(index)
        name, target = device["name"], device["devicePath"]
        if not name:
            yield field.required(at.child("name"))
        if name in taken_names:
            yield field.invalid(at.child("name"), name, "must be unique")
        if not target:
            yield field.required(at.child("devicePath"))
        if target in taken_paths:
            yield field.invalid(at.child("devicePath"), target, "must be unique")
        if target:
            yield from no_backsteps(target, at.child("devicePath"))
        if name not in volumes:
            yield field.not_found(at.child("name"), name)
        elif not (volumes[name].get("persistentVolumeClaim") or volumes[name].get("ephemeral")):
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            yield field.invalid(at.child("name"), name, detail)
        if target in mount_paths:
            yield field.invalid(at.child("devicePath"), target, "must not already exist as a path in volumeMounts")
        if name in mount_names:
            yield field.invalid(at.child("name"), name, "must not already exist in volumeMounts")
        taken_names.add(name)
        taken_paths.add(target)
