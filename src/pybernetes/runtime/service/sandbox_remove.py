"""RemovePodSandbox."""

import asyncio

from pybernetes.cri import types as t
from pybernetes.cri.errors import NotFoundError
from pybernetes.runtime.service.container_remove import remove_container
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.sandbox_release import discard
from pybernetes.runtime.service.sandbox_stop import stop_pod_sandbox


async def remove_pod_sandbox(core: Core, pod_sandbox_id: str) -> None:
    """Stop it, remove its containers, and forget it."""
    try:
        sandbox = core.table.sandbox(pod_sandbox_id)
    except NotFoundError:
        return
    await stop_pod_sandbox(core, sandbox.id)
    async with asyncio.TaskGroup() as group:
        for container in core.table.containers_of(sandbox.id):
            group.create_task(remove_container(core, container.id))
    await discard(core, sandbox.record)
    core.table.sandboxes.pop(sandbox.id, None)
    core.publish(sandbox.id, t.ContainerEventType.CONTAINER_DELETED_EVENT, sandbox.id)
