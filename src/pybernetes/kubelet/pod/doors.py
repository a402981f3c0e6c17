"""What all pod workers of the node share."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.aio.threads import Worker
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet.containers.sandbox import NodeSettings
from pybernetes.kubelet.counted import Counted
from pybernetes.kubelet.deviceplugins.allocator import Allocator
from pybernetes.kubelet.dra.claims import Claims
from pybernetes.kubelet.events import Events
from pybernetes.kubelet.images.manager import ImageManager
from pybernetes.kubelet.objects import PodObjects
from pybernetes.kubelet.probes.actions import Actions
from pybernetes.kubelet.resizing import Room
from pybernetes.kubelet.status.writer import PodWriter
from pybernetes.kubelet.volumes.context import VolumeDoors


class PodDoors(Struct, frozen=True):
    """Services and settings; none of them belongs to a single pod."""

    runtime: RuntimeService
    runtime_name: str
    images: ImageManager
    objects: PodObjects
    volumes: VolumeDoors
    claims: Claims
    devices: Allocator
    actions: Actions
    events: Events
    api: PodWriter
    clock: Clock
    threads: Worker
    settings: NodeSettings
    root: Path
    """The kubelet's root directory: `pods/<uid>` below it."""
    host_ips: tuple[str, ...]
    memory_capacity: int
    allocatable: Mapping[str, str | int | float]
    services: Callable[[], Iterable[v1.Service]]
    runtime_handler: Callable[[str], str]
    """RuntimeClass name -> handler. Raises ConfigError for one that does not exist."""
    room: Room
    """Whether the node has what a running pod asks for beside the others."""
    restart_limit: float
    """The longest delay between restarts of a container, in seconds."""
    allowed_sysctls: tuple[str, ...] = ()
    """Beside those that any pod may have."""
    counted: Counted = field(default_factory=Counted)

    def directory(self, uid: str) -> Path:
        return self.root / "pods" / uid
