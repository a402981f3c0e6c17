"""The status of each container, from the runtime's attempts and the worker's reasons."""

from collections.abc import Sequence

import msgspec

from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.observed import ObservedContainer
from pybernetes.kubelet.plan import Waiting
from pybernetes.kubelet.podspec import AnyContainer
from pybernetes.kubelet.restart import should_run
from pybernetes.kubelet.status.context import ALL_RESTARTING, RESTARTING_ALL, StatusContext

LOST_EXIT_CODE = 137
NEVER = "1970-01-01T00:00:00Z"
"""What upstream tells of a container that ended without having started."""


def container_statuses(
    context: StatusContext, containers: Sequence[AnyContainer], known: Sequence[v1.ContainerStatus]
) -> list[v1.ContainerStatus]:
    """One status per container of the spec, in its order; `known` are the API's, for what the runtime has lost."""
    before = {status.name: status for status in known}
    return [_container_status(context, container, before.get(container.name)) for container in containers]


def _container_status(
    context: StatusContext, container: AnyContainer, known: v1.ContainerStatus | None
) -> v1.ContainerStatus:
    history = context.observed.history(container.name)
    if not history:
        return _without_attempt(context, container, known)
    latest = history[0]
    state = state_of(context, latest)
    last_state = state_of(context, history[1]) if len(history) > 1 else _known_last_state(context, latest, known)
    waiting = context.waiting.get(container.name)
    if waiting and not latest.is_running and should_run(context.pod, container, latest) and not context.is_ended:
        last_state = state if state.terminated else last_state
        state = v1.ContainerState(waiting=_waiting(waiting))
    started = latest.is_running and context.is_started(latest)
    return v1.ContainerStatus(
        name=container.name,
        image=_image_name(container, latest.status),
        image_id=latest.status.image_ref,
        container_id=f"{context.runtime_name}://{latest.id}",
        restart_count=latest.attempt,
        started=started,
        ready=_is_ready(context, container, latest, started),
        state=state,
        last_state=last_state if last_state and last_state.terminated else v1.ContainerState(),
        user=_user(latest.status),
        volume_mounts=_volume_mounts(container),
        resources=_resources(context, container, known) if latest.is_running else None,
        allocated_resources=(container.resources.requests if container.resources else {}) if latest.is_running else {},
    )


def _resources(
    context: StatusContext, container: AnyContainer, known: v1.ContainerStatus | None
) -> v1.ResourceRequirements | None:
    """What is in force: while that is being changed, what was told before."""
    if container.name in context.resizing.containers and known is not None and known.resources is not None:
        return known.resources
    return container.resources


def _waiting(waiting: Waiting) -> v1.ContainerStateWaiting:
    return v1.ContainerStateWaiting(reason=waiting.reason, message=waiting.message or None)


def _image_name(container: AnyContainer, status: t.ContainerStatus) -> str:
    """The name under which the runtime knows the image; one that knows it by its id only leaves the spec's."""
    name = (status.image.user_specified_image or status.image.image) if status.image else ""
    return (container.image or name) if not name or name.startswith("sha256:") else name


def _is_ready(context: StatusContext, container: AnyContainer, latest: ObservedContainer, started: bool) -> bool:
    """A running container by its probes; an init container once it has succeeded, and for ever."""
    if isinstance(container, v1.EphemeralContainer):
        return False
    is_init = any(c.name == container.name for c in context.pod.spec.init_containers)
    if is_init and container.restart_policy != "Always":
        return latest.is_exited and latest.status.exit_code == 0
    return latest.is_running and started and context.is_ready(latest)


def _without_attempt(
    context: StatusContext, container: AnyContainer, known: v1.ContainerStatus | None
) -> v1.ContainerStatus:
    """A container that the runtime does not have: not yet started, or lost since."""
    if known and context.is_ended and known.state and known.state.terminated:
        return known
    default = _default_waiting(context, container)
    status = v1.ContainerStatus(
        name=container.name,
        image=container.image or "",
        started=False,
        state=v1.ContainerState(waiting=default),
        last_state=v1.ContainerState(),
        restart_count=known.restart_count if known else 0,
        volume_mounts=_volume_mounts(container),
    )
    if known is None or not known.container_id or not known.state:
        if known and known.last_state:
            status = msgspec.structs.replace(status, last_state=known.last_state)
        return status
    if known.state.terminated:
        return _after_loss(context, container, status, known, known.state.terminated)
    if known.state.running:
        return _after_loss(context, container, status, known, _lost(context, known))
    return msgspec.structs.replace(status, last_state=known.last_state or v1.ContainerState())


def _after_loss(
    context: StatusContext,
    container: AnyContainer,
    status: v1.ContainerStatus,
    known: v1.ContainerStatus,
    terminated: v1.ContainerStateTerminated,
) -> v1.ContainerStatus:
    """The last that is known of a lost container: its state if it is over, else the state before."""
    over = v1.ContainerState(terminated=terminated)
    if context.is_ended or context.is_ending:
        return msgspec.structs.replace(
            status,
            state=over,
            last_state=known.last_state or v1.ContainerState(),
            container_id=known.container_id,
            image=known.image,
            image_id=known.image_id,
        )
    return msgspec.structs.replace(status, last_state=over)


def _lost(context: StatusContext, known: v1.ContainerStatus) -> v1.ContainerStateTerminated:
    if any(c.type == ALL_RESTARTING and c.status == "True" for c in context.pod.status.conditions):
        message = "The container is removed because RestartAllContainers in place"
        return v1.ContainerStateTerminated(reason=RESTARTING_ALL, message=message, exit_code=LOST_EXIT_CODE)
    what = "deleted" if context.pod.metadata.deletion_timestamp else "terminated"
    return v1.ContainerStateTerminated(
        reason="ContainerStatusUnknown",
        message=f"The container could not be located when the pod was {what}",
        exit_code=LOST_EXIT_CODE,
        container_id=known.container_id,
    )


def _default_waiting(context: StatusContext, container: AnyContainer) -> v1.ContainerStateWaiting:
    if waiting := context.waiting.get(container.name):
        return _waiting(waiting)
    spec = context.pod.spec
    is_regular = any(c.name == container.name for c in spec.containers)
    has_init = bool(spec.init_containers)
    is_first_init = has_init and spec.init_containers[0].name == container.name
    if has_init and (is_regular or not is_first_init) and not isinstance(container, v1.EphemeralContainer):
        return v1.ContainerStateWaiting(reason="PodInitializing")
    return v1.ContainerStateWaiting(reason="PodInitializing" if has_init else "ContainerCreating")


def _known_last_state(
    context: StatusContext, latest: ObservedContainer, known: v1.ContainerStatus | None
) -> v1.ContainerState | None:
    """The state before the oldest attempt that the runtime still has, as the API knows it."""
    if known is None or latest.attempt == 0:
        return None
    if known.restart_count == latest.attempt:
        return known.last_state
    if known.state and known.state.running and known.container_id != f"{context.runtime_name}://{latest.id}":
        return v1.ContainerState(terminated=_lost(context, known))
    return known.state if known.state and known.state.terminated else known.last_state


def state_of(context: StatusContext, attempt: ObservedContainer) -> v1.ContainerState:
    """Running, terminated, or waiting for one attempt of the runtime."""
    status = attempt.status
    match status.state:
        case t.ContainerState.CONTAINER_RUNNING:
            return v1.ContainerState(running=v1.ContainerStateRunning(started_at=_time(status.started_at)))
        case t.ContainerState.CONTAINER_EXITED:
            return v1.ContainerState(terminated=_terminated(context, attempt))
        case t.ContainerState.CONTAINER_CREATED:
            has_init = bool(context.pod.spec.init_containers)
            reason = "PodInitializing" if has_init else "ContainerCreating"
            return v1.ContainerState(waiting=v1.ContainerStateWaiting(reason=reason))
        case _:
            return v1.ContainerState(
                terminated=v1.ContainerStateTerminated(
                    reason="ContainerStatusUnknown",
                    message="The container could not be located",
                    exit_code=LOST_EXIT_CODE,
                )
            )


def _terminated(context: StatusContext, attempt: ObservedContainer) -> v1.ContainerStateTerminated:
    status = attempt.status
    message = context.messages.get(attempt.id, "")
    if status.message and not message:
        message = status.message
    return v1.ContainerStateTerminated(
        exit_code=status.exit_code,
        reason=status.reason or ("Completed" if status.exit_code == 0 else "Error"),
        message=message or None,
        started_at=_time(status.started_at) or NEVER,
        finished_at=_time(status.finished_at) or NEVER,
        container_id=f"{context.runtime_name}://{attempt.id}",
    )


def _user(status: t.ContainerStatus) -> v1.ContainerUser | None:
    linux = status.user.linux if status.user else None
    if linux is None:
        return None
    return v1.ContainerUser(
        linux=v1.LinuxContainerUser(uid=linux.uid, gid=linux.gid, supplemental_groups=linux.supplemental_groups)
    )


def _volume_mounts(container: AnyContainer) -> list[v1.VolumeMountStatus]:
    return [
        v1.VolumeMountStatus(
            name=mount.name,
            mount_path=mount.mount_path,
            read_only=mount.read_only or None,
            recursive_read_only=_recursive(mount) if mount.read_only else None,
        )
        for mount in container.volume_mounts
    ]


def _recursive(mount: v1.VolumeMount) -> str:
    """Whether what is mounted below is read-only, too: who asks for it gets it, or the container does not start."""
    return "Enabled" if mount.recursive_read_only in ("Enabled", "IfPossible") else "Disabled"


def _time(nanoseconds: int) -> str | None:
    """The API's time of a moment of the runtime; None for 0, which is the runtime's `never`."""
    return format_time(nanoseconds // 10**9) if nanoseconds else None
