"""`p8s kubelet`, `python -m pybernetes.kubelet`: a node alone, with upstream's flags."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence

import uvloop

from pybernetes.kubelet.options import Options, parse
from pybernetes.kubelet.run import run
from pybernetes.telemetry import log


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; containers go on running. Returns the exit code."""
    options = parse(arguments)
    log.configure("kubelet", verbosity=options.verbosity)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signalled(options))
    return 0


async def _until_signalled(options: Options) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await run(options)
