"""The mounts of one container attempt: its volumes, /etc/hosts and the termination log. Blocking file work."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.containers.config import TERMINATION_LOG
from pybernetes.kubelet.containers.expansion import UnknownVariableError, expand_strictly
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.podspec import AnyContainer
from pybernetes.kubelet.volumes import hostpath, subpath
from pybernetes.kubelet.volumes.files import VolumeError

PROPAGATION = {
    "None": t.MountPropagation.PROPAGATION_PRIVATE,
    "HostToContainer": t.MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": t.MountPropagation.PROPAGATION_BIDIRECTIONAL,
}
HOSTS = "/etc/hosts"


class ContainerFiles(Struct, frozen=True):
    """Where the files of one attempt live, the content of its /etc/hosts, the volumes that are read-only or images."""

    pod_directory: Path
    attempt: int
    hosts: str
    read_only: frozenset[str] = frozenset()
    images: Mapping[str, t.ImageSpec] = field(default_factory=dict)


def container_mounts(
    container: AnyContainer, volumes: Mapping[str, Path], variables: Mapping[str, str], files: ContainerFiles
) -> tuple[list[t.Mount], str]:
    """All mounts, and the host path of the termination log. Raises ConfigError. Blocking."""
    mounts = [
        _volume_mount(container, index, mount, volumes, variables, files)
        for index, mount in enumerate(container.volume_mounts)
    ]
    paths = {os.path.normpath(mount.mount_path) for mount in container.volume_mounts}
    if HOSTS not in paths:
        mounts.append(t.Mount(container_path=HOSTS, host_path=str(_write_hosts(files))))
    log = _make_termination_log(container, files)
    mounts.append(t.Mount(container_path=container.termination_message_path or TERMINATION_LOG, host_path=str(log)))
    return mounts, str(log)


def container_devices(
    container: AnyContainer, volumes: Mapping[str, Path], read_only: frozenset[str]
) -> list[t.Device]:
    """The volumes that the container has as devices. Raises ConfigError."""
    found = []
    for device in container.volume_devices:
        path = volumes.get(device.name)
        if path is None:
            raise ConfigError(f'cannot find volume "{device.name}" to pass into container "{container.name}"')
        permissions = "r" if device.name in read_only else "mrw"
        found.append(t.Device(container_path=device.device_path, host_path=str(path), permissions=permissions))
    return found


def _volume_mount(
    container: AnyContainer,
    index: int,
    mount: v1.VolumeMount,
    volumes: Mapping[str, Path],
    variables: Mapping[str, str],
    files: ContainerFiles,
) -> t.Mount:
    if image := files.images.get(mount.name):
        part = _sub_path(mount, variables)
        return t.Mount(container_path=_container_path(mount), readonly=True, image=image, image_sub_path=part)
    path = volumes.get(mount.name)
    if path is None:
        raise ConfigError(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
    if part := _sub_path(mount, variables):
        target = files.pod_directory / "volume-subpaths" / mount.name / container.name / str(index)
        try:
            path = subpath.bind(path, part, target)
        except VolumeError as error:
            message = f'failed to prepare subPath for volumeMount "{mount.name}" of container "{container.name}"'
            raise ConfigError(f"{message}: {error}") from error
    elif not path.exists():
        # A hostPath without a type: the runtime's bind mount needs something there, and a directory is what Docker made.
        hostpath.make_directory(path)
    return t.Mount(
        container_path=_container_path(mount),
        host_path=str(path),
        readonly=bool(mount.read_only) or mount.name in files.read_only,
        propagation=PROPAGATION[mount.mount_propagation or "None"],
        recursive_read_only=mount.recursive_read_only in ("Enabled", "IfPossible"),
    )


def _container_path(mount: v1.VolumeMount) -> str:
    return mount.mount_path if mount.mount_path.startswith("/") else f"/{mount.mount_path}"


def _sub_path(mount: v1.VolumeMount, variables: Mapping[str, str]) -> str:
    if not mount.sub_path_expr:
        return mount.sub_path or ""
    try:
        expanded = expand_strictly(mount.sub_path_expr, variables)
    except UnknownVariableError as error:
        raise ConfigError(str(error)) from error
    if expanded.startswith("/") or ".." in expanded.split("/"):
        raise ConfigError(f"error SubPath `{expanded}` must not be an absolute path or contain '..'")
    return expanded


def _write_hosts(files: ContainerFiles) -> Path:
    """One file for all containers of the pod, kept in place: a running container has it mounted, and may write it."""
    path = files.pod_directory / "etc-hosts"
    wanted = files.hosts.encode()
    if not path.exists() or path.stat().st_size != len(wanted) or path.read_bytes() != wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wanted)
        path.chmod(0o644)
    return path


def _make_termination_log(container: AnyContainer, files: ContainerFiles) -> Path:
    """Empty, and writable by whatever user the container runs as."""
    path = files.pod_directory / "containers" / container.name / str(files.attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    path.chmod(0o666)
    return path
