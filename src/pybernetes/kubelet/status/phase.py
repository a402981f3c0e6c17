"""The phase of a pod, from the statuses of its containers."""

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import is_sidecar
from pybernetes.kubelet.restart import may_restart_all, restarts_after_exit
from pybernetes.kubelet.status.context import RESTARTING_ALL


class _Count(Struct):
    running: int = 0
    waiting: int = 0
    stopped: int = 0
    succeeded: int = 0
    returning: int = 0
    """Of those that stopped, the ones that will run again."""
    unknown: int = 0


def phase_of(pod: v1.Pod, init: list[v1.ContainerStatus], regular: list[v1.ContainerStatus]) -> str:
    """Pending until all containers have run once; Running while one runs or will again; then Succeeded or Failed."""
    pending, failed = _count_init(pod, init)
    if failed:
        return "Failed"
    count = _count_regular(pod, regular)
    begun = bool(count.running or count.stopped)
    if (pending and not begun) or count.waiting or count.unknown:
        return "Pending"
    if count.running or count.returning or _sidecar_runs(pod, init):
        return "Running"
    return "Succeeded" if count.stopped == count.succeeded else "Failed"


def _count_init(pod: v1.Pod, init: list[v1.ContainerStatus]) -> tuple[int, int]:
    """How many init containers are still to complete (or sidecars to start), and how many have failed for good."""
    by_name = {status.name: status for status in init}
    pending = failed = 0
    for container in pod.spec.init_containers:
        status = by_name.get(container.name)
        state = status.state if status else None
        if is_sidecar(container):
            pending += not (status and state and state.running and status.started)
            continue
        pending += not (state and state.terminated)
        over = _over(status) if status else None
        waits = bool(state and state.waiting)
        failed += over is not None and over.exit_code != 0 and not _returns(pod, container, over, waits)
    return pending, failed


def _over(status: v1.ContainerStatus) -> v1.ContainerStateTerminated | None:
    """How a container ended that does not run now."""
    state, last = status.state, status.last_state
    if state and state.waiting:
        return last.terminated if last else None
    return state.terminated if state else None


def _returns(pod: v1.Pod, container: v1.Container, over: v1.ContainerStateTerminated, waits: bool) -> bool:
    """Whether it will run again: where all containers may begin anew, one that waits does so for that."""
    if over.reason == RESTARTING_ALL or (waits and may_restart_all(pod)):
        return True
    return restarts_after_exit(pod, container, over.exit_code)


def _count_regular(pod: v1.Pod, statuses: list[v1.ContainerStatus]) -> _Count:
    count, containers = _Count(), {container.name: container for container in pod.spec.containers}
    for status in statuses:
        state = status.state
        if state and state.running:
            count.running += 1
        elif (over := _over(status)) is not None:
            count.stopped += 1
            count.succeeded += bool(state and state.terminated and over.exit_code == 0)
            count.returning += _returns(pod, containers[status.name], over, bool(state and state.waiting))
        elif state and state.waiting:
            count.waiting += 1
        else:
            count.unknown += 1
    return count


def _sidecar_runs(pod: v1.Pod, init: list[v1.ContainerStatus]) -> bool:
    names = {container.name for container in pod.spec.init_containers if is_sidecar(container)}
    return any(status.name in names and status.state and status.state.running for status in init)
