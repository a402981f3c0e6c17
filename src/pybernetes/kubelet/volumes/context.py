"""What volume types are given: the pod, where its volumes live, and narrow doors to everything else."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.aio.threads import Worker
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.counted import Counted
from pybernetes.kubelet.objects import Objects
from pybernetes.kubelet.root import UPSTREAM, Root


class Token(Struct, frozen=True):
    """A bound service-account token."""

    text: str
    expires: datetime


class Tokens(Protocol):
    """TokenRequest API."""

    async def request(self, pod: v1.Pod, audience: str, seconds: int) -> Token:
        """A new token bound to the pod. Raises StatusError."""
        ...


class Claims(Protocol):
    """Claims and the volumes that they are bound to."""

    async def volume_of(self, namespace: str, claim: str) -> v1.PersistentVolume:
        """Raises VolumeError while the claim does not exist or is not bound."""
        ...


class CsiMount(NamedTuple):
    """Where a volume is. `republish`: its driver wants to be asked for it again and again."""

    path: Path
    is_device: bool
    republish: bool


class Csi(Protocol):
    """Volumes of CSI drivers. All may be repeated, and raise VolumeError."""

    async def set_up_volume(self, pod: v1.Pod, volume: v1.PersistentVolume, *, read_only: bool) -> CsiMount: ...

    async def set_up_inline(self, pod: v1.Pod, name: str, source: v1.CSIVolumeSource) -> CsiMount: ...

    async def tear_down(self, directory: Path) -> None:
        """Whatever a pod has, by its directory `pods/<uid>`."""
        ...


class VolumeDoors(Struct, frozen=True):
    """What all volumes of the node share."""

    objects: Objects
    tokens: Tokens
    claims: Claims
    clock: Clock
    threads: Worker
    allocatable: Mapping[str, str | int | float]
    counted: Counted = field(default_factory=Counted)
    root: Root = UPSTREAM
    csi: Csi | None = None


class VolumeContext(Struct, frozen=True):
    """One pod's volumes being set up."""

    pod: v1.Pod
    directory: Path
    """`pods/<uid>`."""
    doors: VolumeDoors
    tokens: dict[tuple[str, int], Token]
    """Tokens that the pod has, by audience and duration; kept until they are to be renewed."""
    republished: set[str] = field(default_factory=set)
    """Volumes whose drivers want to be asked for them again and again."""

    def volume_path(self, plugin: str, name: str) -> Path:
        """`pods/<uid>/volumes/kubernetes.io~<plugin>/<name>`."""
        return self.directory / "volumes" / f"kubernetes.io~{plugin}" / name

    @property
    def fs_group(self) -> int | None:
        shared = self.pod.spec.security_context
        return shared.fs_group if shared else None
