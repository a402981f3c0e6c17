"""One volume of a pod, by its type."""

import os
import stat
from pathlib import Path

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.cgroups import pod_limit
from pybernetes.kubelet.volumes import (
    atomic,
    claim,
    configmap,
    downward,
    emptydir,
    hostpath,
    ownership,
    projected,
    secret,
)
from pybernetes.kubelet.volumes.context import VolumeContext
from pybernetes.kubelet.volumes.files import Files, VolumeError


def is_refreshed(volume: v1.Volume) -> bool:
    """Whether its content follows objects of the API."""
    return bool(volume.config_map or volume.secret or volume.projected or volume.downward_api)


def is_followed(volume: v1.Volume) -> bool:
    """Whether something is to be done about it while its pod runs: its content follows the API, or a driver may want it."""
    return is_refreshed(volume) or bool(volume.persistent_volume_claim or volume.ephemeral or volume.csi)


def is_read_only(volume: v1.Volume) -> bool:
    """Whether no container may write it: what the kubelet replaces, a pod could else lead elsewhere by its links."""
    claim = volume.persistent_volume_claim
    return is_refreshed(volume) or bool(claim and claim.read_only)


def plugin_name(volume: v1.Volume) -> str:
    """Upstream's name of who sets the volume up; of claims the kind of volume behind is not known here."""
    kind = _type_of(volume)
    return f"kubernetes.io/{_PLUGINS.get(kind, kind)}"


_PLUGINS = {
    "configMap": "configmap",
    "downwardAPI": "downward-api",
    "emptyDir": "empty-dir",
    "ephemeral": "persistentvolumeclaim",
    "hostPath": "host-path",
    "persistentVolumeClaim": "persistentvolumeclaim",
}


def is_of_runtime(volume: v1.Volume) -> bool:
    """Whether the runtime mounts it, so that nothing of it lies on the node."""
    return volume.image is not None


async def set_up(context: VolumeContext, volume: v1.Volume) -> Path:
    """The volume's path on the node, ready to be mounted. Safe to repeat: that is also how it is refreshed.

    Raises VolumeError.
    """
    if is_refreshed(volume):
        return await _set_up_files(context, volume)
    threads = context.doors.threads
    if volume.empty_dir:
        path = context.volume_path("empty-dir", volume.name)
        await threads.run(emptydir.set_up, path, volume.empty_dir, pod_limit(context.pod, "memory"))
        await _own(context, path)
        return path
    if volume.host_path:
        return await threads.run(hostpath.set_up, volume.host_path, context.doors.root)
    if name := claim.claim_name(context.pod, volume):
        found = await claim.set_up(context, volume, name)
        if not found.is_raw:
            await _own(context, found.path)
        return found.path
    if volume.csi and context.doors.csi is not None:
        made = await context.doors.csi.set_up_inline(context.pod, volume.name, volume.csi)
        if made.republish:
            context.republished.add(volume.name)
        return made.path
    raise VolumeError(f"volume type {_type_of(volume)} is not supported on this node")


async def _set_up_files(context: VolumeContext, volume: v1.Volume) -> Path:
    plugin, files, in_memory = await _files(context, volume)
    path = context.volume_path(plugin, volume.name)
    await context.doors.threads.run(_write, path, files, context.fs_group, in_memory)
    return path


async def _files(context: VolumeContext, volume: v1.Volume) -> tuple[str, Files, bool]:
    """Plugin name, content, and whether it may never reach a disk."""
    if source := volume.config_map:
        mode = configmap.DEFAULT_MODE if source.default_mode is None else source.default_mode
        return "configmap", await configmap.files(context, source, mode), False
    if given := volume.secret:
        mode = secret.DEFAULT_MODE if given.default_mode is None else given.default_mode
        name, optional = given.secret_name or "", bool(given.optional)
        return "secret", await secret.files(context, name, given.items, optional, mode), True
    if volume.projected:
        return "projected", await projected.files(context, volume.projected), True
    own = volume.downward_api or v1.DownwardAPIVolumeSource()
    mode = downward.DEFAULT_MODE if own.default_mode is None else own.default_mode
    return "downward-api", downward.files(context, own.items, mode), False


def _write(path: Path, files: Files, gid: int | None, in_memory: bool) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if in_memory:
        emptydir.mount_memory(path)
    if gid is not None:
        os.chown(path, -1, gid)
    mode = emptydir.MEMORY_MODE if in_memory else emptydir.MODE
    path.chmod(mode if gid is None else mode | stat.S_ISGID)
    atomic.write(path, files, gid)


async def _own(context: VolumeContext, path: Path) -> None:
    """fsGroup does not apply to a directory of the host that a pod names by itself."""
    gid = context.fs_group
    if gid is None:
        return
    shared = context.pod.spec.security_context
    only_on_mismatch = bool(shared and shared.fs_group_change_policy == "OnRootMismatch")

    def change() -> None:
        ownership.own(path, gid, only_on_mismatch=only_on_mismatch)

    await context.doors.threads.run(change)


def _type_of(volume: v1.Volume) -> str:
    given = msgspec.to_builtins(volume)
    return next((name for name in given if name != "name"), "unknown")
