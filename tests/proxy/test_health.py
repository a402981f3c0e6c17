"""What the proxy says of itself."""

import aiohttp

from pybernetes.aio.clock import FakeClock
from pybernetes.proxy.health import Health, serving, serving_spare


async def test_health_and_metrics_are_served() -> None:
    clock = FakeClock()
    health = Health(clock)
    health.synced(0.002)
    async with serving(health, "127.0.0.1:0", "") as (port,), aiohttp.ClientSession() as session:
        for path in ("/healthz", "/livez"):
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == 200
                assert (await answer.json())["nodeEligible"] is True
        async with session.get(f"http://127.0.0.1:{port}/proxyMode") as answer:
            assert await answer.text() == "nftables"
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert "kubeproxy_sync_proxy_rules_duration_seconds_count 1" in await answer.text()


async def test_changes_that_do_not_arrive_are_told_after_a_while() -> None:
    clock = FakeClock()
    health = Health(clock)
    health.failed()
    assert health.is_healthy()
    await clock.advance(61)
    health.failed()
    async with serving(health, "127.0.0.1:0") as (port,), aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 503
        health.synced(0.001)
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200


async def test_what_another_proxy_has_is_left_to_it() -> None:
    health = Health(FakeClock())
    async with (
        serving(health, "127.0.0.1:0") as (taken,),
        serving_spare(health, [f"127.0.0.1:{taken}", "127.0.0.1:0"]) as (port,),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/healthz") as answer,
    ):
        assert answer.status == 200
