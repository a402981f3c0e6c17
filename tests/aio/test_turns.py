"""Long work that gives way: what others do meanwhile, and how it ends."""

import asyncio
import weakref

import pytest

from pybernetes.aio.turns import Turns, give_way


def work_until(holds):
    while not holds():
        give_way()


async def worked(holds):
    work_until(holds)
    return "done"


@pytest.fixture
def turns():
    return Turns()


async def spawned(turns, work):
    async def run():
        return await turns.run(work)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    return task


async def test_others_go_on_meanwhile(turns):
    happened = asyncio.Event()
    long = await spawned(turns, worked(happened.is_set))
    assert not long.done()
    happened.set()
    assert await long == "done"


async def test_long_work_takes_turns(turns):
    seen = set()

    async def meet(me, other):
        seen.add(me)
        work_until(lambda: other in seen)
        return me

    first, second = await spawned(turns, meet("a", "b")), await spawned(turns, meet("b", "a"))
    assert (await first, await second) == ("a", "b")


async def test_long_work_that_is_cancelled_ends_in_its_midst(turns):
    left = []

    async def work():
        try:
            work_until(lambda: False)
        finally:
            left.append("work")

    task = await spawned(turns, work())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == ["work"]
    assert await turns.run(worked(lambda: True)) == "done"


async def test_what_is_awaited_within(turns):
    answer = asyncio.get_running_loop().create_future()

    async def work():
        work_until(lambda: True)
        async with asyncio.timeout(5):
            return await answer

    task = await spawned(turns, work())
    answer.set_result("answered")
    assert await task == "answered"


async def test_what_is_raised_within(turns):
    failed = asyncio.get_running_loop().create_future()
    failed.set_exception(ValueError("wrong"))

    async def work():
        await failed

    with pytest.raises(ValueError, match="wrong"):
        await turns.run(work())
    assert await turns.run(worked(lambda: True)) == "done"


async def test_turns_within_turns(turns):
    happened = asyncio.Event()

    async def outer():
        return await turns.run(worked(happened.is_set))

    task = await spawned(turns, outer())
    happened.set()
    assert await task == "done"


async def test_who_takes_no_turns_works_on():
    rounds = iter(range(1000))
    assert await worked(lambda: next(rounds) == 999) == "done"


async def test_turns_within_turns_go_on_while_others_have_their_stack(turns):
    inner, outer = asyncio.Event(), asyncio.Event()

    async def within():
        return await turns.run(worked(inner.is_set))

    first = await spawned(turns, within())
    second = await spawned(turns, worked(outer.is_set))
    inner.set()
    assert await first == "done"
    assert not second.done()
    outer.set()
    assert await second == "done"


async def test_what_is_returned_is_not_kept(turns):
    class Answer:
        pass

    async def work():
        return Answer()

    kept = weakref.ref(await turns.run(work()))
    assert kept() is None
