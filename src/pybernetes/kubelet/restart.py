"""Whether a container runs again, and after how long: restart policies, rules and the crash loop's back-off. Pure."""

from msgspec import Struct, field

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.observed import Observed, ObservedContainer
from pybernetes.kubelet.podspec import AnyContainer

INITIAL_BACKOFF = 10.0
MAX_BACKOFF = 300.0
RESET_AFTER = 2 * MAX_BACKOFF
RESTART_ALL = "RestartAllContainers"


class BackoffEntry(Struct, frozen=True):
    """The delay now in force for one container, and when it was last prolonged (seconds of the wall clock)."""

    delay: float
    since: float


class RestartBackoff(Struct):
    """Delays between the restarts of one pod's containers: none at first, then 10 s doubling up to 5 minutes."""

    limit: float = MAX_BACKOFF
    entries: dict[str, BackoffEntry] = field(default_factory=dict)

    def remaining(self, name: str, finished_at: float, now: float) -> float:
        """Seconds until the container may start again; 0 if it may at once. A long life forgives the past."""
        entry = self.entries.get(name)
        if entry is None or finished_at - entry.since > RESET_AFTER:
            return 0.0
        return max(0.0, finished_at + entry.delay - now)

    def delay(self, name: str) -> float:
        entry = self.entries.get(name)
        return entry.delay if entry else 0.0

    def restarted(self, name: str, finished_at: float, now: float) -> None:
        """The container starts again: the next time waits twice as long."""
        entry = self.entries.get(name)
        fresh = entry is None or finished_at - entry.since > RESET_AFTER
        delay = INITIAL_BACKOFF if fresh or entry is None else entry.delay * 2
        self.entries[name] = BackoffEntry(min(self.limit, delay), now)


def restart_policy(pod: v1.Pod, container: AnyContainer) -> str:
    """The container's own policy, else the pod's; init containers of an Always pod run until they succeed."""
    if container.restart_policy:
        return container.restart_policy
    policy = pod.spec.restart_policy or "Always"
    if policy == "Always" and any(c.name == container.name for c in pod.spec.init_containers):
        return "OnFailure"
    return policy


def matching_action(container: v1.Container, exit_code: int) -> str:
    """What the first of the container's own rules that matches asks for; "" without one."""
    for rule in container.restart_policy_rules:
        codes = rule.exit_codes
        if codes and (exit_code in codes.values) == (codes.operator == "In"):
            return rule.action
    return ""


def may_restart_all(pod: v1.Pod) -> bool:
    """Whether an exit can make all containers of the pod begin anew (KEP-5532)."""
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    return any(rule.action == RESTART_ALL for container in containers for rule in container.restart_policy_rules)


def asks_to_restart_all(container: v1.Container, latest: ObservedContainer | None) -> bool:
    """Whether the container has left with a code for which all of them begin anew."""
    if latest is None or not latest.is_exited:
        return False
    return matching_action(container, latest.status.exit_code) == RESTART_ALL


def begins_anew(pod: v1.Pod, observed: Observed) -> bool:
    """Whether a container has asked for that which is still there: until all are gone, the pod's containers go."""
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    return may_restart_all(pod) and any(asks_to_restart_all(c, observed.latest(c.name)) for c in containers)


def restarts_after_exit(pod: v1.Pod, container: AnyContainer, exit_code: int) -> bool:
    """Whether an exit with this code is followed by another start."""
    if isinstance(container, v1.EphemeralContainer):
        return False
    if matching_action(container, exit_code) in ("Restart", RESTART_ALL):
        return True
    match restart_policy(pod, container):
        case "Always":
            return True
        case "OnFailure":
            return exit_code != 0
        case _:
            return False


def should_run(pod: v1.Pod, container: AnyContainer, latest: ObservedContainer | None) -> bool:
    """Whether a container that does not run now is to be started (the back-off aside)."""
    if latest is None:
        return True
    if latest.is_exited:
        return restarts_after_exit(pod, container, latest.status.exit_code)
    return not latest.is_running
