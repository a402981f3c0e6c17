"""`python -m pybernetes.controllers`: the controller manager as a process of its own."""

import asyncio
import contextlib
import signal
import sys

import uvloop

from pybernetes.client.config import ConfigError
from pybernetes.client.election import LeadershipLostError
from pybernetes.controllers.manager import run
from pybernetes.controllers.options import Options, parse
from pybernetes.telemetry.log import configure


async def _run_until_stopped(options: Options) -> None:
    """Run until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await run(options)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 with a message for an unusable configuration or a lost lease."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    configure("controllers", verbosity=options.v)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run_until_stopped(options))
    except (ConfigError, LeadershipLostError) as error:
        print(f"controller manager: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
