"""Security contexts of pods and containers."""

from __future__ import annotations

import re

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.sysctls import namespace_of, normal
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import MAX_INT32
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.pod.internal_form import shown_struct
from pybernetes.api.validation.pod.paths import descending_path

_SYSCTL_PATTERN = r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"  # as messages show it
_SYSCTL = re.compile(r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")
_HOST_NAMESPACES = {"Net": "hostNetwork", "IPC": "hostIPC"}
"""Whose settings a pod shares with the machine, if it has this field."""
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_MAX_PATH = 4095
_ID_RANGE = f"must be between 0 and {MAX_INT32}, inclusive"


def _validate_ids(context: Tree, path: Path, *fields: str) -> Errors:
    for name in fields:
        value = context.get(name)
        if value is not None and not 0 <= value <= MAX_INT32:
            yield field.invalid(path.child(name), value, _ID_RANGE)


def validate_pod_security_context(context: Tree, spec: Tree, path: Path) -> Errors:
    yield from _validate_ids(context, path, "fsGroup", "runAsUser", "runAsGroup")
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group <= MAX_INT32:
            yield field.invalid(path.child("supplementalGroups").index(index), group, _ID_RANGE)
    if context.get("supplementalGroupsPolicy") not in (None, "Merge", "Strict"):
        value = context["supplementalGroupsPolicy"]
        yield field.not_supported(path.child("supplementalGroupsPolicy"), value, ("Merge", "Strict"))
    if context.get("seLinuxChangePolicy") not in (None, "Recursive"):
        value = context["seLinuxChangePolicy"]
        yield field.not_supported(path.child("seLinuxChangePolicy"), value, ("Recursive",))
    yield from _validate_sysctls(context.get("sysctls") or [], spec, path.child("sysctls"))
    if context.get("fsGroupChangePolicy") not in (None, "Always", "OnRootMismatch"):
        value = context["fsGroupChangePolicy"]
        yield field.not_supported(path.child("fsGroupChangePolicy"), value, ("Always", "OnRootMismatch"))
    yield from _validate_seccomp(context.get("seccompProfile"), path.child("seccompProfile"))
    yield from _validate_app_armor(context.get("appArmorProfile"), path.child("appArmorProfile"))


def validate_host_namespaces(spec: Tree, path: Path) -> Errors:
    """Combinations of namespaces that exclude each other."""
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield field.invalid(path.child("shareProcessNamespace"), True, detail)
    if spec.get("hostUsers") is False:
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(name):
                yield field.forbidden(path.child(name), "when `hostUsers` is false")
    if spec.get("hostNetwork"):
        yield from _validate_host_network_ports(spec, path)


def _validate_host_network_ports(spec: Tree, path: Path) -> Errors:
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            for number, port in enumerate(container.get("ports") or ()):
                if port.get("hostPort") and port["hostPort"] != port["containerPort"]:
                    at = path.child(kind).index(index).child("ports").index(number).child("containerPort")
                    detail = "must match `hostPort` when `hostNetwork` is true"
                    yield field.invalid(at, port["containerPort"], detail)


def _validate_sysctls(sysctls: list[Tree], spec: Tree, path: Path) -> Errors:
    taken: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        at = path.index(index).child("name")
        name = sysctl["name"]
        if not name:
            yield field.required(at)
        elif len(name) > 253 or not _SYSCTL.fullmatch(name):
            detail = f"must have at most 253 characters and match regex ^{_SYSCTL_PATTERN}$"
            yield field.invalid(at, name, detail)
        elif name in taken:
            yield field.duplicate(at, name)
        elif (shared := _HOST_NAMESPACES.get(namespace_of(normal(name)))) and spec.get(shared):
            yield field.invalid(at, name, f"may not be specified when '{shared}' is true")
        taken.add(name)


def _validate_profile_type(kind: str, path: Path, profile: str) -> Errors:
    if not kind:
        yield field.required(path.child("type"), f"type is required when {profile} is set")
    elif kind not in _PROFILES:
        yield field.not_supported(path.child("type"), kind, _PROFILES)


def _validate_seccomp(profile: Tree | None, path: Path) -> Errors:
    if profile is None:
        return
    kind, local, at = profile.get("type", ""), profile.get("localhostProfile"), path.child("localhostProfile")
    yield from _validate_profile_type(kind, path, "seccompProfile")
    if kind != "Localhost" and local is not None:
        shown = {"Type": kind, "LocalhostProfile": local}
        yield field.invalid(at, shown, "can only be set when seccomp type is Localhost")
    elif kind == "Localhost" and local is None:
        yield field.required(at, "must be set when seccomp type is Localhost")
    elif local is not None:
        yield from descending_path(local, at)


def _validate_app_armor(profile: Tree | None, path: Path) -> Errors:
    if profile is None:
        return
    kind, local, at = profile.get("type", ""), profile.get("localhostProfile"), path.child("localhostProfile")
    yield from _validate_profile_type(kind, path, "appArmorProfile")
    if kind in ("RuntimeDefault", "Unconfined") and local is not None:
        yield field.invalid(at, local, "can only be set when AppArmor type is Localhost")
    if kind != "Localhost":
        return
    if local is not None and local != local.strip():
        yield field.invalid(at, local, "must not be padded with whitespace")
    elif not local:
        yield field.required(at, "must be set when AppArmor type is Localhost")
    if local is not None and len(local.encode()) > _MAX_PATH:
        yield field.too_long(at, _MAX_PATH)


def validate_security_context(context: Tree, spec: Tree, path: Path) -> Errors:
    yield from _validate_ids(context, path, "runAsUser", "runAsGroup")
    mount = context.get("procMount")
    if mount is not None and mount not in ("Default", "Unmasked"):
        yield field.not_supported(path.child("procMount"), mount, ("Default", "Unmasked"))
    if mount == "Unmasked" and spec.get("hostUsers") is not False:
        yield field.invalid(path.child("procMount"), mount, "`hostUsers` must be false to use `Unmasked`")
    yield from _validate_seccomp(context.get("seccompProfile"), path.child("seccompProfile"))
    yield from _validate_app_armor(context.get("appArmorProfile"), path.child("appArmorProfile"))
    if context.get("allowPrivilegeEscalation") is False:
        yield from _validate_no_escalation(context, path)


def _validate_no_escalation(context: Tree, path: Path) -> Errors:
    shown = shown_struct(context, "SecurityContext")
    capabilities = context.get("capabilities") or {}
    if context.get("privileged"):
        detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        yield field.invalid(path, shown, detail)
    if "CAP_SYS_ADMIN" in (capabilities.get("add") or ()):
        detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
        yield field.invalid(path, shown, detail)
