"""Two API servers over one etcd: each sees at once what the other has written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.apiserver.inprocess import TOKENS, Server
from tests.apiserver.test_old_watches import shown, watched
from tests.etcds import running_etcd

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.assembly import started
from pybernetes.apiserver.options import parse
from pybernetes.apiserver.storage import open_backend

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[list[Server]]:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text(TOKENS)
    with running_etcd(tmp_path / "etcd") as etcd:
        async with AsyncExitStack() as stack:
            made = []
            for number in (1, 2):
                options = parse([
                    f"--token-auth-file={tokens}", "--authorization-mode=RBAC", "--secure-port=6443",
                    f"--advertise-address=10.0.0.{number}", f"--etcd-servers=http://{etcd}",
                ])  # fmt: skip
                backend = await open_backend(options.storage)
                stack.push_async_callback(backend.close)
                scope = await stack.enter_async_context(open_scope(f"server{number}"))
                clock = FakeClock()
                made.append(Server(await stack.enter_async_context(started(options, backend, scope, clock)), clock))
            yield made


async def test_reads_see_the_other_servers_writes(servers: list[Server]) -> None:
    one, other = servers
    for number in range(20):
        name, value = f"m{number}", str(number)
        assert (await one.post(MAPS, {"metadata": {"name": name}, "data": {"k": value}})).status == 201
        assert (await other.get(f"{MAPS}/{name}")).tree["data"] == {"k": value}
        assert len((await other.get(MAPS)).tree["items"]) == number + 1
        assert (await other.merge(f"{MAPS}/{name}", {"data": {"k": "changed"}})).status == 200
        assert (await one.get(f"{MAPS}/{name}")).tree["data"] == {"k": "changed"}
        assert (await one.post(MAPS, {"metadata": {"name": name}})).status == 409
    for number in range(20):
        assert (await other.delete(f"{MAPS}/m{number}")).status == 200
        assert (await one.get(f"{MAPS}/m{number}")).status == 404
        assert (await one.post(MAPS, {"metadata": {"name": f"m{number}"}})).status == 201
    found = await asyncio.gather(*(server.get(MAPS) for server in servers * 20))
    assert {len(reply.tree["items"]) for reply in found} == {20}


async def test_names_are_taken_once(servers: list[Server]) -> None:
    made = await asyncio.gather(
        *(server.post(MAPS, {"metadata": {"name": f"n{number}"}}) for number in range(10) for server in servers)
    )
    assert sorted(reply.status for reply in made) == [201] * 10 + [409] * 10


async def addresses(server: Server) -> list[str]:
    """Where the service `kubernetes` leads, in both of its forms."""
    endpoints = (await server.get("/api/v1/namespaces/default/endpoints/kubernetes")).tree
    slices = (await server.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")).tree
    found = [one["ip"] for one in endpoints["subsets"][0]["addresses"]]
    assert found == [one["addresses"][0] for one in slices["endpoints"]]
    return found


async def test_the_service_leads_to_every_server_that_lives(servers: list[Server]) -> None:
    one, other = servers
    assert await addresses(one) == ["10.0.0.1", "10.0.0.2"]
    assert (await other.raw("GET", "/readyz")).status == 200
    await other._handler.end()
    async with asyncio.timeout(10):  # the one that lives may just have been telling what it knew
        while await addresses(one) != ["10.0.0.1"]:
            await asyncio.sleep(0.01)
    assert (await other.raw("GET", "/readyz")).status == 500
    assert (await other.raw("GET", "/livez")).status == 200
    assert (await other.get(MAPS)).status == 200  # it still serves those who come


async def test_servers_say_that_they_are_there(servers: list[Server]) -> None:
    one, other = servers
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
    label = "?labelSelector=apiserver.kubernetes.io%2Fidentity%3Dkube-apiserver"

    async def names() -> set[str]:
        return {item["metadata"]["name"] for item in (await one.get(leases + label)).tree["items"]}

    async with asyncio.timeout(10):
        while len(await names()) < 2:
            await asyncio.sleep(0.01)
    stale = {
        "metadata": {"name": "apiserver-gone", "labels": {"apiserver.kubernetes.io/identity": "kube-apiserver"}},
        "spec": {"holderIdentity": "x", "leaseDurationSeconds": 3600, "renewTime": "2020-01-01T00:00:00.000000Z"},
    }
    assert (await one.post(leases, stale)).status == 201
    async with asyncio.timeout(10):
        while "apiserver-gone" in await names():
            await other.clock.advance(10)
    assert len(await names()) == 2


async def test_a_watch_begins_before_the_server_it_asks(servers: list[Server]) -> None:
    one, other = servers
    first = (await one.post(MAPS, {"metadata": {"name": "a"}})).tree["metadata"]["resourceVersion"]
    await one.post(MAPS, {"metadata": {"name": "b"}})
    await one.delete(f"{MAPS}/b")
    await other.get(MAPS)
    served = other._handler.registry.served("", "v1", "configmaps")  # type: ignore[attr-defined]
    served.store.cache.reset(served.store.cache.select(), served.store.revision)  # as after a start
    events = await watched(other, f"{MAPS}?watch=true&resourceVersion={first}", 2)
    assert shown(events) == [("ADDED", "b", ""), ("DELETED", "b", "")]


async def test_what_is_old_is_forgotten(servers: list[Server]) -> None:
    one, _ = servers
    made = await one.post(MAPS, {"metadata": {"name": "m"}})
    version = made.tree["metadata"]["resourceVersion"]
    exact = f"{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact"
    assert (await one.get(exact)).status == 200
    await one.merge(f"{MAPS}/m", {"data": {"k": "v"}})
    async with asyncio.timeout(20):
        while (gone := await one.get(exact)).status != 410:
            await one.clock.advance(300)
            await asyncio.sleep(0.01)
    assert gone.message == "The resourceVersion for the provided list is too old."
