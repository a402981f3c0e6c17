"""Containers whose program ends, or cannot be started."""

from __future__ import annotations

import signal

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import hints, names_asked, program
from pybernetes.explain.causes import Cause
from pybernetes.explain.snapshot import AnyContainer, Snapshot, ref
from pybernetes.explain.steps import change

SIGNALLED = 128


def explain(
    snapshot: Snapshot,
    pod: v1.Pod,
    container: AnyContainer,
    status: v1.ContainerStatus,
    ended: v1.ContainerStateTerminated,
) -> Cause:
    """Why a container ended, as far as its end tells, with the last it said."""
    if found := program.cannot_start(snapshot, pod, container, ended.message or ""):
        return found
    log = _log(snapshot, pod, container)
    seen = (_words(ended), *(f"log: {line}" for line in log))
    logs = snapshot.command("logs", ref(pod), f"-c {container.name}{' --previous' if _is_over(status) else ''}")
    if ended.reason == "OOMKilled":
        return _out_of_memory(snapshot, pod, container, seen)
    if ended.exit_code == 0:
        return Cause(
            f"its program ended at once with exit code 0, and restartPolicy is {pod.spec.restart_policy}: it has nothing to do",
            seen=seen,
            steps=(_something_to_run(container), logs),
        )
    because = (*hints.in_log(snapshot, pod, container, log), *hints.in_mounts(snapshot, pod, container))
    because += names_asked.explain(snapshot, pod)[0]
    what = "it could not be started" if ended.reason == "StartError" else _meaning(ended.exit_code)
    return Cause(what, seen=seen, steps=(logs,), because=because)


def _is_over(status: v1.ContainerStatus) -> bool:
    """Whether another attempt than the one that is current has ended."""
    return not (status.state and status.state.terminated)


def _words(ended: v1.ContainerStateTerminated) -> str:
    message = f": {ended.message.strip()}" if ended.message else ""
    return f"{ended.reason}, exit code {ended.exit_code}{message}"


def _log(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer) -> tuple[str, ...]:
    key = (pod.metadata.namespace or "", pod.metadata.name or "", container.name)
    return snapshot.clues.logs.get(key, ())


def _out_of_memory(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, seen: tuple[str, ...]) -> Cause:
    limit = container.resources.limits.get("memory") if container.resources else None
    if limit is None:
        return Cause(
            "the node ran out of memory, and the kernel ended it",
            seen=seen,
            steps=("kubectl top pods -A --sort-by=memory",),
        )
    return Cause(
        f"it used more memory than its limit of {limit}, and the kernel ended it",
        seen=seen,
        steps=(
            change(
                snapshot,
                pod,
                "set resources",
                f"-c {container.name} --limits=memory=MORE",
                instead="raise limits.memory in",
            ),
        ),
    )


def _something_to_run(container: AnyContainer) -> str:
    if container.command or container.args:
        return "give the container a command that goes on, or make it a Job if its work has an end"
    return f"give container {container.name} a command that goes on: image {container.image} alone runs a shell without input, or ends"


def _meaning(code: int) -> str:
    """What an exit code tells by convention."""
    if code == 126:
        return "its command was found but could not be executed (exit code 126)"
    if code == 127:
        return "its shell did not find a command (exit code 127)"
    if code > SIGNALLED:
        try:
            return f"it was ended by {signal.Signals(code - SIGNALLED).name} (exit code {code})"
        except ValueError:
            pass
    return f"its program fails with exit code {code}"
