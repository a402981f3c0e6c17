"""The phase of a pod, from the statuses of its containers."""

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import is_sidecar


class _Count(Struct):
    running: int = 0
    waiting: int = 0
    stopped: int = 0
    succeeded: int = 0
    unknown: int = 0


def phase_of(pod: v1.Pod, init: list[v1.ContainerStatus], regular: list[v1.ContainerStatus]) -> str:
    """Pending until all containers have run once; Running while one runs or will again; then Succeeded or Failed."""
    policy = pod.spec.restart_policy or "Always"
    pending, failed = _count_init(pod, init)
    if failed and policy == "Never":
        return "Failed"
    count = _count_regular(regular)
    begun = bool(count.running or count.stopped)
    if (pending and not begun) or count.waiting or count.unknown:
        return "Pending"
    if count.running or _sidecar_runs(pod, init):
        return "Running"
    if policy == "Always" and not _never_restarts(pod):
        return "Running"
    if count.stopped == count.succeeded:
        return "Succeeded"
    return "Failed" if policy == "Never" or _never_restarts(pod) else "Running"


def _never_restarts(pod: v1.Pod) -> bool:
    """Every container has a policy of its own that lets a stopped pod stay stopped."""
    return bool(pod.spec.containers) and all(c.restart_policy == "Never" for c in pod.spec.containers)


def _count_init(pod: v1.Pod, init: list[v1.ContainerStatus]) -> tuple[int, int]:
    """How many init containers are still to complete (or sidecars to start), and how many have failed."""
    by_name = {status.name: status for status in init}
    pending = failed = 0
    for container in pod.spec.init_containers:
        status = by_name.get(container.name)
        state = status.state if status else None
        if is_sidecar(container):
            pending += not (status and state and state.running and status.started)
        elif state and state.terminated:
            failed += state.terminated.exit_code != 0
        else:
            pending += 1
            last = status.last_state.terminated if status and status.last_state else None
            failed += bool(state and state.waiting and last and last.exit_code != 0)
    return pending, failed


def _count_regular(statuses: list[v1.ContainerStatus]) -> _Count:
    count = _Count()
    for status in statuses:
        state = status.state
        if state and state.running:
            count.running += 1
        elif state and state.terminated:
            count.stopped += 1
            count.succeeded += state.terminated.exit_code == 0
        elif state and state.waiting:
            if status.last_state and status.last_state.terminated:
                count.stopped += 1
            else:
                count.waiting += 1
        else:
            count.unknown += 1
    return count


def _sidecar_runs(pod: v1.Pod, init: list[v1.ContainerStatus]) -> bool:
    names = {container.name for container in pod.spec.init_containers if is_sidecar(container)}
    return any(status.name in names and status.state and status.state.running for status in init)
