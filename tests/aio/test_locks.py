"""Several locks at once."""

import asyncio

from pybernetes.aio.locks import Locks


async def test_who_wants_the_same_waits_and_others_do_not():
    locks, order, go = Locks(), [], asyncio.Event()

    async def hold(name, keys, wait=None):
        async with locks.holding(keys):
            order.append(name)
            if wait is not None:
                await wait.wait()

    first = asyncio.ensure_future(hold("ab", ["b", "a"], go))
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(hold(name, keys)) for name, keys in (("bc", "cb"), ("d", "d"))]
    for _ in range(5):
        await asyncio.sleep(0)
    assert order == ["ab", "d"]
    go.set()
    await asyncio.gather(first, *rest)
    assert order == ["ab", "d", "bc"]
    assert not len(locks._locks)
