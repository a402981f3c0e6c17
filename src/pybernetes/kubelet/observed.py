"""What the runtime has of one pod, as one immutable value."""

import asyncio

from msgspec import Struct

from pybernetes.cri import types as t
from pybernetes.cri.errors import NotFoundError
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet import names


class ObservedContainer(Struct, frozen=True):
    """A container of the runtime, and the sandbox that it belongs to."""

    sandbox_id: str
    status: t.ContainerStatus

    @property
    def id(self) -> str:
        return self.status.id

    @property
    def name(self) -> str:
        return self.status.labels.get(names.CONTAINER_NAME, "")

    @property
    def attempt(self) -> int:
        return self.status.metadata.attempt if self.status.metadata else 0

    @property
    def is_running(self) -> bool:
        return self.status.state == t.ContainerState.CONTAINER_RUNNING

    @property
    def is_exited(self) -> bool:
        return self.status.state == t.ContainerState.CONTAINER_EXITED


class Observed(Struct, frozen=True):
    """Sandboxes and containers of a pod, the newest first."""

    sandboxes: tuple[t.PodSandboxStatus, ...] = ()
    containers: tuple[ObservedContainer, ...] = ()

    @property
    def sandbox(self) -> t.PodSandboxStatus | None:
        """The newest sandbox, ready or not."""
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def ready_sandbox(self) -> t.PodSandboxStatus | None:
        sandbox = self.sandbox
        return sandbox if sandbox and sandbox.state == t.PodSandboxState.SANDBOX_READY else None

    def history(self, name: str) -> list[ObservedContainer]:
        """All attempts of a container that the runtime still has, the newest first."""
        return [container for container in self.containers if container.name == name]

    def latest(self, name: str) -> ObservedContainer | None:
        return next((container for container in self.containers if container.name == name), None)

    def current(self, name: str) -> ObservedContainer | None:
        """The newest attempt inside the newest sandbox."""
        sandbox = self.sandbox
        latest = self.latest(name)
        return latest if latest and sandbox and latest.sandbox_id == sandbox.id else None

    def by_id(self, container_id: str) -> ObservedContainer | None:
        return next((container for container in self.containers if container.id == container_id), None)

    @property
    def running(self) -> list[ObservedContainer]:
        return [container for container in self.containers if container.is_running]


def _order(created_at: int, attempt: int) -> tuple[int, int]:
    return -attempt, -created_at


def observed_of(sandboxes: list[t.PodSandboxStatus], containers: list[ObservedContainer]) -> Observed:
    """Sort what the runtime told: by attempt first, since clocks may be set back."""
    return Observed(
        tuple(sorted(sandboxes, key=lambda s: _order(s.created_at, s.metadata.attempt if s.metadata else 0))),
        tuple(sorted(containers, key=lambda c: _order(c.status.created_at, c.attempt))),
    )


async def observe(runtime: RuntimeService, uid: str) -> Observed:
    """Ask the runtime for one pod; what disappears between two questions is left out."""
    selector = {names.POD_UID: uid}
    async with asyncio.TaskGroup() as group:
        sandboxes = group.create_task(runtime.list_pod_sandbox(t.PodSandboxFilter(label_selector=selector)))
        containers = group.create_task(runtime.list_containers(t.ContainerFilter(label_selector=selector)))
    async with asyncio.TaskGroup() as group:
        sandbox_tasks = [group.create_task(_sandbox_status(runtime, sandbox)) for sandbox in sandboxes.result()]
        container_tasks = [group.create_task(_container_status(runtime, c)) for c in containers.result()]
    return observed_of(
        [sandbox for task in sandbox_tasks if (sandbox := task.result())],
        [container for task in container_tasks if (container := task.result())],
    )


async def _sandbox_status(runtime: RuntimeService, sandbox: t.PodSandbox) -> t.PodSandboxStatus | None:
    try:
        return await runtime.pod_sandbox_status(sandbox.id)
    except NotFoundError:
        return None


async def _container_status(runtime: RuntimeService, container: t.Container) -> ObservedContainer | None:
    try:
        return ObservedContainer(container.pod_sandbox_id, await runtime.container_status(container.id))
    except NotFoundError:
        return None
