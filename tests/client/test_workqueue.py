"""The work queue: deduplication, delays, back-off, and the workers on top."""

import asyncio

import pytest

from pybernetes.aio.clock import FakeClock
from pybernetes.client.workqueue import QueueClosedError, TerminalError, WorkQueue, run_workers


async def test_a_key_waits_once_however_often_it_is_added() -> None:
    queue: WorkQueue[str] = WorkQueue(FakeClock())
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_added_during_work_comes_again_after_done() -> None:
    queue: WorkQueue[str] = WorkQueue(FakeClock())
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done(key)
    assert await queue.get() == "a"


async def test_delays_end_in_order_and_the_shortest_counts() -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add_after("slow", 10)
    queue.add_after("fast", 1)
    queue.add_after("slow", 5)
    queue.add_after("slow", 20)
    await clock.advance(0)
    await clock.advance(1)
    assert [await queue.get()] == ["fast"]
    await clock.advance(4)
    assert await queue.get() == "slow"
    queue.done("slow")
    await clock.advance(30)
    assert len(queue) == 0


async def test_back_off_doubles_until_forgotten() -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    for delay in (0.005, 0.01, 0.02, 0.04):
        queue.add_rate_limited("a")
        await clock.advance(0)
        await clock.advance(delay - 0.001)
        assert len(queue) == 0
        await clock.advance(0.002)
        queue.done(await queue.get())
    assert queue.failures("a") == 4
    queue.forget("a")
    assert queue.failures("a") == 0


async def test_close_ends_waiting_gets() -> None:
    queue: WorkQueue[str] = WorkQueue(FakeClock())
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(_get_or_closed(queue)) for _ in range(3)]
        await asyncio.sleep(0)
        queue.close()
    assert [task.result() for task in waiting] == ["closed"] * 3


async def _get_or_closed(queue: WorkQueue[str]) -> str:
    try:
        return await queue.get()
    except QueueClosedError:
        return "closed"


async def test_a_cancelled_get_hands_its_turn_on() -> None:
    queue: WorkQueue[str] = WorkQueue(FakeClock())
    async with asyncio.TaskGroup() as group:
        first = group.create_task(_get_or_closed(queue))
        second = group.create_task(_get_or_closed(queue))
        await asyncio.sleep(0)
        queue.add("a")
        first.cancel()
    assert second.result() == "a"


async def test_workers_retry_errors_but_not_terminal_ones() -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    seen: list[str] = []

    async def reconcile(key: str) -> float | None:
        seen.append(key)
        if key == "flaky" and seen.count("flaky") < 3:
            raise ValueError("not yet")
        if key == "broken":
            raise TerminalError("never")
        return 60 if key == "again" and seen.count("again") < 2 else None

    async with asyncio.TaskGroup() as group:
        group.create_task(run_workers(queue, reconcile, workers=2, name="test"))
        for key in ("flaky", "broken", "again"):
            queue.add(key)
        await clock.settle()
        for _ in range(10):
            await clock.advance(10)
        queue.close()
    assert sorted(seen) == ["again", "again", "broken", "flaky", "flaky", "flaky"]


@pytest.mark.parametrize("workers", [1, 3])
async def test_no_more_than_the_given_workers_run_at_once(workers: int) -> None:
    clock = FakeClock()
    queue: WorkQueue[int] = WorkQueue(clock)
    running = most = 0

    async def reconcile(key: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await clock.sleep(1)
        running -= 1

    async with asyncio.TaskGroup() as group:
        group.create_task(run_workers(queue, reconcile, workers=workers, name="test"))
        for key in range(6):
            queue.add(key)
        for _ in range(8):
            await clock.advance(1)
        queue.close()
    assert (most, running) == (workers, 0)
