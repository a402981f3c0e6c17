"""The two services of CRI v1 as Protocols; method names are CRI's RPC names in snake case.

Implementations: `runtime/` (ours), `cri/grpc/` (containerd, CRI-O). `testsuite.py` holds each to the contract.
Errors: `cri.errors.CRIError` and its subclasses only. Every call is safe to repeat: stop and remove treat what is
not there as done.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct

from pybernetes.cri import types as t


class PullProgress(Struct, frozen=True):
    """A step of a pull: bytes of the layer `digest` that have arrived, of `total`."""

    digest: str
    done: int
    total: int


class RuntimeService(Protocol):
    """Sandboxes and containers. Messages and their fields are CRI v1's (cri-v1 facts)."""

    async def version(self) -> t.VersionResponse: ...

    async def status(self, verbose: bool = False) -> t.StatusResponse: ...

    async def run_pod_sandbox(self, config: t.PodSandboxConfig, runtime_handler: str = "") -> str:
        """Create and start a sandbox (namespaces, network); returns its id."""
        ...

    async def stop_pod_sandbox(self, pod_sandbox_id: str) -> None:
        """Kill what still runs in it and release its network; the sandbox becomes NOTREADY."""
        ...

    async def remove_pod_sandbox(self, pod_sandbox_id: str) -> None:
        """Remove it with all its containers."""
        ...

    async def pod_sandbox_status(self, pod_sandbox_id: str) -> t.PodSandboxStatus:
        """Raises NotFoundError."""
        ...

    async def list_pod_sandbox(self, filter: t.PodSandboxFilter | None = None) -> list[t.PodSandbox]: ...

    async def create_container(
        self, pod_sandbox_id: str, config: t.ContainerConfig, sandbox_config: t.PodSandboxConfig
    ) -> str:
        """Prepare the container's root and bundle; returns its id. Raises ImageNotFoundError, NotFoundError."""
        ...

    async def start_container(self, container_id: str) -> None:
        """Run it. Raises StartError with the cause in the runtime's words (command missing, not executable, ...)."""
        ...

    async def stop_container(self, container_id: str, timeout: int) -> None:
        """Stop signal, after `timeout` seconds SIGKILL; returns when the container has exited."""
        ...

    async def remove_container(self, container_id: str) -> None: ...

    async def list_containers(self, filter: t.ContainerFilter | None = None) -> list[t.Container]: ...

    async def container_status(self, container_id: str) -> t.ContainerStatus:
        """Raises NotFoundError."""
        ...

    async def update_container_resources(self, container_id: str, resources: t.LinuxContainerResources) -> None: ...

    async def update_pod_sandbox_resources(
        self, pod_sandbox_id: str, overhead: t.LinuxContainerResources, resources: t.LinuxContainerResources
    ) -> None:
        """Set the pod's own limits; zero leaves one as it is."""
        ...

    async def reopen_container_log(self, container_id: str) -> None: ...

    async def exec_sync(self, container_id: str, cmd: list[str], timeout: int) -> t.ExecSyncResponse:
        """Run a command to its end; output is bounded at 16 MiB. Raises DeadlineError after `timeout` s (0: never)."""
        ...

    async def exec(self, request: t.ExecRequest) -> str:
        """A URL (http://127.0.0.1:port/token) at which the stream is served over WebSocket and SPDY."""
        ...

    async def attach(self, request: t.AttachRequest) -> str: ...

    async def port_forward(self, request: t.PortForwardRequest) -> str: ...

    async def container_stats(self, container_id: str) -> t.ContainerStats: ...

    async def list_container_stats(self, filter: t.ContainerStatsFilter | None = None) -> list[t.ContainerStats]: ...

    async def pod_sandbox_stats(self, pod_sandbox_id: str) -> t.PodSandboxStats: ...

    async def list_pod_sandbox_stats(
        self, filter: t.PodSandboxStatsFilter | None = None
    ) -> list[t.PodSandboxStats]: ...

    def get_container_events(self) -> AsyncIterator[t.ContainerEventResponse]:
        """Created, started, stopped, deleted, as they happen (KEP-3386). Bounded: a slow reader is ended."""
        ...

    async def update_runtime_config(self, config: t.RuntimeConfig) -> None:
        """Tell the runtime the node's pod CIDR."""
        ...


class ImageService(Protocol):
    """Images, addressed by reference or by digest."""

    async def list_images(self, filter: t.ImageFilter | None = None) -> list[t.Image]: ...

    async def image_status(self, image: t.ImageSpec) -> t.Image | None:
        """None if the image is not present."""
        ...

    async def pull_image(
        self, image: t.ImageSpec, auth: t.AuthConfig | None = None, sandbox_config: t.PodSandboxConfig | None = None
    ) -> str:
        """Pull by tag or digest; returns the image's id (`sha256:...`). Raises PullError with the registry's words."""
        ...

    async def remove_image(self, image: t.ImageSpec) -> None: ...

    async def image_fs_info(self) -> t.ImageFsInfoResponse: ...
