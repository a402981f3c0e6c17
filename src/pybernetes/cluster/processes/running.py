"""The life of a component process: an event loop until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from pybernetes.telemetry.log import configure


def run_until_terminated(component: str, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `main` on uvloop; SIGTERM and SIGINT cancel it, and it ends in good order. What it raises is raised."""
    configure(component)

    async def cancellable() -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(cancellable())
