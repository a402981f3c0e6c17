"""StartContainer."""

import msgspec

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, StartError
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.following import follow, monitor_request, settle
from pybernetes.runtime.state import Container


async def start_container(core: Core, container_id: str) -> None:
    """Fork its monitor, which starts it. A container that does not start is exited, with 128 and StartError."""
    container = core.table.container(container_id)
    async with container.lock:
        if container.state != t.ContainerState.CONTAINER_CREATED:
            raise CRIError(f"container {container.id!r} is in state {container.state.name}, not created")
        await _start(core, container)


async def _start(core: Core, container: Container) -> None:
    container.record = msgspec.structs.replace(container.record, started=True)
    await core.files.run(core.records.save, container.record)
    reply = core.zygote.ask(monitor_request(core, container, "monitor"))
    try:
        said, _ = await reply.next()
    except CRIError:
        await settle(core, container)
        raise
    finally:
        reply.close()
    if "error" in said:
        await settle(core, container)
        raise StartError(f"OCI runtime create failed: unable to start container process: {said['error']}")
    container.pid, container.started_at = said["pid"], core.now()
    # Told before it is followed, since it may end at once.
    core.publish(container.id, t.ContainerEventType.CONTAINER_STARTED_EVENT, container.record.sandbox_id)
    await follow(core, container)
