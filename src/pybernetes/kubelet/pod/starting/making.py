"""What a container is made of, once its images are there: environment, files, devices, users."""

from pathlib import Path

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.containers.config import Prepared, container_config
from pybernetes.kubelet.containers.env import EnvSources, environment
from pybernetes.kubelet.containers.hosts import host_network_hosts_file, hosts_file
from pybernetes.kubelet.containers.mounts import ContainerFiles, container_devices, container_mounts
from pybernetes.kubelet.deviceplugins.allocator import Granted
from pybernetes.kubelet.deviceplugins.errors import DeviceError
from pybernetes.kubelet.dra.claims import has_claims
from pybernetes.kubelet.dra.errors import ClaimError
from pybernetes.kubelet.images.manager import ReadyImage
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.starting.start import Start
from pybernetes.kubelet.podspec import AnyContainer, uid_of
from pybernetes.kubelet.volumes import hostpath
from pybernetes.kubelet.volumes.podvolumes import PodVolumes
from pybernetes.kubelet.volumes.setup import is_read_only


class ContainerMaker:
    """Makes CRI's description of a container. Raises ConfigError where the pod asks for what is not there."""

    def __init__(self, doors: PodDoors, volumes: PodVolumes) -> None:
        self._doors, self._volumes = doors, volumes

    async def config(
        self, start: Start, image: ReadyImage, image_volumes: dict[str, t.ImageSpec], users: t.UserNamespace | None
    ) -> t.ContainerConfig:
        """`image_volumes`: volume name -> image, present; `users`: the ids that are the pod's own."""
        doors, pod, container = self._doors, start.pod, start.container
        ips = start.addresses or list(doors.host_ips)
        paths = dict(self._volumes.paths)
        granted = await self._granted(pod, container)
        sources = EnvSources(doors.objects, doors.services(), doors.allocatable, paths)
        variables = granted.variables | await environment(_seen_inside(pod, ips, doors.host_ips), container, sources)
        read_only = frozenset(volume.name for volume in pod.spec.volumes if is_read_only(volume))
        directory, hosts = doors.directory(uid_of(pod)), self._hosts(pod, ips)
        files = ContainerFiles(directory, start.action.attempt, hosts, read_only, image_volumes)
        mounts, log_file = await doors.threads.run(container_mounts, container, paths, variables, files)
        prepared = Prepared(
            attempt=start.action.attempt,
            image_ref=image.ref,
            image_user=image.user,
            variables=variables,
            mounts=[*granted.mounts, *mounts],
            devices=[*granted.devices, *container_devices(container, paths, read_only)],
            termination_log=log_file,
            memory_capacity=doors.memory_capacity,
            target_id=_target(start),
            cdi_names=[*granted.cdi_names, *await self._cdi_names(pod, container)],
            annotations=granted.annotations,
            users=users,
        )
        return container_config(pod, container, prepared)

    async def _granted(self, pod: v1.Pod, container: AnyContainer) -> Granted:
        try:
            granted = await self._doors.devices.granted(pod, container)
        except DeviceError as error:
            raise ConfigError(str(error)) from error
        for path in (Path(mount.host_path) for mount in granted.mounts):
            if not path.exists():  # as with hostPaths
                await self._doors.threads.run(hostpath.make_directory, path)
        return granted

    async def _cdi_names(self, pod: v1.Pod, container: AnyContainer) -> list[str]:
        """The devices of its claims. They are prepared once more if nobody knows of it any more."""
        claims = self._doors.claims
        try:
            if has_claims(pod) and not claims.are_prepared_for(uid_of(pod)):
                await claims.prepare(pod)
            return claims.cdi_names(pod, container)
        except ClaimError as error:
            raise ConfigError(str(error)) from error

    def _hosts(self, pod: v1.Pod, ips: list[str]) -> str:
        if pod.spec.host_network:
            return host_network_hosts_file(pod, Path("/etc/hosts").read_text())
        return hosts_file(pod, ips, self._doors.settings.dns.cluster_domain)


def _target(start: Start) -> str:
    """The container whose processes an ephemeral container is to see."""
    container = start.container
    if not isinstance(container, v1.EphemeralContainer) or not container.target_container_name:
        return ""
    target = start.observed.latest(container.target_container_name)
    if target is None or not target.is_running:
        raise ConfigError(f"unable to find target container {container.target_container_name}")
    return target.id


def _seen_inside(pod: v1.Pod, ips: list[str], host_ips: tuple[str, ...]) -> v1.Pod:
    """The pod as its containers see it: with the addresses that its status may not have yet."""
    own = list(host_ips) if pod.spec.host_network else ips
    status = msgspec.structs.replace(
        pod.status,
        pod_ip=own[0] if own else None,
        pod_ips=[v1.PodIP(ip=ip) for ip in own],
        host_ip=host_ips[0] if host_ips else None,
        host_ips=[v1.HostIP(ip=ip) for ip in host_ips],
    )
    return msgspec.structs.replace(pod, status=status)
