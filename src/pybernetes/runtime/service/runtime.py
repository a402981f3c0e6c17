"""The RuntimeService of this project, in the process that uses it or behind cri/socket.py."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from pybernetes.aio.tasks import open_scope
from pybernetes.aio.threads import Worker
from pybernetes.cri import types as t
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.launcher.client import Zygote
from pybernetes.runtime.network import namespace
from pybernetes.runtime.options import Options
from pybernetes.runtime.service import (
    container_create,
    container_exec,
    container_list,
    container_log,
    container_remove,
    container_start,
    container_stats,
    container_stop,
    container_update,
    node,
    recovery,
    sandbox_list,
    sandbox_remove,
    sandbox_run,
    sandbox_stats,
    sandbox_stop,
    sandbox_update,
    streams,
    users,
)
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.image_volumes import images_of
from pybernetes.runtime.service.sources import ImageSource
from pybernetes.runtime.state import Records
from pybernetes.streaming.server import StreamingServer

_FILE_THREADS = 4
_MONITORS = "monitors"


def monitors_of(cgroup: str) -> str:
    """The cgroup of the monitors, and of the zygote that forks them, below a runtime's own."""
    return f"{cgroup.rstrip('/')}/{_MONITORS}"


class Runtime:
    """Sandboxes and containers below `options.root`. Made by `open_runtime`; methods are those of RuntimeService."""

    def __init__(self, core: Core, streaming: StreamingServer) -> None:
        self.core = core
        self._streaming = streaming

    async def version(self) -> t.VersionResponse:
        return node.version()

    async def status(self, verbose: bool = False) -> t.StatusResponse:
        return await node.status(self.core)

    async def update_runtime_config(self, config: t.RuntimeConfig) -> None:
        await node.update_runtime_config(self.core, config)

    async def run_pod_sandbox(self, config: t.PodSandboxConfig, runtime_handler: str = "") -> str:
        return await sandbox_run.run_pod_sandbox(self.core, config, runtime_handler)

    async def stop_pod_sandbox(self, pod_sandbox_id: str) -> None:
        await sandbox_stop.stop_pod_sandbox(self.core, pod_sandbox_id)

    async def remove_pod_sandbox(self, pod_sandbox_id: str) -> None:
        await sandbox_remove.remove_pod_sandbox(self.core, pod_sandbox_id)

    async def pod_sandbox_status(self, pod_sandbox_id: str) -> t.PodSandboxStatus:
        return sandbox_list.pod_sandbox_status(self.core, pod_sandbox_id)

    async def list_pod_sandbox(self, filter: t.PodSandboxFilter | None = None) -> list[t.PodSandbox]:
        return sandbox_list.list_pod_sandbox(self.core, filter)

    async def create_container(
        self, pod_sandbox_id: str, config: t.ContainerConfig, sandbox_config: t.PodSandboxConfig
    ) -> str:
        return await container_create.create_container(self.core, pod_sandbox_id, config)

    async def start_container(self, container_id: str) -> None:
        await container_start.start_container(self.core, container_id)

    async def stop_container(self, container_id: str, timeout: int) -> None:
        await container_stop.stop_container(self.core, container_id, timeout)

    async def remove_container(self, container_id: str) -> None:
        await container_remove.remove_container(self.core, container_id)

    async def list_containers(self, filter: t.ContainerFilter | None = None) -> list[t.Container]:
        return container_list.list_containers(self.core, filter)

    async def container_status(self, container_id: str) -> t.ContainerStatus:
        return container_list.container_status(self.core, container_id)

    async def update_container_resources(self, container_id: str, resources: t.LinuxContainerResources) -> None:
        await container_update.update_container_resources(self.core, container_id, resources)

    async def update_pod_sandbox_resources(
        self, pod_sandbox_id: str, overhead: t.LinuxContainerResources, resources: t.LinuxContainerResources
    ) -> None:
        await sandbox_update.update_pod_sandbox_resources(self.core, pod_sandbox_id, resources)

    async def reopen_container_log(self, container_id: str) -> None:
        await container_log.reopen_container_log(self.core, container_id)

    async def exec_sync(self, container_id: str, cmd: list[str], timeout: int) -> t.ExecSyncResponse:
        return await container_exec.exec_sync(self.core, container_id, cmd, timeout)

    async def exec(self, request: t.ExecRequest) -> str:
        return streams.exec(self.core, self._streaming, request)

    async def attach(self, request: t.AttachRequest) -> str:
        return streams.attach(self.core, self._streaming, request)

    async def port_forward(self, request: t.PortForwardRequest) -> str:
        return streams.port_forward(self.core, self._streaming, request)

    async def container_stats(self, container_id: str) -> t.ContainerStats:
        return await container_stats.container_stats(self.core, container_id)

    async def list_container_stats(self, filter: t.ContainerStatsFilter | None = None) -> list[t.ContainerStats]:
        return await container_stats.list_container_stats(self.core, filter)

    async def pod_sandbox_stats(self, pod_sandbox_id: str) -> t.PodSandboxStats:
        return await sandbox_stats.pod_sandbox_stats(self.core, pod_sandbox_id)

    async def list_pod_sandbox_stats(self, filter: t.PodSandboxStatsFilter | None = None) -> list[t.PodSandboxStats]:
        return await sandbox_stats.list_pod_sandbox_stats(self.core, filter)

    def get_container_events(self) -> AsyncIterator[t.ContainerEventResponse]:
        return self.core.events.read()


def _enter_node(netns: Path | None) -> None:
    """For the thread that has to do with links: it works in the node's network namespace."""
    if netns is not None:
        namespace.enter(netns)


def _remove_empty_cgroups(cgroup: str) -> None:
    """Our own cgroups, unless monitors or pods are still in them."""
    for path in (monitors_of(cgroup), cgroup):
        if not Cgroup(path).remove_if_empty():
            return


@asynccontextmanager
async def open_runtime(options: Options, images: ImageSource, zygote: Zygote | None = None) -> AsyncIterator[Runtime]:
    """A runtime that has found again whatever an earlier one left below `options.root`.

    Containers go on running when the block ends, and when this process dies. Several may share `images`, and a
    `zygote`, which is its owner's to close.
    """
    files, links = Worker("files", _FILE_THREADS), Worker("links", begin=partial(_enter_node, options.netns))
    own = zygote or Zygote(monitors_of(options.cgroup))
    async with AsyncExitStack() as stack:
        for worker in (files, links):  # whose threads the scope's tasks use until they have ended
            stack.push_async_callback(worker.close)
        scope = await stack.enter_async_context(open_scope("runtime"))
        core = Core(
            options=options,
            images=images,
            records=Records(options.root),
            zygote=own,
            scope=scope,
            files=files,
            links=links,
            boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        )
        used_by = lambda: {name for each in core.table.containers.values() for name in images_of(each.record)}  # noqa: E731
        images.users.append(used_by)
        try:
            await files.run(own.start)
            users.find_out(core)
            if options.bridge is not None:
                await links.run(node.set_network, core, options.bridge)
            await recovery.recover(core)
            async with StreamingServer.open(options.streaming, scope) as streaming:
                yield Runtime(core, streaming)
        finally:
            images.users.remove(used_by)
            if zygote is None:
                await files.run(own.close)
            await files.run(_remove_empty_cgroups, options.cgroup)
            if core.network is not None:
                await links.run(core.network.close)
