"""A runtime in memory, whose behaviour a test controls."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.cri import types as t
from pybernetes.cri.errors import DeadlineError, ImageNotFoundError, NotFoundError

NOW_FACTOR = 10**9


class FakeRuntime:
    """RuntimeService and ImageService over dicts. Containers run until told otherwise."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sandboxes: dict[str, t.PodSandboxStatus] = {}
        self.sandbox_configs: dict[str, t.PodSandboxConfig] = {}
        self.containers: dict[str, tuple[str, t.ContainerStatus]] = {}
        self.configs: dict[str, t.ContainerConfig] = {}
        self.images: dict[str, t.Image] = {"web:1": t.Image(id="sha256:web", repo_tags=["web:1"], size=1000)}
        self.registry: dict[str, t.Image] = {}
        self.pull_error: Exception | None = None
        self.start_errors: dict[str, Exception] = {}
        self.sandbox_errors: list[Exception] = []
        self.stop_exit_code: int | None = 0
        """What a container leaves with when it is stopped; None: it ignores the signal until it is killed."""
        self.exec_handler: Callable[[str, list[str]], t.ExecSyncResponse] = lambda name, cmd: t.ExecSyncResponse()
        self.stops: list[tuple[str, int]] = []
        self.updates: list[str] = []
        """Sandboxes and containers whose resources were changed, in order."""
        self.update_error: Exception | None = None
        self.memory: dict[str, int] = {}
        """Pod name -> the working set of its container c."""
        self.written: dict[str, int] = {}
        """Container name -> the bytes that it has written into its root."""
        self.pulls: list[tuple[str, t.AuthConfig | None]] = []
        self._ids = itertools.count(1)
        self._readers: list[asyncio.Queue[t.ContainerEventResponse]] = []

    # What a test does to the world

    def named(self, name: str) -> t.ContainerStatus:
        """The newest container with this name."""
        return [
            status for _, status in self.containers.values() if status.labels["io.kubernetes.container.name"] == name
        ][-1]

    def exit(self, name: str, code: int, reason: str = "", message: str = "") -> None:
        """The newest container of this name ends by itself."""
        self._exit(self.named(name).id, code, reason, message)

    def lose_everything(self) -> None:
        """A reboot: nothing of the runtime is left."""
        self.sandboxes.clear()
        self.containers.clear()

    def stop_sandboxes(self) -> None:
        """A reboot of a runtime with records: everything is there, nothing runs."""
        for container_id, (_, status) in list(self.containers.items()):
            if status.state == t.ContainerState.CONTAINER_RUNNING:
                self._exit(container_id, 255, "Unknown")
        for sandbox_id, sandbox in list(self.sandboxes.items()):
            self.sandboxes[sandbox_id] = msgspec.structs.replace(sandbox, state=t.PodSandboxState.SANDBOX_NOTREADY)

    # RuntimeService

    async def version(self) -> t.VersionResponse:
        return t.VersionResponse(runtime_name="fake", runtime_version="1")

    async def status(self, verbose: bool = False) -> t.StatusResponse:
        ready = [t.RuntimeCondition(type=name, status=True) for name in ("RuntimeReady", "NetworkReady")]
        return t.StatusResponse(status=t.RuntimeStatus(conditions=ready))

    async def run_pod_sandbox(self, config: t.PodSandboxConfig, runtime_handler: str = "") -> str:
        if self.sandbox_errors:
            raise self.sandbox_errors.pop(0)
        sandbox_id = f"sandbox{next(self._ids)}"
        self.sandbox_configs[sandbox_id] = config
        self.sandboxes[sandbox_id] = t.PodSandboxStatus(
            id=sandbox_id,
            metadata=config.metadata,
            state=t.PodSandboxState.SANDBOX_READY,
            created_at=self._now(),
            network=t.PodSandboxNetworkStatus(ip=f"10.244.0.{next(self._ids)}"),
            labels=config.labels,
        )
        return sandbox_id

    async def stop_pod_sandbox(self, pod_sandbox_id: str) -> None:
        for container_id, (owner, status) in list(self.containers.items()):
            if owner == pod_sandbox_id and status.state == t.ContainerState.CONTAINER_RUNNING:
                self._exit(container_id, 137)
        if sandbox := self.sandboxes.get(pod_sandbox_id):
            self.sandboxes[pod_sandbox_id] = msgspec.structs.replace(
                sandbox, state=t.PodSandboxState.SANDBOX_NOTREADY, network=t.PodSandboxNetworkStatus()
            )

    async def remove_pod_sandbox(self, pod_sandbox_id: str) -> None:
        self.sandboxes.pop(pod_sandbox_id, None)

    async def pod_sandbox_status(self, pod_sandbox_id: str) -> t.PodSandboxStatus:
        if pod_sandbox_id not in self.sandboxes:
            raise NotFoundError(pod_sandbox_id)
        return self.sandboxes[pod_sandbox_id]

    async def list_pod_sandbox(self, filter: t.PodSandboxFilter | None = None) -> list[t.PodSandbox]:
        wanted = filter.label_selector if filter else {}
        return [
            t.PodSandbox(id=s.id, metadata=s.metadata, state=s.state, labels=s.labels)
            for s in self.sandboxes.values()
            if wanted.items() <= s.labels.items()
        ]

    async def create_container(
        self, pod_sandbox_id: str, config: t.ContainerConfig, sandbox_config: t.PodSandboxConfig
    ) -> str:
        if config.image is None or not any(i.id == config.image.image for i in self.images.values()):
            raise ImageNotFoundError(str(config.image))
        container_id = f"container{next(self._ids)}"
        self.configs[container_id] = config
        self.containers[container_id] = (
            pod_sandbox_id,
            t.ContainerStatus(
                id=container_id,
                metadata=config.metadata,
                state=t.ContainerState.CONTAINER_CREATED,
                created_at=self._now(),
                image=t.ImageSpec(image=config.image.user_specified_image),
                image_ref=config.image.image,
                labels=config.labels,
                annotations=config.annotations,
                log_path=f"{sandbox_config.log_directory}/{config.log_path}",
                resources=t.ContainerResources(linux=config.linux.resources if config.linux else None),
            ),
        )
        self._publish(container_id)
        return container_id

    async def start_container(self, container_id: str) -> None:
        owner, status = self.containers[container_id]
        name = status.labels["io.kubernetes.container.name"]
        if error := self.start_errors.get(name):
            self._exit(container_id, 128, "StartError", str(error))
            raise error
        running = msgspec.structs.replace(status, state=t.ContainerState.CONTAINER_RUNNING, started_at=self._now())
        self.containers[container_id] = (owner, running)
        self._publish(container_id)

    async def stop_container(self, container_id: str, timeout: int) -> None:
        self.stops.append((container_id, timeout))
        if container_id not in self.containers:
            return
        if self.stop_exit_code is None:
            await self.clock.sleep(timeout)
        if self.containers[container_id][1].state == t.ContainerState.CONTAINER_RUNNING:
            self._exit(container_id, 137 if self.stop_exit_code is None else self.stop_exit_code)

    async def remove_container(self, container_id: str) -> None:
        self.containers.pop(container_id, None)

    async def list_containers(self, filter: t.ContainerFilter | None = None) -> list[t.Container]:
        wanted = filter.label_selector if filter else {}
        return [
            t.Container(
                id=s.id,
                pod_sandbox_id=owner,
                metadata=s.metadata,
                state=s.state,
                labels=s.labels,
                created_at=s.created_at,
            )
            for owner, s in self.containers.values()
            if wanted.items() <= s.labels.items()
        ]

    async def container_status(self, container_id: str) -> t.ContainerStatus:
        if container_id not in self.containers:
            raise NotFoundError(container_id)
        return self.containers[container_id][1]

    async def update_container_resources(self, container_id: str, resources: t.LinuxContainerResources) -> None:
        self.updates.append(container_id)
        if self.update_error is not None:
            raise self.update_error
        owner, status = self.containers[container_id]
        changed = msgspec.structs.replace(status, resources=t.ContainerResources(linux=resources))
        self.containers[container_id] = (owner, changed)

    async def update_pod_sandbox_resources(
        self, pod_sandbox_id: str, overhead: t.LinuxContainerResources, resources: t.LinuxContainerResources
    ) -> None:
        self.updates.append(pod_sandbox_id)

    async def reopen_container_log(self, container_id: str) -> None:
        raise AssertionError("not used")

    async def exec_sync(self, container_id: str, cmd: list[str], timeout: int) -> t.ExecSyncResponse:
        if container_id not in self.containers:
            raise NotFoundError(container_id)
        name = self.containers[container_id][1].labels["io.kubernetes.container.name"]
        if cmd == ["hang"]:
            await self.clock.sleep(timeout)
            raise DeadlineError("timed out")
        return self.exec_handler(name, cmd)

    async def exec(self, request: t.ExecRequest) -> str:
        return f"http://127.0.0.1:1/exec/{request.container_id}"

    async def attach(self, request: t.AttachRequest) -> str:
        return f"http://127.0.0.1:1/attach/{request.container_id}"

    async def port_forward(self, request: t.PortForwardRequest) -> str:
        return f"http://127.0.0.1:1/portforward/{request.pod_sandbox_id}"

    async def container_stats(self, container_id: str) -> t.ContainerStats:
        _, status = self.containers[container_id]
        used = self.memory.get(status.labels["io.kubernetes.pod.name"], 0)
        return t.ContainerStats(memory=t.MemoryUsage(usage_bytes=t.UInt64Value(value=used)))

    async def list_container_stats(self, filter: t.ContainerStatsFilter | None = None) -> list[t.ContainerStats]:
        wanted = filter.label_selector if filter else {}
        return [
            _container_stats(status, self.written)
            for _, status in self.containers.values()
            if status.state == t.ContainerState.CONTAINER_RUNNING and wanted.items() <= status.labels.items()
        ]

    async def pod_sandbox_stats(self, pod_sandbox_id: str) -> t.PodSandboxStats:
        return _stats(self.sandboxes[pod_sandbox_id], self.memory)

    async def list_pod_sandbox_stats(self, filter: t.PodSandboxStatsFilter | None = None) -> list[t.PodSandboxStats]:
        return [_stats(sandbox, self.memory) for sandbox in self.sandboxes.values()]

    async def get_container_events(self) -> AsyncIterator[t.ContainerEventResponse]:
        queue: asyncio.Queue[t.ContainerEventResponse] = asyncio.Queue()
        self._readers.append(queue)
        while True:
            yield await queue.get()

    async def update_runtime_config(self, config: t.RuntimeConfig) -> None:
        return None

    # ImageService

    async def list_images(self, filter: t.ImageFilter | None = None) -> list[t.Image]:
        return list(self.images.values())

    async def image_status(self, image: t.ImageSpec) -> t.Image | None:
        by_id = {known.id: known for known in self.images.values()}
        return self.images.get(image.image) or by_id.get(image.image)

    async def pull_image(
        self, image: t.ImageSpec, auth: t.AuthConfig | None = None, sandbox_config: t.PodSandboxConfig | None = None
    ) -> str:
        self.pulls.append((image.image, auth))
        if self.pull_error:
            raise self.pull_error
        if image.image not in self.registry:
            raise ImageNotFoundError(f"{image.image}: not found")
        self.images[image.image] = self.registry[image.image]
        return self.registry[image.image].id

    async def remove_image(self, image: t.ImageSpec) -> None:
        self.images = {name: known for name, known in self.images.items() if known.id != image.image}

    async def image_fs_info(self) -> t.ImageFsInfoResponse:
        return t.ImageFsInfoResponse([t.FilesystemUsage(fs_id=t.FilesystemIdentifier(mountpoint="/"))])

    def _exit(self, container_id: str, code: int, reason: str = "", message: str = "") -> None:
        owner, status = self.containers[container_id]
        self.containers[container_id] = (
            owner,
            msgspec.structs.replace(
                status,
                state=t.ContainerState.CONTAINER_EXITED,
                finished_at=self._now(),
                exit_code=code,
                reason=reason,
                message=message,
            ),
        )
        self._publish(container_id)

    def _publish(self, container_id: str) -> None:
        owner, status = self.containers[container_id]
        kinds = {
            t.ContainerState.CONTAINER_CREATED: t.ContainerEventType.CONTAINER_CREATED_EVENT,
            t.ContainerState.CONTAINER_RUNNING: t.ContainerEventType.CONTAINER_STARTED_EVENT,
        }
        event = t.ContainerEventResponse(
            container_id=container_id,
            container_event_type=kinds.get(status.state, t.ContainerEventType.CONTAINER_STOPPED_EVENT),
            pod_sandbox_status=self.sandboxes.get(owner),
        )
        for queue in self._readers:
            queue.put_nowait(event)

    def _now(self) -> int:
        return int(self.clock.now().timestamp() * NOW_FACTOR)


def _stats(sandbox: t.PodSandboxStatus, memory: Mapping[str, int]) -> t.PodSandboxStats:
    used = memory.get(sandbox.labels["io.kubernetes.pod.name"], 0)
    taken = t.MemoryUsage(working_set_bytes=t.UInt64Value(value=used), usage_bytes=t.UInt64Value(value=used))
    container = t.ContainerStats(attributes=t.ContainerAttributes(metadata=t.ContainerMetadata(name="c")), memory=taken)
    attributes = t.PodSandboxAttributes(id=sandbox.id, labels=sandbox.labels)
    return t.PodSandboxStats(attributes=attributes, linux=t.LinuxPodSandboxStats(memory=taken, containers=[container]))


def _container_stats(status: t.ContainerStatus, written: Mapping[str, int]) -> t.ContainerStats:
    used = t.UInt64Value(value=written.get(status.labels["io.kubernetes.container.name"], 0))
    return t.ContainerStats(
        attributes=t.ContainerAttributes(id=status.id, metadata=status.metadata, labels=status.labels),
        writable_layer=t.FilesystemUsage(used_bytes=used),
    )
