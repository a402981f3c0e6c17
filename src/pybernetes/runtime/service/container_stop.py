"""StopContainer."""

import asyncio
import signal
from contextlib import suppress

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, NotFoundError
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.monitor.protocol import PROCESS
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.state import Container

_KILL_PATIENCE = 10.0


async def stop_container(core: Core, container_id: str, timeout: int) -> None:
    """Its stop signal; after `timeout` seconds SIGKILL, to all of it. One that does not run, or is gone, is success."""
    try:
        container = core.table.container(container_id)
    except NotFoundError:
        return
    async with container.lock:
        pass  # a start that is under way comes to its end first
    if container.state != t.ContainerState.CONTAINER_RUNNING:
        return
    if timeout > 0:
        _signal(container, container.record.stop_signal)
        if await _ended(container, timeout):
            return
    await kill(core, container)


async def kill(core: Core, container: Container) -> None:
    """SIGKILL, and wait for the end. Raises CRIError if processes hang in the kernel."""
    _signal(container, signal.SIGKILL)
    if await _ended(container, _KILL_PATIENCE):
        return
    await core.files.run(Cgroup(container.record.cgroup).kill)
    if not await _ended(container, _KILL_PATIENCE):
        raise CRIError(f"container {container.id!r} did not end after SIGKILL")


def _signal(container: Container, number: int) -> None:
    """To the first process; by our own descriptor of it, since a monitor may just be replaced, or hang."""
    with suppress(ProcessLookupError):
        if PROCESS in container.held:
            signal.pidfd_send_signal(container.held[PROCESS], number)


async def _ended(container: Container, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await container.exited.wait()
    except TimeoutError:
        return False
    return True
