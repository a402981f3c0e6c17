"""What all RPCs share."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pybernetes.aio.tasks import Scope
from pybernetes.aio.threads import Worker
from pybernetes.cri import types as t
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.launcher.client import Zygote
from pybernetes.runtime.monitor.client import Control
from pybernetes.runtime.monitor.protocol import EXITED, STARTED
from pybernetes.runtime.monitor.records import read_record, write_record
from pybernetes.runtime.network.pods import PodNetwork
from pybernetes.runtime.options import Options
from pybernetes.runtime.service.events import Events
from pybernetes.runtime.service.sources import ImageSource
from pybernetes.runtime.service.statuses import container_status, sandbox_status
from pybernetes.runtime.state import LOST_EXIT_CODE, Container, Exit, Records, Table

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Core:
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

    def watch(self, container: Container, control: Control) -> None:
        """Follow a running container to its end."""
        container.control = control
        self.scope.spawn(self._follow(container, control), f"container {container.id[:12]}")

    async def _follow(self, container: Container, control: Control) -> None:
        await control.wait_closed()
        await self.settle(container)

    async def settle(self, container: Container) -> None:
        """The monitor is gone: take over the exit that it has recorded, or record that it was lost."""
        directory = str(self.directory(container))
        record = read_record(directory, EXITED)
        if record is None:
            record = await self.files.run(self._record_loss, container)
        container.exit = Exit(record["exit_code"], record["reason"], record["finished_at"], record.get("message", ""))
        started = read_record(directory, STARTED)
        container.started_at = started["started_at"] if started else 0
        container.control = None
        container.exited.set()
        self.publish(container.id, t.ContainerEventType.CONTAINER_STOPPED_EVENT, container.record.sandbox_id)

    def _record_loss(self, container: Container) -> dict[str, Any]:
        log.error("monitor was lost container=%s", container.id)
        Cgroup(container.record.cgroup).kill()
        record: dict[str, Any] = {
            "exit_code": LOST_EXIT_CODE,
            "reason": "Unknown",
            "finished_at": self.now(),
            "message": "",
        }
        write_record(str(self.directory(container)), EXITED, record)
        return record
