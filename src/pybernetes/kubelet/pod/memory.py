"""What a worker remembers of its pod between two looks; lost with the process, and rebuilt from runtime and API."""

from msgspec import Struct, field

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.plan import StopContainer, Waiting
from pybernetes.kubelet.restart import RestartBackoff


class PodMemory(Struct):
    """By container name, unless said otherwise."""

    backoff: RestartBackoff
    resized: set[str] = field(default_factory=set)
    """Ids of containers that were ended to be started anew with other resources: no crash to wait after."""
    requested: dict[str, int] = field(default_factory=dict)
    """Container id -> the memory that it requested when it was started or changed."""
    failures: dict[str, Waiting] = field(default_factory=dict)
    """Why the last start failed before there was a container."""
    retry_at: dict[str, float] = field(default_factory=dict)
    """When it may be tried again (wall clock); under "" for the sandbox."""
    delays: dict[str, float] = field(default_factory=dict)
    """The delay now in force for such retries."""
    attempts: dict[str, int] = field(default_factory=dict)
    in_hook: set[str] = field(default_factory=set)
    """Container ids whose postStart hook runs."""
    hook_failed: dict[str, StopContainer] = field(default_factory=dict)
    """Container id -> how to end it."""
    crash_looping: set[str] = field(default_factory=set)
    sandbox_config: t.PodSandboxConfig | None = None

    def failed(self, name: str, waiting: Waiting, now: float, retry_after: float) -> None:
        self.failures[name] = waiting
        self.retry_at[name] = now + retry_after

    def next_delay(self, name: str, limit: float = 30.0) -> float:
        """0.5 s, doubling: for causes that may vanish without anybody telling us."""
        delay = min(limit, self.delays.get(name, 0.25) * 2)
        self.delays[name] = delay
        return delay

    def succeeded(self, name: str) -> None:
        for known in (self.failures, self.retry_at, self.delays):
            known.pop(name, None)

    def retry_now(self) -> None:
        """Something that a failed start may have waited for has changed."""
        for name, waiting in self.failures.items():
            if waiting.reason in ("CreateContainerConfigError", "ContainerCreating", "PodInitializing"):
                self.retry_at.pop(name, None)


def known_attempts(status: v1.PodStatus) -> dict[str, int]:
    """Restart counts of containers that have run, for when the runtime has lost them (a reboot)."""
    statuses = [*status.init_container_statuses, *status.container_statuses]
    return {known.name: known.restart_count for known in statuses if known.container_id}
