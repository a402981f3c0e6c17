"""RemovePodSandbox."""

from pybernetes.aio.tasks import all_done
from pybernetes.cri import types as t
from pybernetes.cri.errors import NotFoundError
from pybernetes.runtime.service.container_remove import remove_container
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.sandbox_release import discard
from pybernetes.runtime.service.sandbox_stop import stop


async def remove_pod_sandbox(core: Core, pod_sandbox_id: str) -> None:
    """Stop it, remove its containers, and forget it."""
    try:
        sandbox = core.table.sandbox(pod_sandbox_id)
    except NotFoundError:
        return
    async with sandbox.lock:
        await stop(core, sandbox)
        await all_done(remove_container(core, container.id) for container in core.table.containers_of(sandbox.id))
        await discard(core, sandbox.record)
        if core.table.sandboxes.pop(sandbox.id, None) is None:
            return
    core.publish(sandbox.id, t.ContainerEventType.CONTAINER_DELETED_EVENT, sandbox.id)
