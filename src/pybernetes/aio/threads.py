"""A named worker thread behind an async face, for what may block: files, SQLite, syscalls."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Worker:
    """Runs blocking calls, in order if `threads` is 1. Close it when done; pending calls finish first."""

    def __init__(self, name: str, threads: int = 1, *, begin: Callable[[], object] | None = None) -> None:
        """Each thread calls `begin` first; if that raises, so does every `run`, with BrokenThreadPool."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=begin)

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The call's result. Cancelling the caller does not stop a call that has begun."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: call(*args, **kwargs))

    async def finish(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As `run`, but who is cancelled hears of it once the call is over: nothing is taken away below it."""
        return await finish(self.run(call, *args, **kwargs))

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown, wait=True)


async def finish(awaited: Awaitable[R]) -> R:
    """Its result. Who is cancelled meanwhile hears of it once this is over: for what goes on in another thread.

    Were a descriptor closed below such a call, it would go on with whatever is opened next.
    """
    pending = asyncio.ensure_future(awaited)
    try:
        return await asyncio.shield(pending)
    except asyncio.CancelledError:
        while not pending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait((pending,))
        if not pending.cancelled():
            pending.exception()  # nobody else asks for it
        raise
