"""StartContainer."""

import msgspec

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, StartError
from pybernetes.runtime.monitor.client import Control, connect
from pybernetes.runtime.monitor.protocol import STARTED
from pybernetes.runtime.monitor.records import read_record
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.handlers import choose_program
from pybernetes.runtime.state import Container


async def start_container(core: Core, container_id: str) -> None:
    """Fork its monitor, which starts it. A container that does not start is exited, with 128 and StartError."""
    container = core.table.container(container_id)
    async with container.lock:
        if container.state != t.ContainerState.CONTAINER_CREATED:
            raise CRIError(f"container {container.id!r} is in state {container.state.name}, not created")
        await _start(core, container)
    core.publish(container.id, t.ContainerEventType.CONTAINER_STARTED_EVENT, container.record.sandbox_id)


async def _start(core: Core, container: Container) -> None:
    container.record = msgspec.structs.replace(container.record, started=True)
    await core.files.run(core.records.save, container.record)
    config = container.record.config
    reply = core.zygote.ask(
        {
            "call": "monitor",
            "directory": str(core.directory(container)),
            "id": container.id,
            "log_path": container.record.log_path,
            "stdin": config.stdin,
            "stdin_once": config.stdin_once,
            "runtime": choose_program(container.record.handler, core.options.oci_runtime),
            "runtime_root": str(core.options.root / "oci"),
        }
    )
    try:
        said, _ = await reply.next()
    finally:
        reply.close()
    if "error" in said:
        await core.settle(container)
        raise StartError(f"OCI runtime create failed: unable to start container process: {said['error']}")
    await follow(core, container, said["pid"])


async def follow(core: Core, container: Container, pid: int) -> None:
    """Take over a container whose monitor has started it, though it may have ended meanwhile."""
    directory = core.directory(container)
    started = read_record(str(directory), STARTED)
    container.pid = pid
    container.started_at = started["started_at"] if started else core.now()
    try:
        connection = await connect(directory)
    except OSError:
        await core.settle(container)
        return
    core.watch(container, Control(connection))
