"""The conditions that the kubelet owns, with upstream's reasons and messages."""

from collections.abc import Iterable

from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet import resizing
from pybernetes.kubelet.podspec import is_sidecar
from pybernetes.kubelet.resizing import IN_PROGRESS, PENDING
from pybernetes.kubelet.restart import begins_anew, may_restart_all
from pybernetes.kubelet.status.context import ALL_RESTARTING, StatusContext

OWNED = (
    "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", ALL_RESTARTING,
    PENDING, IN_PROGRESS,
)  # fmt: skip

DISRUPTED = "DisruptionTarget"
"""Others set it too: it is ours only in what we say ourselves."""


def conditions_of(
    context: StatusContext, phase: str, init: list[v1.ContainerStatus], regular: list[v1.ContainerStatus]
) -> list[v1.PodCondition]:
    """Owned conditions in upstream's order; transition times are kept where nothing changed."""
    containers_ready = _containers_ready(context, phase, init, regular)
    made = [
        _condition("PodReadyToStartContainers", _has_sandbox(context)),
        _initialized(context, phase, init, regular),
        _ready(context, phase, containers_ready),
        containers_ready,
        _condition("PodScheduled", True),
        *_all_restarting(context, phase),
        *resizing.conditions(context.resizing),
        *_disruption(context),
    ]
    known = {condition.type: condition for condition in context.pod.status.conditions}
    return [_with_times(context, condition, known.get(condition.type)) for condition in made]


def _all_restarting(context: StatusContext, phase: str) -> list[v1.PodCondition]:
    """Of pods whose containers can ask for it; True from such an exit until nothing of the old ones is left."""
    if not may_restart_all(context.pod):
        return []
    if over := {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase):
        return [_condition(ALL_RESTARTING, False, over)]
    if not begins_anew(context.pod, context.observed):
        return [_condition(ALL_RESTARTING, False)]
    message = "container exited with restart policy rule"
    return [_condition(ALL_RESTARTING, True, "RestartAllContainersStarted", message)]


def _disruption(context: StatusContext) -> list[v1.PodCondition]:
    verdict = context.verdict
    if verdict is None or not verdict.disrupted:
        return []
    return [_condition(DISRUPTED, True, "TerminationByKubelet", verdict.message)]


def _condition(type_: str, holds: bool, reason: str = "", message: str = "") -> v1.PodCondition:
    status = "True" if holds else "False"
    return v1.PodCondition(type=type_, status=status, reason=reason or None, message=message or None)


def _with_times(context: StatusContext, made: v1.PodCondition, known: v1.PodCondition | None) -> v1.PodCondition:
    changed = known is None or known.status != made.status
    since = format_time(context.now) if changed or known is None else known.last_transition_time
    return v1.PodCondition(
        type=made.type,
        status=made.status,
        reason=made.reason,
        message=made.message,
        last_transition_time=since,
        observed_generation=context.pod.metadata.generation,
    )


def _has_sandbox(context: StatusContext) -> bool:
    sandbox = context.observed.ready_sandbox
    return bool(sandbox and (context.pod.spec.host_network or (sandbox.network and sandbox.network.ip)))


def _initialized(
    context: StatusContext, phase: str, init: list[v1.ContainerStatus], regular: list[v1.ContainerStatus]
) -> v1.PodCondition:
    if phase == "Succeeded":
        return _condition("Initialized", True, "PodCompleted")
    begun = any(s.state and (s.state.running or s.state.terminated) for s in regular)
    sidecars = {c.name for c in context.pod.spec.init_containers if is_sidecar(c)}
    incomplete = [s.name for s in init if not (s.started if s.name in sidecars else s.ready)]
    known = (condition.status for condition in context.pod.status.conditions if condition.type == "Initialized")
    if begun or not incomplete or "True" in known:
        return _condition("Initialized", True)
    message = f"containers with incomplete status: {_names(incomplete)}"
    return _condition("Initialized", False, "ContainersNotInitialized", message)


def _containers_ready(
    context: StatusContext, phase: str, init: list[v1.ContainerStatus], regular: list[v1.ContainerStatus]
) -> v1.PodCondition:
    if phase == "Succeeded":
        return _condition("ContainersReady", False, "PodCompleted")
    if phase == "Failed":
        return _condition("ContainersReady", False, "PodFailed")
    sidecars = {c.name for c in context.pod.spec.init_containers if is_sidecar(c)}
    unready = [s.name for s in init if s.name in sidecars and not s.ready]
    unready += [s.name for s in regular if not s.ready]
    if not unready:
        return _condition("ContainersReady", True)
    message = f"containers with unready status: {_names(unready)}"
    return _condition("ContainersReady", False, "ContainersNotReady", message)


def _ready(context: StatusContext, phase: str, containers: v1.PodCondition) -> v1.PodCondition:
    if containers.status != "True":
        return _condition("Ready", False, containers.reason or "", containers.message or "")
    known = {condition.type: condition.status for condition in context.pod.status.conditions}
    messages = []
    for gate in context.pod.spec.readiness_gates:
        status = known.get(gate.condition_type)
        if status is None:
            messages.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif status != "True":
            messages.append(f'the status of pod readiness gate "{gate.condition_type}" is not "True", but {status}')
    if messages:
        return _condition("Ready", False, "ReadinessGatesNotReady", ", ".join(messages))
    return _condition("Ready", True)


def _names(names: Iterable[str]) -> str:
    """As Go prints a list of strings: [a b]."""
    return f"[{' '.join(names)}]"
