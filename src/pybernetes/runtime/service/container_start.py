"""StartContainer."""

from typing import Any

import msgspec

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, StartError
from pybernetes.runtime.monitor.protocol import EXITED, STARTED
from pybernetes.runtime.monitor.records import read_record
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.following import follow, keep, monitor_request, settle
from pybernetes.runtime.state import Container


async def start_container(core: Core, container_id: str) -> None:
    """Fork its monitor, which starts it. A container that does not start is exited, with 128 and StartError."""
    container = core.table.container(container_id)
    async with container.lock:
        if container.state != t.ContainerState.CONTAINER_CREATED:
            raise CRIError(f"container {container.id!r} is in state {container.state.name}, not created")
        core.table.sandbox(container.record.sandbox_id).check_running()
        await _start(core, container)


async def _start(core: Core, container: Container) -> None:
    container.record = msgspec.structs.replace(container.record, started=True)
    await core.files.run(core.records.save, container.record)
    said = await _launched(core, container)
    if "error" in said:
        await settle(core, container)
        raise _failure(said["error"])
    container.pid, container.started_at = said["pid"], core.now()
    # Told before it is followed, since it may end at once.
    core.publish(container.id, t.ContainerEventType.CONTAINER_STARTED_EVENT, container.record.sandbox_id)
    await follow(core, container)
    if container.exit is not None and container.exit.reason == "StartError":
        raise _failure(container.exit.message)


def _failure(cause: str) -> StartError:
    return StartError(f"OCI runtime create failed: unable to start container process: {cause}")


async def _launched(core: Core, container: Container) -> dict[str, Any]:
    """The monitor's answer. One that is killed before it has noted a start has another in its place, once.

    Raises CRIError.
    """
    try:
        return await _asked(core, container)
    except CRIError:
        directory = str(core.directory(container))
        if (started := read_record(directory, STARTED)) is not None:
            return {"pid": started["pid"]}
        if (ended := read_record(directory, EXITED)) is not None:
            return {"error": ended["message"]}
    try:
        return await _asked(core, container, again=True)
    except CRIError:
        await settle(core, container)
        raise


async def _asked(core: Core, container: Container, *, again: bool = False) -> dict[str, Any]:
    reply = core.zygote.ask({**monitor_request(core, container, "monitor"), "again": again})
    try:
        said, descriptors = await reply.next()
    finally:
        reply.close()
    keep(container, said, descriptors)
    return said
