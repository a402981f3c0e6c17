"""Leader election between two candidates over one lease."""

import asyncio

import pytest
from tests.client.conftest import FakeServer

from pybernetes.aio.clock import FakeClock
from pybernetes.client.election import Elector, LeadershipLostError, run_leader_election
from pybernetes.client.rest import Client

LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/manager"


def elector(client: Client, identity: str, clock: FakeClock) -> Elector:
    return Elector(client, "manager", "kube-system", identity, clock=clock)


async def test_the_first_takes_a_free_lease_and_the_second_does_not(server: FakeServer, client: Client) -> None:
    clock = FakeClock()
    first, second = elector(client, "a", clock), elector(client, "b", clock)
    await first.acquire()
    assert await second._try_once() is False
    assert server.objects[LEASE]["spec"]["holderIdentity"] == "a"


async def test_a_silent_leader_is_replaced_once_its_lease_ran_out(server: FakeServer, client: Client) -> None:
    clock = FakeClock()
    first, second = elector(client, "a", clock), elector(client, "b", clock)
    await first.acquire()
    await second._try_once()
    await clock.advance(14)
    assert await second._try_once() is False
    await clock.advance(2)
    assert await second._try_once() is True
    spec = server.objects[LEASE]["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("b", 1)
    assert await first._try_once() is False


async def test_a_renewed_lease_is_not_taken(server: FakeServer, client: Client) -> None:
    clock = FakeClock()
    first, second = elector(client, "a", clock), elector(client, "b", clock)
    await first.acquire()
    for _ in range(5):
        await clock.advance(10)
        assert await first._try_once() is True
        assert await second._try_once() is False


async def test_the_lease_is_given_up_at_the_end(server: FakeServer, client: Client) -> None:
    ran = asyncio.Event()

    async def run() -> None:
        ran.set()

    await run_leader_election(client, lease="manager", namespace="kube-system", identity="a", run=run)
    assert ran.is_set()
    assert server.objects[LEASE]["spec"]["holderIdentity"] == ""


async def test_a_leader_that_cannot_renew_stops_working(server: FakeServer, client: Client) -> None:
    clock = FakeClock()
    first = elector(client, "a", clock)
    await first.acquire()
    async with asyncio.TaskGroup() as group:
        holding = group.create_task(_outcome(first))
        await clock.settle()
        for _ in range(8):
            server.fail_next(500, "InternalError")
            await clock.advance(2)
            await asyncio.sleep(0.02)
    assert holding.result() == "lost"


async def _outcome(candidate: Elector) -> str:
    with pytest.raises(LeadershipLostError):
        await candidate.hold()
    return "lost"
