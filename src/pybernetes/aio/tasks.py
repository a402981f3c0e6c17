"""The only places where tasks are made: owned by a scope, named, and never lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock, SystemClock

log = logging.getLogger(__name__)


class Scope:
    """Tasks whose life ends with the scope. A failed task is logged and does not end its siblings."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a named task of this scope; the caller may await or cancel it, or forget it."""
        task = asyncio.get_running_loop().create_task(coroutine, name=f"{self.name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task failed name=%s", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def open_scope(name: str) -> AsyncIterator[Scope]:
    """A scope that is closed (its tasks cancelled and awaited) when the block ends."""
    scope = Scope(name)
    try:
        yield scope
    finally:
        await asyncio.shield(scope.close())


async def all_done(awaited: Iterable[Awaitable[None]]) -> None:
    """Do all of it at once, each to its end whatever becomes of the others; then raises the first failure, as it is."""
    ended = await asyncio.gather(*awaited, return_exceptions=True)
    for failure in ended:
        if failure is not None:
            raise failure


async def keep_running(
    run: Callable[[], Awaitable[None]],
    name: str,
    *,
    clock: Clock | None = None,
    backoff: Backoff | None = None,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Run a component for ever: started again with back-off when it fails.

    Returns when it has ended and `until()` holds, else only when cancelled.
    """
    clock = clock or SystemClock()
    backoff = backoff or Backoff(initial=0.1, limit=10.0, jitter=0.2)
    while True:
        started = clock.monotonic()
        try:
            await run()
            if until():
                return
            log.warning("component ended name=%s", name)
        except Exception:
            log.exception("component failed name=%s", name)
        if clock.monotonic() - started > 60:
            backoff.reset()
        await clock.sleep(backoff.next())
