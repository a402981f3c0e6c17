"""The client of the CRI socket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.cri import building as b
from pybernetes.cri import errors
from pybernetes.cri import types as t
from pybernetes.cri.library import ImageRecord, ImageStep
from pybernetes.cri.socket.frames import CANCEL, Answer, Kind, frame, read_frame

T = TypeVar("T")

_ERRORS = {name: cls for name, cls in vars(errors).items() if isinstance(cls, type)}


class _Connection:
    """The client's side of one connection: answers by request id."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.queues: dict[int, asyncio.Queue[Answer | None]] = {}
        self.lost = False

    async def run(self) -> None:
        """Hand answers out until the server is gone; then every waiter gets None."""
        try:
            while True:
                answer = msgspec.msgpack.decode(await read_frame(self._reader), type=Answer)
                if queue := self.queues.get(answer.id):
                    queue.put_nowait(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.lost = True
            for queue in self.queues.values():
                queue.put_nowait(None)
            self.writer.close()


class Client:
    """RuntimeService, ImageService, ImageLibrary and BuildService of the runtime at a socket; connects on demand, and again after a loss.

    Raises UnavailableError when the runtime cannot be reached, or goes away during a call.
    """

    def __init__(self, path: Path, scope: Scope, patience: float | None = None) -> None:
        """`patience`: seconds after which a call that has no answer yet is given up if the runtime does not tell its
        version within as many. Without it the caller sets the time-outs."""
        self._path = path
        self._scope = scope
        self._patience = patience
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._last = 0

    async def _connected(self) -> _Connection:
        async with self._connecting:
            if self._connection is None or self._connection.lost:
                try:
                    reader, writer = await asyncio.open_unix_connection(self._path, limit=1 << 20)
                except OSError as error:
                    raise errors.UnavailableError(f"runtime at {self._path}: {error.strerror or error}") from error
                self._connection = _Connection(reader, writer)
                self._scope.spawn(self._connection.run(), "cri client")
            return self._connection

    async def _ask(self, method: str, arguments: tuple[object, ...]) -> AsyncGenerator[Answer, None]:
        """Send a request and yield its answers. Ended early, it tells the server."""
        connection = await self._connected()
        self._last += 1
        id, queue = self._last, asyncio.Queue[Answer | None]()
        connection.queues[id] = queue
        finished = False
        try:
            connection.writer.write(frame((id, method, arguments)))
            while not finished:
                answer = await self._next(queue, method)
                if answer is None:
                    raise errors.UnavailableError(f"runtime at {self._path}: connection lost")
                finished = answer.kind != Kind.ITEM
                yield answer
        finally:
            del connection.queues[id]
            if not finished and not connection.lost:
                connection.writer.write(frame((id, CANCEL, ())))

    async def _next(self, queue: asyncio.Queue[Answer | None], method: str) -> Answer | None:
        """What is long under way may be silent, but not the runtime: one that hangs, or was stopped, says nothing."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    return await queue.get()
            if method == "version":
                raise errors.UnavailableError(f"runtime at {self._path}: no answer within {self._patience:g} s")
            await self.version()

    async def _raw(self, returns: Any, method: str, *arguments: object) -> Any:
        async with aclosing(self._ask(method, arguments)) as answers:
            return _value(await anext(answers), returns)

    async def _call(self, returns: type[T], method: str, *arguments: object) -> T:
        result: T = await self._raw(returns, method, *arguments)
        return result

    async def version(self) -> t.VersionResponse:
        return await self._call(t.VersionResponse, "version")

    async def status(self, verbose: bool = False) -> t.StatusResponse:
        return await self._call(t.StatusResponse, "status", verbose)

    async def run_pod_sandbox(self, config: t.PodSandboxConfig, runtime_handler: str = "") -> str:
        return await self._call(str, "run_pod_sandbox", config, runtime_handler)

    async def stop_pod_sandbox(self, pod_sandbox_id: str) -> None:
        await self._raw(None, "stop_pod_sandbox", pod_sandbox_id)

    async def remove_pod_sandbox(self, pod_sandbox_id: str) -> None:
        await self._raw(None, "remove_pod_sandbox", pod_sandbox_id)

    async def pod_sandbox_status(self, pod_sandbox_id: str) -> t.PodSandboxStatus:
        return await self._call(t.PodSandboxStatus, "pod_sandbox_status", pod_sandbox_id)

    async def list_pod_sandbox(self, filter: t.PodSandboxFilter | None = None) -> list[t.PodSandbox]:
        return await self._call(list[t.PodSandbox], "list_pod_sandbox", filter)

    async def create_container(
        self, pod_sandbox_id: str, config: t.ContainerConfig, sandbox_config: t.PodSandboxConfig
    ) -> str:
        return await self._call(str, "create_container", pod_sandbox_id, config, sandbox_config)

    async def start_container(self, container_id: str) -> None:
        await self._raw(None, "start_container", container_id)

    async def stop_container(self, container_id: str, timeout: int) -> None:
        await self._raw(None, "stop_container", container_id, timeout)

    async def remove_container(self, container_id: str) -> None:
        await self._raw(None, "remove_container", container_id)

    async def list_containers(self, filter: t.ContainerFilter | None = None) -> list[t.Container]:
        return await self._call(list[t.Container], "list_containers", filter)

    async def container_status(self, container_id: str) -> t.ContainerStatus:
        return await self._call(t.ContainerStatus, "container_status", container_id)

    async def update_container_resources(self, container_id: str, resources: t.LinuxContainerResources) -> None:
        await self._raw(None, "update_container_resources", container_id, resources)

    async def update_pod_sandbox_resources(
        self, pod_sandbox_id: str, overhead: t.LinuxContainerResources, resources: t.LinuxContainerResources
    ) -> None:
        await self._raw(None, "update_pod_sandbox_resources", pod_sandbox_id, overhead, resources)

    async def reopen_container_log(self, container_id: str) -> None:
        await self._raw(None, "reopen_container_log", container_id)

    async def exec_sync(self, container_id: str, cmd: list[str], timeout: int) -> t.ExecSyncResponse:
        return await self._call(t.ExecSyncResponse, "exec_sync", container_id, cmd, timeout)

    async def exec(self, request: t.ExecRequest) -> str:
        return await self._call(str, "exec", request)

    async def attach(self, request: t.AttachRequest) -> str:
        return await self._call(str, "attach", request)

    async def port_forward(self, request: t.PortForwardRequest) -> str:
        return await self._call(str, "port_forward", request)

    async def container_stats(self, container_id: str) -> t.ContainerStats:
        return await self._call(t.ContainerStats, "container_stats", container_id)

    async def list_container_stats(self, filter: t.ContainerStatsFilter | None = None) -> list[t.ContainerStats]:
        return await self._call(list[t.ContainerStats], "list_container_stats", filter)

    async def pod_sandbox_stats(self, pod_sandbox_id: str) -> t.PodSandboxStats:
        return await self._call(t.PodSandboxStats, "pod_sandbox_stats", pod_sandbox_id)

    async def list_pod_sandbox_stats(self, filter: t.PodSandboxStatsFilter | None = None) -> list[t.PodSandboxStats]:
        return await self._call(list[t.PodSandboxStats], "list_pod_sandbox_stats", filter)

    async def _stream(self, returns: Any, method: str, *arguments: object) -> AsyncGenerator[Any, None]:
        async with aclosing(self._ask(method, arguments)) as answers:
            async for answer in answers:
                if answer.kind == Kind.END:
                    return
                yield _value(answer, returns)

    def get_container_events(self) -> AsyncGenerator[t.ContainerEventResponse, None]:
        return self._stream(t.ContainerEventResponse, "get_container_events")

    async def update_runtime_config(self, config: t.RuntimeConfig) -> None:
        await self._raw(None, "update_runtime_config", config)

    async def list_images(self, filter: t.ImageFilter | None = None) -> list[t.Image]:
        return await self._call(list[t.Image], "list_images", filter)

    async def image_status(self, image: t.ImageSpec) -> t.Image | None:
        found: t.Image | None = await self._raw(t.Image | None, "image_status", image)
        return found

    async def pull_image(
        self, image: t.ImageSpec, auth: t.AuthConfig | None = None, sandbox_config: t.PodSandboxConfig | None = None
    ) -> str:
        return await self._call(str, "pull_image", image, auth, sandbox_config)

    async def remove_image(self, image: t.ImageSpec) -> None:
        await self._raw(None, "remove_image", image)

    async def image_fs_info(self) -> t.ImageFsInfoResponse:
        return await self._call(t.ImageFsInfoResponse, "image_fs_info")

    async def image_records(self) -> list[ImageRecord]:
        return await self._call(list[ImageRecord], "image_records")

    async def image_record(self, name: str) -> ImageRecord:
        return await self._call(ImageRecord, "image_record", name)

    def fetch_image(self, name: str, auth: t.AuthConfig | None = None) -> AsyncGenerator[ImageStep, None]:
        return self._stream(ImageStep, "fetch_image", name, auth)

    def push_image(self, name: str, auth: t.AuthConfig | None = None) -> AsyncGenerator[ImageStep, None]:
        return self._stream(ImageStep, "push_image", name, auth)

    async def load_images(self, path: str) -> list[str]:
        return await self._call(list[str], "load_images", path)

    async def adopt_image(self, name: str, manifest: str, blobs: str) -> str:
        return await self._call(str, "adopt_image", name, manifest, blobs)

    async def save_images(self, names: list[str], path: str) -> None:
        await self._raw(None, "save_images", names, path)

    async def tag_image(self, source: str, target: str) -> None:
        await self._raw(None, "tag_image", source, target)

    async def untag_image(self, name: str) -> None:
        await self._raw(None, "untag_image", name)

    async def find_image(self, name: str, pull: bool, auth: t.AuthConfig | None = None) -> b.BaseImage:
        return await self._call(b.BaseImage, "find_image", name, pull, auth)

    async def read_context_file(self, context: str, path: str) -> bytes | None:
        found: bytes | None = await self._raw(bytes | None, "read_context_file", context, path)
        return found

    async def digest_files(self, source: b.Source, patterns: list[str]) -> str:
        return await self._call(str, "digest_files", source, patterns)

    async def fetch_files(self, files: list[b.RemoteFile]) -> b.Source:
        return await self._call(b.Source, "fetch_files", files)

    async def fetch_repository(self, repository: b.RemoteRepository) -> b.Source:
        return await self._call(b.Source, "fetch_repository", repository)

    async def find_result(self, key: str) -> b.Result | None:
        found: b.Result | None = await self._raw(b.Result | None, "find_result", key)
        return found

    def run_step(self, step: b.Step) -> AsyncGenerator[b.StepEvent, None]:
        return self._stream(b.StepEvent, "run_step", step)

    async def store_image(self, image: b.NewImage) -> str:
        return await self._call(str, "store_image", image)

    async def forget_builds(self) -> int:
        return await self._call(int, "forget_builds")


def _value(answer: Answer, returns: Any) -> Any:
    """The answer's value, or the error that it is."""
    if answer.kind == Kind.ERROR:
        name, message = msgspec.msgpack.decode(answer.value, type=tuple[str, str])
        raise _ERRORS.get(name, errors.CRIError)(message)
    return msgspec.msgpack.decode(answer.value, type=returns)


@asynccontextmanager
async def connect(path: Path) -> AsyncIterator[Client]:
    """A client of the runtime at `path`, which need not be up yet."""
    async with open_scope("cri client") as scope:
        yield Client(path, scope)
