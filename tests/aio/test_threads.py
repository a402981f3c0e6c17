"""Calls in other threads, and who waits for them."""

import asyncio
import threading

import pytest

from pybernetes.aio.threads import Worker, finish


async def test_who_is_cancelled_hears_of_it_once_the_call_is_over() -> None:
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    steps: list[str] = []

    def call() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        steps.append("called")

    async def wait() -> None:
        try:
            await finish(asyncio.to_thread(call))
        finally:
            steps.append("ended")

    waiting = asyncio.ensure_future(wait())
    await begun.wait()
    for _ in range(3):
        waiting.cancel()
        await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert steps == ["called", "ended"]


async def test_a_call_that_fails_after_its_caller_was_cancelled_is_no_more_than_that() -> None:
    worker, begun, go_on = Worker("test"), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def call() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        raise OSError("disk")

    waiting = asyncio.ensure_future(worker.finish(call))
    await begun.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await worker.close()
