"""Acts that bring a pod up: its sandbox, its volumes, a container."""

import asyncio
import logging
from pathlib import Path

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.admission import FAILED
from pybernetes.kubelet.containers.config import Prepared, container_config
from pybernetes.kubelet.containers.env import EnvSources, environment
from pybernetes.kubelet.containers.hosts import host_network_hosts_file, hosts_file
from pybernetes.kubelet.containers.mounts import ContainerFiles, container_devices, container_mounts
from pybernetes.kubelet.containers.sandbox import log_directory, sandbox_config
from pybernetes.kubelet.counted import container_type
from pybernetes.kubelet.deviceplugins.allocator import Granted
from pybernetes.kubelet.deviceplugins.errors import DeviceError
from pybernetes.kubelet.dra.claims import has_claims
from pybernetes.kubelet.dra.errors import ClaimError
from pybernetes.kubelet.events import NORMAL, WARNING
from pybernetes.kubelet.images.manager import ImageError, ReadyImage, Wanted
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.observed import Observed
from pybernetes.kubelet.plan import RunSandbox, StartContainer, StopContainer, Waiting, backoff_key
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.memory import PodMemory
from pybernetes.kubelet.podspec import AnyContainer, container_of, grace_seconds, uid_of
from pybernetes.kubelet.probes.actions import Subject
from pybernetes.kubelet.probes.outcome import ActionError
from pybernetes.kubelet.status.context import Verdict
from pybernetes.kubelet.users import check_handler, user_namespace, wants_users
from pybernetes.kubelet.volumes import hostpath
from pybernetes.kubelet.volumes.podvolumes import PodVolumes, VolumeFailures
from pybernetes.kubelet.volumes.setup import is_read_only

log = logging.getLogger(__name__)


class StartFailed(Exception):
    """A container could not be brought to run; it has been told and will be tried again."""

    def __init__(self, waiting: Waiting, retry_after: float) -> None:
        super().__init__(waiting.message)
        self.waiting, self.retry_after = waiting, retry_after


class Starter:
    """Starts what a plan asks for. What fails is remembered and told; it never raises but for cancellation."""

    def __init__(self, doors: PodDoors, memory: PodMemory, volumes: PodVolumes) -> None:
        self._doors, self._memory, self._volumes = doors, memory, volumes
        self._failed_in = ""
        """The sandbox in which a container failed to start last: its pod counts once."""

    async def allocate(self, pod: v1.Pod) -> Verdict | None:
        """Devices of plugins for all containers; why the pod cannot run here, if it cannot have them."""
        try:
            await self._doors.devices.allocate(pod)
        except DeviceError as error:
            return Verdict("UnexpectedAdmissionError", f"{FAILED}Allocate failed due to {error}, which is unexpected")
        return None

    async def run_sandbox(self, pod: v1.Pod, action: RunSandbox, observed: Observed) -> None:
        """Stop what is left of the sandbox before, then create the next; volumes are set up meanwhile."""
        if action.changed:
            message = "Pod sandbox changed, it will be killed and re-created."
            self._doors.events.pod(pod, NORMAL, "SandboxChanged", message)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._set_up_volumes_early(pod))
            group.create_task(self._run_sandbox(pod, action, observed))

    async def _run_sandbox(self, pod: v1.Pod, action: RunSandbox, observed: Observed) -> None:
        doors, counted, mapped = self._doors, self._doors.counted, wants_users(pod)
        counted.pod_started(mapped=mapped)
        try:
            await doors.claims.prepare(pod)
        except ClaimError as error:
            counted.pod_failed(mapped=mapped)
            words = f"Failed to prepare dynamic resources: prepare dynamic resources: {error}"
            self._refuse_sandbox(pod, "FailedPrepareDynamicResources", words)
            return
        try:
            handler = doors.runtime_handler(pod.spec.runtime_class_name or "")
            if mapped:
                await check_handler(doors.runtime, handler)
            config = await self._config(pod, action.attempt)
            for old in observed.sandboxes:
                await doors.runtime.stop_pod_sandbox(old.id)
            await doors.threads.run(_make_directory, log_directory(pod, doors.settings.pod_logs))
            await self._make_sandbox(config, handler)
        except (CRIError, ConfigError) as error:
            counted.pod_failed(mapped=mapped)
            self._refuse_sandbox(pod, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            return
        self._memory.succeeded("")

    def _refuse_sandbox(self, pod: v1.Pod, reason: str, message: str) -> None:
        """Tell why there is none; it is tried again."""
        self._doors.events.pod(pod, WARNING, reason, message)
        waiting = Waiting("ContainerCreating", "")
        self._memory.failed("", waiting, self._now(), self._memory.next_delay("", 60.0))

    async def _make_sandbox(self, config: t.PodSandboxConfig, handler: str) -> None:
        counted, begun = self._doors.counted, self._doors.clock.monotonic()
        try:
            await self._doors.runtime.run_pod_sandbox(config, handler)
        except CRIError:
            counted.failed_sandbox.inc(handler)
            raise
        finally:
            counted.sandbox.observe(self._doors.clock.monotonic() - begun, handler)

    async def _config(self, pod: v1.Pod, attempt: int) -> t.PodSandboxConfig:
        known = self._memory.sandbox_config
        if known is None or known.metadata is None or known.metadata.attempt != attempt:
            users = await self._users(pod)
            known = self._memory.sandbox_config = sandbox_config(pod, attempt, self._doors.settings, users)
        return known

    async def _users(self, pod: v1.Pod) -> t.UserNamespace | None:
        """The ids that are the pod's own, if it does not have those of the node. Raises ConfigError."""
        if not wants_users(pod):
            return None
        return await self._doors.threads.run(user_namespace, self._doors.root / "pods", uid_of(pod))

    async def _set_up_volumes_early(self, pod: v1.Pod) -> None:
        try:
            await self._volumes.set_up(pod)
        except VolumeFailures as failures:
            log.debug("volumes not ready yet pod=%s error=%s", uid_of(pod), failures)

    async def start_container(self, pod: v1.Pod, action: StartContainer, observed: Observed) -> str | None:
        """Volumes, image, environment, create, start; the new container's id, None if it does not run."""
        container = container_of(pod, action.name)
        sandbox = observed.ready_sandbox
        if container is None or sandbox is None:
            return None
        kind, counted = container_type(pod, action.name), self._doors.counted
        counted.started_containers.inc(kind)
        try:
            container_id = await self._start(pod, container, action, observed, sandbox)
        except StartFailed as failure:
            counted.failed_containers.inc(kind, failure.waiting.reason)
            if wants_users(pod) and self._failed_in != sandbox.id:
                self._failed_in = sandbox.id
                counted.failed_mapped.inc()
            self._memory.failed(action.name, failure.waiting, self._now(), failure.retry_after)
            return None
        self._memory.succeeded(action.name)
        return container_id

    async def _start(
        self,
        pod: v1.Pod,
        container: AnyContainer,
        action: StartContainer,
        observed: Observed,
        sandbox: t.PodSandboxStatus,
    ) -> str:
        try:
            config = await self._config(pod, sandbox.metadata.attempt if sandbox.metadata else 0)
        except ConfigError as error:
            raise self._refused(pod, container, "CreateContainerConfigError", str(error)) from error
        await self._volumes_ready(pod)
        volumes = await self._image_volumes(pod, container, config)
        wanted = Wanted(container.image or "", container.image_pull_policy or "", container.name)
        image = await self._image(pod, container, wanted, config)
        try:
            made = await self._container_config(pod, container, action, image, volumes, observed, sandbox)
        except ConfigError as error:
            raise self._refused(pod, container, "CreateContainerConfigError", str(error)) from error
        if action.after_exit_at is not None:
            self._memory.backoff.restarted(backoff_key(container), action.after_exit_at, self._now())
        container_id = await self._create(pod, container, made, config, sandbox.id, observed)
        await self._run(pod, container, container_id)
        return container_id

    async def _volumes_ready(self, pod: v1.Pod) -> None:
        try:
            await self._volumes.set_up(pod)
        except VolumeFailures as failures:
            self._doors.events.volumes(pod, failures.failures)
            raise StartFailed(Waiting(_creating(pod), ""), self._memory.next_delay("volumes", 120.0)) from failures
        self._memory.succeeded("volumes")

    async def _image_volumes(
        self, pod: v1.Pod, container: AnyContainer, config: t.PodSandboxConfig
    ) -> dict[str, t.ImageSpec]:
        """Volume name -> image, present, for those of the container's volumes that are images."""
        mounted = {mount.name for mount in container.volume_mounts}
        found: dict[str, t.ImageSpec] = {}
        for volume in pod.spec.volumes:
            if volume.image is None or volume.name not in mounted:
                continue
            name = volume.image.reference or ""
            ready = await self._image(pod, container, Wanted(name, volume.image.pull_policy or ""), config)
            annotations = pod.metadata.annotations
            found[volume.name] = t.ImageSpec(image=ready.ref, user_specified_image=name, annotations=annotations)
        return found

    async def _image(
        self, pod: v1.Pod, container: AnyContainer, wanted: Wanted, config: t.PodSandboxConfig
    ) -> ReadyImage:
        try:
            return await self._doors.images.ensure(pod, wanted, config)
        except ImageError as error:
            self._doors.events.container(pod, container.name, WARNING, "Failed", f"Error: {error.reason}")
            raise StartFailed(Waiting(error.reason, str(error)), error.retry_after) from error

    async def _container_config(
        self,
        pod: v1.Pod,
        container: AnyContainer,
        action: StartContainer,
        image: ReadyImage,
        volumes: dict[str, t.ImageSpec],
        observed: Observed,
        sandbox: t.PodSandboxStatus,
    ) -> t.ContainerConfig:
        doors = self._doors
        ips = _addresses(sandbox) or list(doors.host_ips)
        seen = with_addresses(pod, ips, doors.host_ips)
        sources = EnvSources(doors.objects, doors.services(), doors.allocatable, self._volumes.paths)
        granted = await self._granted(pod, container)
        variables = granted.variables | await environment(seen, container, sources)
        read_only = frozenset(volume.name for volume in pod.spec.volumes if is_read_only(volume))
        files = ContainerFiles(doors.directory(uid_of(pod)), action.attempt, self._hosts(pod, ips), read_only, volumes)
        mounts, log_file = await doors.threads.run(
            container_mounts, container, dict(self._volumes.paths), variables, files
        )
        prepared = Prepared(
            attempt=action.attempt,
            image_ref=image.ref,
            image_user=image.user,
            variables=variables,
            mounts=[*granted.mounts, *mounts],
            devices=[*granted.devices, *container_devices(container, self._volumes.paths, read_only)],
            termination_log=log_file,
            memory_capacity=doors.memory_capacity,
            target_id=_target(container, observed),
            cdi_names=[*granted.cdi_names, *await self._cdi_names(pod, container)],
            annotations=granted.annotations,
            users=await self._users(pod),
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

    async def _create(
        self,
        pod: v1.Pod,
        container: AnyContainer,
        made: t.ContainerConfig,
        config: t.PodSandboxConfig,
        sandbox_id: str,
        observed: Observed,
    ) -> str:
        runtime = self._doors.runtime
        latest = observed.latest(container.name)
        try:
            if latest is not None and latest.status.state == t.ContainerState.CONTAINER_CREATED:
                await runtime.remove_container(latest.id)
            container_id = await runtime.create_container(sandbox_id, made, config)
        except CRIError as error:
            raise self._refused(pod, container, "CreateContainerError", str(error)) from error
        self._doors.events.container(pod, container.name, NORMAL, "Created", "Container created")
        return container_id

    async def _run(self, pod: v1.Pod, container: AnyContainer, container_id: str) -> None:
        has_hook = bool(container.lifecycle and container.lifecycle.post_start)
        if has_hook:
            self._memory.in_hook.add(container_id)
        try:
            await self._doors.runtime.start_container(container_id)
        except CRIError as error:
            self._memory.in_hook.discard(container_id)
            raise self._refused(pod, container, "RunContainerError", str(error)) from error
        self._doors.events.container(pod, container.name, NORMAL, "Started", "Container started")

    def _refused(self, pod: v1.Pod, container: AnyContainer, reason: str, message: str) -> StartFailed:
        self._doors.events.container(pod, container.name, WARNING, "Failed", f"Error: {message}")
        retry_after = 0.0 if reason == "RunContainerError" else self._memory.next_delay(container.name, 10.0)
        return StartFailed(Waiting(reason, message), retry_after)

    async def post_start(self, pod: v1.Pod, name: str, container_id: str, ip: str) -> None:
        """Run the postStart hook, if there is one; a failed one has the container ended."""
        container = container_of(pod, name)
        handler = container.lifecycle.post_start if container and container.lifecycle else None
        if container is None or handler is None:
            return
        try:
            await self._doors.actions.hook(handler, Subject(container, container_id, ip), None)
        except ActionError as error:
            log.info("postStart hook failed pod=%s container=%s error=%s", uid_of(pod), name, error)
            self._doors.events.container(pod, name, WARNING, "FailedPostStartHook", "PostStartHook failed")
            stop = StopContainer(container_id, name, "FailedPostStartHook", grace_seconds(pod))
            self._memory.hook_failed[container_id] = stop
        finally:
            self._memory.in_hook.discard(container_id)

    def _now(self) -> float:
        return self._doors.clock.now().timestamp()


def _make_directory(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def _creating(pod: v1.Pod) -> str:
    return "PodInitializing" if pod.spec.init_containers else "ContainerCreating"


def _addresses(sandbox: t.PodSandboxStatus) -> list[str]:
    if sandbox.network is None or not sandbox.network.ip:
        return []
    return [sandbox.network.ip, *(extra.ip for extra in sandbox.network.additional_ips)]


def _target(container: AnyContainer, observed: Observed) -> str:
    """The container whose processes an ephemeral container is to see."""
    if not isinstance(container, v1.EphemeralContainer) or not container.target_container_name:
        return ""
    target = observed.latest(container.target_container_name)
    if target is None or not target.is_running:
        raise ConfigError(f"unable to find target container {container.target_container_name}")
    return target.id


def with_addresses(pod: v1.Pod, ips: list[str], host_ips: tuple[str, ...]) -> v1.Pod:
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
