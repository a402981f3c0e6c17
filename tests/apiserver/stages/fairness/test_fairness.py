"""Requests that wait for their turn, seen through a whole server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, server

from pybernetes.apiserver.http.message import Request, Response, StreamResponse
from pybernetes.apiserver.upkeep.keeper import SETTLE_SECONDS

FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
DEBUG = "/debug/api_priority_and_fairness"


class Slow:
    """A ConfigMap on its way: its last byte comes when it is told."""

    def __init__(self, api: Server, name: str, token: str = "bob", namespace: str = "default") -> None:
        self.come = asyncio.Event()
        self.reading = asyncio.Event()
        self._body = json.dumps({"metadata": {"name": name}}).encode()
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        request = Request("POST", path, "", [("authorization", f"Bearer {token}")], self)
        self.answer = asyncio.ensure_future(api._handler(request))

    async def read(self) -> bytes:
        self.reading.set()
        await self.come.wait()
        return self._body

    async def finish(self) -> int:
        self.come.set()
        return (await self.answer).status


@asynccontextmanager
async def tight_server(tmp_path: Path, *flags: str) -> AsyncIterator[Server]:
    """Two seats for all of bob's requests, in one queue with room for one."""
    async with server(tmp_path, "--max-requests-inflight=300", "--max-mutating-requests-inflight=0", *flags) as made:
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        subjects = [{"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"}]
        binding = {"metadata": {"name": "bob"}, "roleRef": ref, "subjects": subjects}
        assert (await made.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)).status == 201
        await configure(made, queues=1, length=1)
        yield made


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with tight_server(tmp_path) as made:
        yield made


async def configure(api: Server, *, queues: int, length: int, by: str = "") -> None:
    await api.delete(f"{FLOW}/flowschemas/bob")
    await api.delete(f"{FLOW}/prioritylevelconfigurations/tight")
    queuing = {"queues": queues, "handSize": 1, "queueLengthLimit": length}
    limited = {"nominalConcurrencyShares": 1, "limitResponse": {"type": "Queue", "queuing": queuing}}
    level = {"metadata": {"name": "tight"}, "spec": {"type": "Limited", "limited": limited}}
    assert (await api.post(f"{FLOW}/prioritylevelconfigurations", level)).status == 201
    every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    rule = {"subjects": [{"kind": "User", "user": {"name": "bob"}}], "resourceRules": [every]}
    spec: dict[str, Any] = {
        "matchingPrecedence": 10, "priorityLevelConfiguration": {"name": "tight"}, "rules": [rule],
    }  # fmt: skip
    if by:
        spec["distinguisherMethod"] = {"type": by}
    made = await api.post(f"{FLOW}/flowschemas", {"metadata": {"name": "bob"}, "spec": spec})
    assert made.status == 201, made.message


async def text(api: Server, path: str) -> str:
    answer = await api.raw("GET", path)
    assert isinstance(answer, Response)
    return answer.body.decode() if isinstance(answer.body, bytes) else b"".join(answer.body).decode()


async def row(api: Server, page: str, level: str = "tight") -> list[str]:
    lines = (await text(api, f"{DEBUG}/{page}")).splitlines()
    return next(([cell.strip() for cell in line.split(",")] for line in lines if line.startswith(level)), [])


async def test_what_finds_no_seat_waits_and_what_finds_no_queue_is_refused(api: Server) -> None:
    running = [Slow(api, "a"), Slow(api, "b")]
    for one in running:
        await one.reading.wait()
    waiting = Slow(api, "c")
    await asyncio.sleep(0)
    assert (await row(api, "dump_priority_levels"))[1:6] == ["1", "false", "false", "1", "2"]
    told = await row(api, "dump_requests?includeRequestDetails=1")
    assert told[:5] == ["tight", "bob", "0", "0", ""]
    assert told[10:] == ["bob", "create", MAPS, "default", "", "v1", "configmaps", ""]
    refused = await api.raw("POST", MAPS, {}, token="bob")
    assert isinstance(refused, Response)
    assert (refused.status, refused.content_type) == (429, "text/plain; charset=utf-8")
    assert refused.body == b"Too many requests, please try again later.\n"
    assert ("retry-after", "1") in refused.headers
    assert not waiting.reading.is_set()
    assert (await api.get(MAPS)).status == 200  # an administrator's are exempt
    assert await running[0].finish() == 201
    assert await waiting.finish() == 201
    assert await running[1].finish() == 201
    assert (await row(api, "dump_priority_levels"))[1:] == ["0", "true", "false", "0", "0", "3", "1", "0", "0"]
    metrics = await text(api, "/metrics")
    of = 'priority_level="tight",flow_schema="bob"'
    assert f'apiserver_flowcontrol_rejected_requests_total{{{of},reason="queue-full"}} 1\n' in metrics
    assert f"apiserver_flowcontrol_dispatched_requests_total{{{of}}} 3\n" in metrics
    assert f"apiserver_flowcontrol_current_executing_seats{{{of}}} 0\n" in metrics
    assert f'apiserver_flowcontrol_request_wait_duration_seconds_count{{{of},execute="true"}} 1\n' in metrics


async def test_answers_name_their_schema_and_level(api: Server) -> None:
    schema, level = await api.get(f"{FLOW}/flowschemas/bob"), await api.get(f"{FLOW}/prioritylevelconfigurations/tight")
    for path in (MAPS, f"{MAPS}/missing"):
        headers = dict((await api.raw("GET", path, token="bob")).headers)
        assert headers["x-kubernetes-pf-flowschema-uid"] == schema.tree["metadata"]["uid"]
        assert headers["x-kubernetes-pf-prioritylevel-uid"] == level.tree["metadata"]["uid"]


async def test_flows_take_turns_however_many_requests_one_of_them_has(api: Server) -> None:
    await configure(api, queues=64, length=100, by="ByNamespace")
    for namespace in ("heavy", "little"):
        await api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    first = [Slow(api, "first", namespace="heavy"), Slow(api, "second", namespace="heavy")]
    for one in first:
        await one.reading.wait()
    heavy = [Slow(api, f"h{number}", namespace="heavy") for number in range(10)]
    light = [Slow(api, f"l{number}", namespace="little") for number in range(2)]
    await asyncio.sleep(0)
    for one in first:
        assert await one.finish() == 201
    assert [sum(one.reading.is_set() for one in some) for some in (heavy, light)] == [1, 1]
    await api.clock.advance(1)
    assert [await heavy[0].finish(), await light[0].finish()] == [201, 201]
    assert [sum(one.reading.is_set() for one in some) for some in (heavy, light)] == [2, 2]
    assert await light[1].finish() == 201
    for one in heavy:
        assert await one.finish() == 201


async def test_a_request_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with tight_server(tmp_path, "--request-timeout=200ms") as api:
        running = [Slow(api, "a"), Slow(api, "b")]
        for one in running:
            await one.reading.wait()
        assert (await api.raw("GET", MAPS, token="bob")).status == 429
        assert (await row(api, "dump_priority_levels"))[4:] == ["0", "2", "2", "0", "1", "0"]
        for one in running:
            assert await one.finish() == 201


async def test_waiting_ends_with_the_client(api: Server) -> None:
    running = [Slow(api, "a"), Slow(api, "b")]
    for one in running:
        await one.reading.wait()
    gone = Slow(api, "c")
    await asyncio.sleep(0)
    gone.answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone.answer
    assert (await row(api, "dump_priority_levels"))[4:] == ["0", "2", "2", "0", "0", "1"]
    for one in running:
        assert await one.finish() == 201


async def test_a_watch_gives_its_seat_back_once_it_has_begun(api: Server) -> None:
    class Writer:
        def __init__(self) -> None:
            self.ending = asyncio.Event()
            self.written: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.written.append(data)

        write_framed = write

        def buffered(self) -> int:
            return 0

        async def drain(self) -> None:
            return

    query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    answer = await api.raw("GET", f"{MAPS}?{query}", token="bob")
    assert isinstance(answer, StreamResponse)
    assert (await row(api, "dump_priority_levels"))[5] == "1"
    writer = Writer()
    running = asyncio.ensure_future(answer.run(writer))
    await asyncio.sleep(0)
    assert writer.written
    assert (await row(api, "dump_priority_levels"))[5] == "0"
    assert not running.done()
    writer.ending.set()
    await running
    assert (await row(api, "dump_priority_levels"))[5] == "0"


async def test_seats_are_lent_while_requests_wait(api: Server) -> None:
    await configure(api, queues=1, length=50)
    slow = [Slow(api, f"m{number}") for number in range(20)]
    await asyncio.sleep(0)
    running = int((await row(api, "dump_priority_levels"))[5])
    assert running < 5
    await api.clock.advance(10)
    assert int((await row(api, "dump_priority_levels"))[5]) == 20
    assert {await one.finish() for one in slow} == {201}


async def test_without_the_feature_only_the_number_counts(tmp_path: Path) -> None:
    async with server(tmp_path, "--enable-priority-and-fairness=false") as api:
        headers = dict((await api.raw("GET", MAPS)).headers)
        assert "x-kubernetes-pf-flowschema-uid" not in headers
        assert (await api.raw("GET", f"{DEBUG}/dump_queues")).status == 404


async def test_a_server_without_seats_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="they must add up to something positive"):
        async with server(tmp_path, "--max-requests-inflight=0", "--max-mutating-requests-inflight=0"):
            pass


async def test_bootstrap_objects_come_back(api: Server) -> None:
    await api.clock.advance(SETTLE_SECONDS)
    await api.delete(f"{FLOW}/flowschemas/probes")
    path = f"{FLOW}/prioritylevelconfigurations/catch-all"
    await api.merge(path, {"spec": {"limited": {"nominalConcurrencyShares": 77}}})

    def is_back(found: Any, shares: Any) -> bool:
        return found.status == 200 and shares.tree["spec"]["limited"]["nominalConcurrencyShares"] == 5

    async with asyncio.timeout(5):
        while not is_back(await api.get(f"{FLOW}/flowschemas/probes"), await api.get(path)):
            await asyncio.sleep(0.005)
