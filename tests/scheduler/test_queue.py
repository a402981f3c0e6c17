"""The queue: priority first, back-off by attempts, and who is woken by what."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.scheduler.test_cycle import pod

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import open_scope
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.queue import UNSCHEDULABLE_LIMIT, Queue, backoff


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def queue(clock: FakeClock) -> AsyncIterator[Queue]:
    async with open_scope("test") as scope:
        yield Queue(clock, scope)


async def popped(queue: Queue) -> str | None:
    """The key of the next pod; None if none is active."""
    try:
        async with asyncio.timeout(0):
            return (await queue.pop()).pod.metadata.name
    except TimeoutError:
        return None


def tried(info: PodInfo, attempts: int, clock: FakeClock) -> PodInfo:
    return PodInfo(info.pod, attempts, clock.monotonic())


async def test_higher_priority_first_then_longer_wait(queue: Queue, clock: FakeClock) -> None:
    for name, priority in (("first", 0), ("second", 0), ("urgent", 9)):
        queue.add(PodInfo(pod(name, priority=priority).pod, added=clock.monotonic()))
        await clock.advance(1)
    assert [await popped(queue) for _ in range(4)] == ["urgent", "first", "second", None]


async def test_removed_pod_never_comes(queue: Queue) -> None:
    queue.add(pod("a"))
    queue.remove("a")
    assert await popped(queue) is None
    assert len(queue) == 0


async def test_unschedulable_waits_for_a_change_that_concerns_it(queue: Queue, clock: FakeClock) -> None:
    info = tried(pod("a"), 1, clock)
    queue.give_back_unschedulable(info, frozenset({"NodePorts"}))
    await clock.advance(20)
    queue.wake("AssignedPodAdd", frozenset({"InterPodAffinity"}))
    assert await popped(queue) is None
    queue.wake("AssignedPodDelete", frozenset({"NodePorts"}))
    assert await popped(queue) == "a"


async def test_woken_pod_still_backs_off(queue: Queue, clock: FakeClock) -> None:
    queue.give_back_unschedulable(tried(pod("a"), 3, clock), frozenset())
    queue.wake("NodeAdd")
    assert await popped(queue) is None
    await clock.advance(backoff(3))
    assert await popped(queue) == "a"


async def test_forgotten_pod_is_tried_again_after_five_minutes(queue: Queue, clock: FakeClock) -> None:
    queue.give_back_unschedulable(tried(pod("a"), 1, clock), frozenset({"NodeAffinity"}))
    await clock.advance(UNSCHEDULABLE_LIMIT)
    assert await popped(queue) == "a"


async def test_failed_pod_backs_off(queue: Queue, clock: FakeClock) -> None:
    queue.give_back_failed(tried(pod("a"), 1, clock))
    assert await popped(queue) is None
    await clock.advance(1)
    assert await popped(queue) == "a"


async def test_changed_pod_is_tried_at_once(queue: Queue, clock: FakeClock) -> None:
    queue.give_back_unschedulable(tried(pod("a"), 5, clock), frozenset({"NodeAffinity"}))
    queue.add(pod("a", nodeSelector={"disk": "ssd"}))
    assert await popped(queue) == "a"
    await clock.advance(UNSCHEDULABLE_LIMIT)
    assert await popped(queue) is None


def test_backoff_doubles_up_to_ten_seconds() -> None:
    assert [backoff(attempts) for attempts in range(1, 7)] == [1, 2, 4, 8, 10, 10]
