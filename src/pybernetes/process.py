"""The life of a component as a process: an event loop until SIGTERM, and an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from pybernetes.telemetry.log import configure

YOUNG_OBJECTS = 50_000
"""How many objects a busy component makes before the collector looks for cycles among them: nearly everything here is
freed by its reference count, and looking after 700, Python's default, is a sixth of a write's time."""

Main = Callable[[], Coroutine[Any, Any, None]]


def run_until_terminated(component: str, main: Main, *, verbosity: int = 0) -> None:
    """Run `main` on uvloop; SIGTERM and SIGINT cancel it, and it ends in good order. What it raises is raised."""
    configure(component, verbosity=verbosity)

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


def collect_seldom() -> None:
    """For the components that work through thousands of objects."""
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)


def run_alone(component: str, main: Main, *errors: type[Exception], verbosity: int = 0) -> int:
    """`run_until_terminated` for a command: its exit code.

    A file or an address that cannot be used (OSError) and `errors` are the caller's to mend: they are told in a line,
    with code 1. Anything else is a fault of ours and is raised.
    """
    try:
        run_until_terminated(component, main, verbosity=verbosity)
    except Exception as error:
        cause = _cause(error)
        if not isinstance(cause, (OSError, *errors)):
            raise
        return report(cause)
    return 0


def report(error: Exception) -> int:
    """Tell what the caller has to mend; the exit code for it."""
    print(f"error: {_said(error)}", file=sys.stderr)
    return 1


def _cause(error: Exception) -> Exception:
    """The first of what a task group has gathered."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _said(error: Exception) -> str:
    """Python's words for a missing file begin with its number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
