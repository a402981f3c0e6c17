"""ListContainers and ContainerStatus."""

from pybernetes.cri import types as t
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.selection import matches
from pybernetes.runtime.service.statuses import container_status as status_of
from pybernetes.runtime.state import Container


def container_status(core: Core, container_id: str) -> t.ContainerStatus:
    return status_of(core.table.container(container_id))


def list_containers(core: Core, filter: t.ContainerFilter | None) -> list[t.Container]:
    wanted = filter or t.ContainerFilter()
    return [
        _item(container)
        for container in core.table.containers.values()
        if container.id.startswith(wanted.id)
        and (wanted.state is None or container.state == wanted.state.state)
        and container.record.sandbox_id.startswith(wanted.pod_sandbox_id)
        and matches(wanted.label_selector, container.record.config.labels)
    ]


def _item(container: Container) -> t.Container:
    record = container.record
    return t.Container(
        id=record.id,
        pod_sandbox_id=record.sandbox_id,
        metadata=record.config.metadata,
        image=record.config.image,
        image_ref=record.image_ref,
        image_id=record.image_id,
        state=container.state,
        created_at=record.created_at,
        labels=record.config.labels,
        annotations=record.config.annotations,
    )
