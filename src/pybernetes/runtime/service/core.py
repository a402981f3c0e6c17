"""What all RPCs share."""

import asyncio
from pathlib import Path

from msgspec import Struct, field

from pybernetes.aio.locks import Locks
from pybernetes.aio.tasks import Scope
from pybernetes.aio.threads import Worker
from pybernetes.cri import types as t
from pybernetes.runtime.launcher.client import Zygote
from pybernetes.runtime.network.pods import PodNetwork
from pybernetes.runtime.options import Options
from pybernetes.runtime.service.events import Events
from pybernetes.runtime.service.sources import ImageSource
from pybernetes.runtime.service.statuses import container_status, sandbox_status
from pybernetes.runtime.state import Container, Records, Table


class Core(Struct):
    """The runtime's state and helpers. `network` is None until a pod range is known."""

    options: Options
    images: ImageSource
    records: Records
    zygote: Zygote
    scope: Scope
    files: Worker
    links: Worker
    boot_id: str
    network: PodNetwork | None = None
    table: Table = field(default_factory=Table)
    events: Events = field(default_factory=Events)
    parents: Locks[str] = field(default_factory=Locks)
    """Of pods' cgroups: one is not removed while another sandbox of the pod begins in it."""
    user_namespaces: dict[str, asyncio.Task[bool]] = field(default_factory=dict)
    """Whether an OCI runtime's program (empty: the builtin launcher) can give pods ids of their own, once asked."""

    def now(self) -> int:
        """Nanoseconds since 1970, as CRI has times."""
        return int(self.options.clock.now().timestamp() * 1_000_000) * 1000

    def cgroup_parent(self, config: t.PodSandboxConfig) -> str:
        return (config.linux.cgroup_parent if config.linux else "") or self.options.cgroup

    def directory(self, container: Container) -> Path:
        return self.records.container_directory(container.id)

    def publish(self, container_id: str, kind: t.ContainerEventType, sandbox_id: str) -> None:
        """Tell the readers of events, with the states of the whole pod."""
        sandbox = self.table.sandboxes.get(sandbox_id)
        self.events.publish(
            t.ContainerEventResponse(
                container_id=container_id,
                container_event_type=kind,
                created_at=self.now(),
                pod_sandbox_status=sandbox_status(sandbox) if sandbox else None,
                containers_statuses=[container_status(each) for each in self.table.containers_of(sandbox_id)],
            )
        )
