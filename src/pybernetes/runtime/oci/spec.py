"""The config.json of a container."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from pybernetes.cri import types as t
from pybernetes.runtime.oci.devices import build_devices
from pybernetes.runtime.oci.mounts import Around, build_mapping, build_mounts
from pybernetes.runtime.oci.process import ImageDefaults, build_process, security_of
from pybernetes.runtime.oci.resources import build_resources
from pybernetes.runtime.oci.users import User

_MASKED = """
/proc/asound /proc/acpi /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats
/proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap
"""
MASKED = _MASKED.split()
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


class SandboxPaths(Struct, frozen=True):
    """What a sandbox lends its containers.

    `namespaces`: OCI namespace type to the file it is pinned on, for those that are shared. `files`: paths in a
    container to what is bound there.
    """

    hostname: str
    namespaces: dict[str, str]
    files: dict[str, Path]


class Parts(Struct, frozen=True):
    """All that a spec is made of. `pid_namespace` is the path of one to join, or empty.

    `users` are the ids of the sandbox's user namespace, if it has one. `ends_as_one`: of a container that is out of memory
    all processes are killed (cgroup v2), as the kubelet asks for by default (`singleProcessOOMKill`).
    """

    config: t.ContainerConfig
    image: ImageDefaults
    user: User
    rootfs: Path
    cgroup: str
    sandbox: SandboxPaths
    pid_namespace: str = ""
    seccomp: dict[str, Any] | None = None
    users: t.UserNamespace | None = None
    ends_as_one: bool = False


def build_spec(parts: Parts) -> dict[str, Any]:
    """An OCI runtime spec 1.0 configuration, for the builtin launcher, runc and crun alike. Raises InvalidError."""
    config = parts.config
    context = security_of(config)
    nodes, rules = build_devices(config.devices, context.privileged)
    given = config.linux.resources if config.linux else None
    linux: dict[str, Any] = {
        "cgroupsPath": parts.cgroup,
        "namespaces": _namespaces(context, parts),
        "devices": nodes,
        "resources": _resources(given, parts.ends_as_one) | {"devices": rules},
        "rootfsPropagation": _root_propagation(config.mounts),
        **_hidden(config, context),
    }
    if parts.users is not None:
        linux["uidMappings"], linux["gidMappings"] = build_mapping(parts.users.uids), build_mapping(parts.users.gids)
    if parts.seccomp is not None:
        linux["seccomp"] = parts.seccomp
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(parts.rootfs), "readonly": context.readonly_rootfs},
        "process": build_process(config, parts.image, parts.user, parts.sandbox.hostname),
        "mounts": build_mounts(
            config.mounts, Around(parts.sandbox.files, context.privileged, context.readonly_rootfs, parts.users)
        ),
        "linux": linux,
    }


def _resources(given: t.LinuxContainerResources | None, ends_as_one: bool) -> dict[str, Any]:
    resources = build_resources(given)
    if ends_as_one:
        resources["unified"] = {"memory.oom.group": "1", **resources.get("unified", {})}
    return resources


def _namespaces(context: t.LinuxContainerSecurityContext, parts: Parts) -> list[dict[str, str]]:
    """Own mounts and cgroup view, the sandbox's network, IPC and host name; processes as the pod says."""
    modes = context.namespace_options or t.NamespaceOption(pid=t.NamespaceMode.CONTAINER)
    namespaces = [{"type": "mount"}, {"type": "cgroup"}]
    namespaces += [{"type": kind, "path": path} for kind, path in parts.sandbox.namespaces.items() if kind != "pid"]
    if parts.pid_namespace:
        namespaces.append({"type": "pid", "path": parts.pid_namespace})
    elif modes.pid != t.NamespaceMode.NODE:
        namespaces.append({"type": "pid"})
    return namespaces


def _root_propagation(mounts: list[t.Mount]) -> str:
    asked = {mount.propagation for mount in mounts}
    if t.MountPropagation.PROPAGATION_BIDIRECTIONAL in asked:
        return "rshared"
    return "rslave" if t.MountPropagation.PROPAGATION_HOST_TO_CONTAINER in asked else "rprivate"


def _hidden(config: t.ContainerConfig, context: t.LinuxContainerSecurityContext) -> dict[str, list[str]]:
    if context.privileged:
        return {}
    if config.linux is None or config.linux.security_context is None:
        return {"maskedPaths": MASKED, "readonlyPaths": READONLY}
    return {"maskedPaths": context.masked_paths, "readonlyPaths": context.readonly_paths}
