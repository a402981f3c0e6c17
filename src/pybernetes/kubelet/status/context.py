"""What a status is made of."""

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct, field

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.observed import Observed, ObservedContainer
from pybernetes.kubelet.plan import Waiting
from pybernetes.kubelet.resizing import Resizing

ALL_RESTARTING = "AllContainersRestarting"
"""The condition that stands while that happens."""

RESTARTING_ALL = "RestartingAllContainers"
"""Why a container ended that was removed with all others of its pod."""


class Verdict(Struct, frozen=True):
    """A reason and message that hold for the whole pod, such as Evicted or DeadlineExceeded; its phase is Failed."""

    reason: str
    message: str
    disrupted: bool = False
    """The pod has to go for the node's sake, not for its own (KEP-3329)."""


class StatusContext(Struct, frozen=True):
    """One moment of one pod."""

    pod: v1.Pod
    """Spec as desired, status as last known by the API."""
    observed: Observed
    now: datetime
    runtime_name: str
    host_ips: tuple[str, ...]
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    """Container name -> why it does not run."""
    messages: Mapping[str, str] = field(default_factory=dict)
    """Container id -> termination message."""
    is_started: Callable[[ObservedContainer], bool] = lambda container: True
    is_ready: Callable[[ObservedContainer], bool] = lambda container: True
    resizing: Resizing = field(default_factory=Resizing)
    devices: Callable[[v1.Container], list[v1.ResourceStatus]] = lambda container: []
    verdict: Verdict | None = None
    is_ending: bool = False
    """The pod's containers are being ended or have ended for good."""
    is_ended: bool = False
    """Nothing of the pod runs, and nothing will."""
    rejected: bool = False
    """Never admitted to this node: it has no container statuses."""
