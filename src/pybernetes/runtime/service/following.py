"""Follow running containers to their ends, through their monitors, and replace a monitor that was killed."""

import contextlib
import logging
import os
from typing import Any

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.monitor.child import hold
from pybernetes.runtime.monitor.client import Control, connect
from pybernetes.runtime.monitor.protocol import EXITED, STARTED
from pybernetes.runtime.monitor.records import read_record, write_record
from pybernetes.runtime.monitor.stdio import reopen_output
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.handlers import choose_program
from pybernetes.runtime.state import LOST_EXIT_CODE, Container, Exit

log = logging.getLogger(__name__)

_ADOPTIONS = 5
_AGAIN_SECONDS = 1.0


def monitor_request(core: Core, container: Container, call: str) -> dict[str, Any]:
    """What the zygote is asked for: a monitor that starts the container, or one that adopts it."""
    config = container.record.config
    return {
        "call": call,
        "directory": str(core.directory(container)),
        "id": container.id,
        "log_path": container.record.log_path,
        "stdin": config.stdin,
        "stdin_once": config.stdin_once,
        "runtime": choose_program(container.record.handler, core.options.oci_runtime),
        "runtime_root": str(core.options.root / "oci"),
        "pid": container.pid,
        "held": list(container.held),
    }


async def follow(core: Core, container: Container) -> None:
    """Take over a container whose monitor has started it, though it may have ended meanwhile."""
    directory = core.directory(container)
    try:
        control = Control(await connect(directory))
    except OSError:
        await settle(core, container)
        return
    container.control = control
    core.scope.spawn(_watch(core, container, control), f"container {container.id[:12]}")
    await control.ping()
    if (started := read_record(str(directory), STARTED)) is not None:
        container.pid, container.started_at = started["pid"], started["started_at"]
        if not container.held:
            _hold(core, container, started["start_time"])


def keep(container: Container, said: dict[str, Any], descriptors: list[int]) -> None:
    """What its monitor hands over: while this is open, a monitor that takes its place finds all there was to know."""
    release(container)
    container.held = dict(zip(said.get("held", []), descriptors, strict=True))


def release(container: Container) -> None:
    for descriptor in container.held.values():
        os.close(descriptor)
    container.held = {}


def _hold(core: Core, container: Container, start_time: int) -> None:
    """The same for one that an earlier runtime has started; its terminal only its monitor has."""
    with contextlib.suppress(OSError):
        process = hold(container.pid, start_time)
        directory = str(core.directory(container))
        container.held = {"process": process, **({} if container.record.config.tty else reopen_output(directory))}


async def _watch(core: Core, container: Container, control: Control) -> None:
    await control.wait_closed()
    container.control = None
    while True:
        try:
            return await settle(core, container)
        except OSError as error:  # no descriptor or process to be had; the container goes on
            log.warning("container has no monitor container=%s error=%s", container.id, error)
            await core.options.clock.sleep(_AGAIN_SECONDS)


async def settle(core: Core, container: Container) -> None:
    """The monitor is gone: take over the exit that it has recorded; if there is none, have another one adopt it.

    Raises OSError if this machine cannot start one now.
    """
    directory = str(core.directory(container))
    container.control = None
    for _ in range(_ADOPTIONS):
        if (record := read_record(directory, EXITED)) is not None:
            break
        try:
            if await _adopt(core, container):
                return
            break
        except CRIError:
            continue  # it was killed over it
    if record is None:
        record = await core.files.run(_record_loss, core, container)
    release(container)
    container.exit = Exit(record["exit_code"], record["reason"], record["finished_at"], record.get("message", ""))
    started = read_record(directory, STARTED)
    container.started_at = started["started_at"] if started else 0
    container.exited.set()
    core.publish(container.id, t.ContainerEventType.CONTAINER_STOPPED_EVENT, container.record.sandbox_id)


async def _adopt(core: Core, container: Container) -> bool:
    """Whether the container has a monitor again, be it only to note how it ended. Raises CRIError, OSError."""
    log.warning("monitor was killed container=%s", container.id)
    reply = core.zygote.ask(monitor_request(core, container, "adopt"), list(container.held.values()))
    try:
        said, descriptors = await reply.next()
    finally:
        reply.close()
    if "error" in said:
        return False
    keep(container, said, descriptors)
    await follow(core, container)
    return True


def _record_loss(core: Core, container: Container) -> dict[str, Any]:
    """Nobody knows how it ended; make sure that it has."""
    log.error("container was lost container=%s", container.id)
    Cgroup(container.record.cgroup).kill()
    record: dict[str, Any] = {"exit_code": LOST_EXIT_CODE, "reason": "Unknown", "finished_at": core.now()}
    write_record(str(core.directory(container)), EXITED, record)
    return record
