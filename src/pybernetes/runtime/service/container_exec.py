"""ExecSync, and the start of every exec."""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from pybernetes.aio.tasks import open_scope
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, DeadlineError, StartError
from pybernetes.runtime.launcher.client import Reply
from pybernetes.runtime.launcher.message import close_all
from pybernetes.runtime.monitor.bundle import read_config
from pybernetes.runtime.monitor.protocol import PROCESS
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.handlers import choose_program
from pybernetes.runtime.service.pipes import Collector

_LIMIT = 16 << 20
_DRAIN_SECONDS = 2.0


class Execution(Struct):
    """A process that runs in a container. `terminal` is the end to hold of its terminal, owned by the caller."""

    reply: Reply
    pidfd: int
    terminal: int | None

    async def wait(self) -> int:
        """Its exit code, 128 + n for signal n."""
        said, _ = await self.reply.next()
        if "error" in said:
            raise CRIError(said["error"])
        return int(said["exit_code"])

    def kill(self) -> None:
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            return

    def close(self) -> None:
        self.reply.close()
        os.close(self.pidfd)


async def start_exec(
    core: Core, container_id: str, command: Sequence[str], tty: bool, stdio: tuple[int, int, int]
) -> Execution:
    """Run `command` as the container's process runs: same user, privileges, directory, environment, cgroup.

    `stdio` stays the caller's. Raises NotFoundError, StartError with the cause.
    """
    container = core.table.container(container_id)
    if container.state != t.ContainerState.CONTAINER_RUNNING:
        state = container.state.name
        raise StartError(f'failed to exec in container: container "{container.id}" is in {state} state')
    directory = str(core.directory(container))
    process = await core.files.run(_process, directory, command, tty)
    if (held := container.held.get(PROCESS)) is None:
        raise StartError(f"failed to exec in container: container {container.id!r} has ended")
    reply = core.zygote.ask(
        {
            "call": "exec",
            "directory": directory,
            "id": container.id,
            "process": process,
            "runtime": choose_program(container.record.handler, core.options.oci_runtime),
            "runtime_root": str(core.options.root / "oci"),
        },
        [*stdio, held],
    )
    try:
        return await _started(reply)
    except asyncio.CancelledError:
        core.scope.spawn(_abandon(reply), "exec abandoned")
        raise
    except BaseException:
        reply.close()
        raise


async def _started(reply: Reply) -> Execution:
    said, fds = await reply.next()
    if "error" in said:
        raise StartError(f"failed to exec in container: OCI runtime exec failed: exec failed: {said['error']}")
    return Execution(reply, fds[0], fds[1] if len(fds) > 1 else None)


async def _abandon(reply: Reply) -> None:
    """Whoever asked is gone; what is being started for them must not stay."""
    try:
        execution = await _started(reply)
    except CRIError:
        reply.close()
        return
    execution.kill()
    execution.close()
    if execution.terminal is not None:
        os.close(execution.terminal)


def _process(directory: str, command: Sequence[str], tty: bool) -> dict[str, Any]:
    process: dict[str, Any] = read_config(directory)["process"]
    return process | {"args": list(command), "terminal": tty}


async def exec_sync(core: Core, container_id: str, command: list[str], timeout: int) -> t.ExecSyncResponse:
    """Run to the end. After `timeout` seconds the process is killed, and DeadlineError raised."""
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    out, out_end = os.pipe2(os.O_CLOEXEC)
    err, err_end = os.pipe2(os.O_CLOEXEC)
    try:
        try:
            execution = await start_exec(core, container_id, command, False, (null, out_end, err_end))
        finally:
            close_all([null, out_end, err_end])
        return await _collect(execution, (Collector(out, _LIMIT), Collector(err, _LIMIT)), timeout)
    finally:
        close_all([out, err])


async def _collect(execution: Execution, outputs: tuple[Collector, Collector], timeout: int) -> t.ExecSyncResponse:
    async with open_scope("exec") as scope:
        reading = [scope.spawn(output.run(), "output") for output in outputs]
        try:
            code = await _wait(execution, timeout)
        finally:
            execution.close()
        # What it left behind in the background may hold the pipes open.
        await asyncio.wait(reading, timeout=_DRAIN_SECONDS)
        stdout, stderr = (bytes(output.data) for output in outputs)
        return t.ExecSyncResponse(stdout=stdout, stderr=stderr, exit_code=code)


async def _wait(execution: Execution, timeout: int) -> int:
    try:
        async with asyncio.timeout(timeout or None):
            return await execution.wait()
    except TimeoutError:
        execution.kill()
        raise DeadlineError(
            f"failed to exec in container: timeout {timeout}s exceeded: context deadline exceeded"
        ) from None
    except BaseException:
        execution.kill()
        raise
