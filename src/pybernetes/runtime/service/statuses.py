"""Statuses as CRI has them, of what the runtime knows. Pure."""

from pybernetes.cri import types as t
from pybernetes.runtime.state import Container, Sandbox


def sandbox_status(sandbox: Sandbox) -> t.PodSandboxStatus:
    record = sandbox.record
    ready = t.PodSandboxState.SANDBOX_READY if record.ready else t.PodSandboxState.SANDBOX_NOTREADY
    return t.PodSandboxStatus(
        id=record.id,
        metadata=record.config.metadata,
        state=ready,
        created_at=record.created_at,
        network=t.PodSandboxNetworkStatus(ip=record.address),
        linux=t.LinuxPodSandboxStatus(namespaces=t.Namespace(options=record.options)),
        labels=record.config.labels,
        annotations=record.config.annotations,
        runtime_handler=record.handler,
    )


def container_status(container: Container) -> t.ContainerStatus:
    record, config = container.record, container.record.config
    linux = config.linux.resources if config.linux else None
    ended = container.exit
    return t.ContainerStatus(
        id=record.id,
        metadata=config.metadata,
        state=container.state,
        created_at=record.created_at,
        started_at=container.started_at,
        finished_at=ended.finished_at if ended else 0,
        exit_code=ended.exit_code if ended else 0,
        image=config.image,
        image_ref=record.image_ref,
        image_id=record.image_id,
        reason=ended.reason if ended else "",
        message=ended.message if ended else "",
        labels=config.labels,
        annotations=config.annotations,
        mounts=config.mounts,
        log_path=record.log_path,
        resources=t.ContainerResources(linux=linux) if linux else None,
        user=t.ContainerUser(linux=record.user),
        stop_signal=config.stop_signal,
    )
