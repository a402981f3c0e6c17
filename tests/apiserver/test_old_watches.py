"""Watches that begin before the server's memory: the store tells what has been, selectors and versions included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import TOKENS, Server

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.assembly import started
from pybernetes.apiserver.http.message import StreamResponse
from pybernetes.apiserver.options import parse
from pybernetes.store.backend import Backend
from pybernetes.store.sqlite import open_store

MAPS = "/api/v1/namespaces/default/configmaps"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/example.com/v1/namespaces/default/things"


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    store = await open_store(tmp_path / "store.db")
    yield store
    await store.close()


@asynccontextmanager
async def running(tmp_path: Path, backend: Backend, *flags: str) -> AsyncIterator[Server]:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text(TOKENS)
    options = parse([f"--token-auth-file={tokens}", "--secure-port=1", *flags])
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with open_scope("test") as scope, started(options, backend, scope, clock) as handler:
        yield Server(handler, clock)


class Writer:
    """What a client of a watch reads."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.ending = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.events += map(json.loads, data.splitlines())

    def write_framed(self, chunks: bytes) -> None:
        self.write(chunks[chunks.index(b"\r\n") + 2 : -2])

    def buffered(self) -> int:
        return 0

    async def drain(self) -> None:
        return


async def watched(api: Server, target: str, count: int) -> list[dict[str, Any]]:
    """The first events of a watch."""
    answer = await api.raw("GET", target)
    assert isinstance(answer, StreamResponse), answer
    writer = Writer()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(answer.run(writer))  # type: ignore[arg-type]
        while len(writer.events) < count:
            await asyncio.sleep(0.01)
        writer.ending.set()
    return writer.events


def shown(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    metadata = [(event["type"], event["object"]["metadata"]) for event in events]
    return [(kind, one["name"], one.get("labels", {}).get("a", "")) for kind, one in metadata]


async def test_a_restarted_server_goes_on_where_its_clients_were(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend) as api:
        first = await api.post(MAPS, {"metadata": {"name": "first", "labels": {"a": "1"}}})
        since = first.tree["metadata"]["resourceVersion"]
        await api.post(MAPS, {"metadata": {"name": "second", "labels": {"a": "1"}}})
        await api.post("/api/v1/namespaces/other/configmaps", {"metadata": {"name": "else"}})
        await api.merge(f"{MAPS}/first", {"metadata": {"labels": {"a": "2"}}})
        await api.merge(f"{MAPS}/second", {"metadata": {"labels": {"a": "2"}}})
        gone = (await api.delete(f"{MAPS}/first")).tree
    async with running(tmp_path, backend) as api:
        await api.post(MAPS, {"metadata": {"name": "third", "labels": {"a": "1"}}})
        query = f"watch=true&resourceVersion={since}"
        events = await watched(api, f"{MAPS}?{query}", 5)
        assert shown(events) == [
            ("ADDED", "second", "1"), ("MODIFIED", "first", "2"), ("MODIFIED", "second", "2"), ("DELETED", "first", "2"),
            ("ADDED", "third", "1"),
        ]  # fmt: skip
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(versions)
        assert gone["details"]["uid"] == events[3]["object"]["metadata"]["uid"]
        assert shown(await watched(api, f"{MAPS}?{query}&labelSelector=a=1", 4)) == [
            ("ADDED", "second", "1"), ("DELETED", "first", "1"), ("DELETED", "second", "1"), ("ADDED", "third", "1"),
        ]  # fmt: skip


async def test_more_than_the_window_holds_is_seen(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend, "--default-watch-cache-size=3") as api:
        since = (await api.post(MAPS, {"metadata": {"name": "m0"}})).tree["metadata"]["resourceVersion"]
        for number in range(1, 10):
            await api.post(MAPS, {"metadata": {"name": f"m{number}"}})
        events = await watched(api, f"{MAPS}?watch=true&resourceVersion={since}", 9)
        assert [name for _, name, _ in shown(events)] == [f"m{number}" for number in range(1, 10)]


async def test_custom_objects_come_in_the_version_that_is_asked_for(tmp_path: Path, backend: Backend) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": name, "served": True, "storage": name == "v2", "schema": schema} for name in ("v1", "v2")]
    names = {"plural": "things", "kind": "Thing", "singular": "thing", "listKind": "ThingList"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": versions}
    definition = {"metadata": {"name": "things.example.com"}, "spec": spec}
    async with running(tmp_path, backend) as api:
        since = (await api.post(CRDS, definition)).tree["metadata"]["resourceVersion"]
        thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}}
        while (await api.raw("POST", THINGS, thing)).status != 201:
            await api.clock.settle()
        await api.delete(f"{THINGS}/t")
    async with running(tmp_path, backend) as api:
        while (await api.raw("GET", THINGS)).status != 200:
            await api.clock.settle()
        events = await watched(api, f"{THINGS}?watch=true&resourceVersion={since}", 2)
        assert [(one["type"], one["object"]["apiVersion"]) for one in events] == [
            ("ADDED", "example.com/v1"),
            ("DELETED", "example.com/v1"),
        ]


async def test_what_the_store_has_forgotten_is_gone(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend) as api:
        since = (await api.post(MAPS, {"metadata": {"name": "m"}})).tree["metadata"]["resourceVersion"]
        await api.post(MAPS, {"metadata": {"name": "n"}})
    await backend.compact(await backend.current_revision())
    async with running(tmp_path, backend) as api:
        (event,) = await watched(api, f"{MAPS}?watch=true&resourceVersion={since}", 1)
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert event["object"]["message"].startswith(f"too old resource version: {since} (")
