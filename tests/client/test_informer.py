"""Informers against a server that drops connections, forgets the past and refuses what it does not know."""

import asyncio

import pytest
from tests.client.conftest import FakeServer, Tree

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.codec import WatchEvent, typed_codec
from pybernetes.client.informer import Informer, Informers
from pybernetes.client.rest import Client
from pybernetes.client.watch import Selection

PODS = "/api/v1/namespaces/default/pods"


def pod(node: str = "n1", phase: str = "Pending") -> Tree:
    return {"spec": {"nodeName": node, "containers": []}, "status": {"phase": phase}}


async def eventually(condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.002)


def phases(informer: Informer[core_v1.Pod]) -> dict[str, str]:
    return {found.metadata.name or "": found.status.phase or "" for found in informer.list()}


@pytest.mark.parametrize("streams", [True, False], ids=["initial-events", "plain-list"])
async def test_content_follows_the_server(server: FakeServer, client: Client, streams: bool) -> None:
    server.streams_initial_events = streams
    await server.put(f"{PODS}/a", pod())
    await server.put(f"{PODS}/b", pod("n2"))
    informers = Informers(client)
    pods = informers.of(core_v1.Pod)
    assert informers.of(core_v1.Pod) is pods
    pods.add_index("node", lambda found: [found.spec.node_name or ""])
    changes: list[tuple[str | None, str | None]] = []
    pods.subscribe(lambda old, new: changes.append((old and old.status.phase, new and new.status.phase)))
    async with informers.running():
        await informers.wait_synced()
        assert phases(pods) == {"a": "Pending", "b": "Pending"}
        await server.put(f"{PODS}/a", pod("n2", "Running"))
        await server.remove(f"{PODS}/b")
        await eventually(lambda: len(changes) == 4)
    assert [found.metadata.name for found in pods.by_index("node", "n2")] == ["a"]
    assert pods.by_index("node", "n1") == []
    assert changes == [(None, "Pending"), (None, "Pending"), ("Pending", "Running"), ("Pending", None)]


async def test_a_dropped_watch_resumes_without_gap_or_repeat(server: FakeServer, client: Client) -> None:
    informers = Informers(client)
    pods = informers.of(core_v1.Pod)
    seen: list[str | None] = []
    pods.subscribe(lambda old, new: seen.append(new and new.metadata.resource_version))
    async with informers.running():
        await informers.wait_synced()
        for number in range(5):
            await server.put(f"{PODS}/p{number}", pod())
            server.drop_connections()
        await eventually(lambda: len(pods) == 5)
    assert seen == ["2", "3", "4", "5", "6"]
    assert len([request for request in server.requests if "sendInitialEvents" in request.query]) == 1


async def test_after_410_everything_is_read_anew(server: FakeServer, client: Client) -> None:
    await server.put(f"{PODS}/a", pod())
    await server.put(f"{PODS}/b", pod())
    informers = Informers(client)
    pods = informers.of(core_v1.Pod)
    gone: list[str | None] = []
    pods.subscribe(lambda old, new: gone.append(old.metadata.name) if old and not new else None)
    async with informers.running():
        await informers.wait_synced()
        server.fail_next(410, "Expired")
        server.drop_connections()
        await server.remove(f"{PODS}/a")
        server.compact()
        await server.put(f"{PODS}/c", pod())
        await eventually(lambda: set(phases(pods)) == {"b", "c"})
    assert gone == ["a"]


async def test_an_object_made_anew_is_a_deletion_and_a_creation(server: FakeServer, client: Client) -> None:
    await server.put(f"{PODS}/a", {"metadata": {"uid": "one"}, **pod()})
    informers = Informers(client)
    pods = informers.of(core_v1.Pod)
    changes: list[tuple[str | None, str | None]] = []
    pods.subscribe(lambda old, new: changes.append((old and old.metadata.uid, new and new.metadata.uid)))
    async with informers.running():
        await informers.wait_synced()
        await server.put(f"{PODS}/a", {"metadata": {"uid": "two"}, **pod()})
        await eventually(lambda: len(changes) == 3)
    assert changes == [(None, "one"), ("one", None), (None, "two")]


async def test_an_informer_asked_for_late_starts_at_once_and_replays(server: FakeServer, client: Client) -> None:
    await server.put(f"{PODS}/a", pod())
    informers = Informers(client)
    async with informers.running():
        pods = informers.of(core_v1.Pod, "default")
        await informers.wait_synced()
        names: list[str | None] = []
        pods.subscribe(lambda old, new: names.append(new and new.metadata.name))
        assert names == ["a"]
        informers.forget(pods)
        assert informers.of(core_v1.Pod, "default") is not pods


async def test_a_failing_handler_does_not_stop_the_others(server: FakeServer, client: Client) -> None:
    informers = Informers(client)
    pods = informers.of(core_v1.Pod)
    seen: list[str | None] = []
    pods.subscribe(lambda old, new: seen.append(str(1 / 0)))
    pods.subscribe(lambda old, new: seen.append(new and new.metadata.name))
    async with informers.running():
        await informers.wait_synced()
        await server.put(f"{PODS}/a", pod())
        await eventually(lambda: seen == ["a"])


def typed(name: str, version: int, uid: str = "u", phase: str = "Pending") -> core_v1.Pod:
    meta = meta_v1.ObjectMeta(name=name, namespace="default", uid=uid, resource_version=str(version))
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[]), status=core_v1.PodStatus(phase=phase))


def seen(kind: str, found: core_v1.Pod) -> WatchEvent[core_v1.Pod]:
    return WatchEvent(kind, found, found.metadata.resource_version or "")


@pytest.fixture
def cached() -> Informer[core_v1.Pod]:
    informer = Informer(Selection(typed_codec(core_v1.Pod)))
    informer.replace([typed("a", 5)], "10")
    return informer


def test_own_writes_are_read_at_once_and_told_once(cached: Informer[core_v1.Pod]) -> None:
    told: list[str | None] = []
    cached.subscribe(lambda old, new: told.append(new and new.status.phase))
    cached.assume(typed("a", 14, phase="Running"))
    cached.apply(seen("MODIFIED", typed("a", 12, phase="Stale")))
    cached.apply(seen("MODIFIED", typed("a", 14, phase="Running")))
    cached.apply(seen("MODIFIED", typed("a", 15, phase="Failed")))
    assert told == ["Pending", "Running", "Failed"]


def test_an_answer_that_comes_after_its_event_is_old(cached: Informer[core_v1.Pod]) -> None:
    cached.apply(seen("ADDED", typed("b", 11)))
    cached.apply(seen("DELETED", typed("b", 12)))
    cached.assume(typed("b", 11))
    assert cached.get("b", "default") is None


def test_a_list_older_than_an_own_write_does_not_undo_it(cached: Informer[core_v1.Pod]) -> None:
    cached.assume(typed("b", 20))
    cached.replace([typed("a", 5)], "15")
    assert set(phases(cached)) == {"a", "b"}
    cached.replace([typed("a", 5)], "25")
    assert set(phases(cached)) == {"a"}


def test_a_deletion_before_an_own_creation_does_not_undo_it(cached: Informer[core_v1.Pod]) -> None:
    cached.assume(typed("a", 20, uid="new"))
    cached.apply(seen("DELETED", typed("a", 19)))
    found = cached.get("a", "default")
    assert found is not None
    assert found.metadata.uid == "new"


def test_groups_follow_their_objects(cached: Informer[core_v1.Pod]) -> None:
    def place(found: core_v1.Pod) -> tuple[str, str] | None:
        phase = found.status.phase or ""
        return None if phase == "Failed" else (found.metadata.uid or "", phase)

    def keys(group: str) -> dict[str, list[str]]:
        return {what: [name for _, name in found] for what, found in cached.group("phases", group).items()}

    cached.add_groups("phases", place)
    cached.apply(seen("ADDED", typed("b", 11)))
    assert keys("u") == {"Pending": ["a", "b"]}
    cached.apply(seen("MODIFIED", typed("a", 12, phase="Running")))
    cached.apply(seen("MODIFIED", typed("b", 13)))
    assert keys("u") == {"Pending": ["b"], "Running": ["a"]}
    cached.apply(seen("MODIFIED", typed("a", 14, phase="Failed")))
    cached.apply(seen("MODIFIED", typed("b", 15, uid="v")))
    assert (keys("u"), keys("v")) == ({}, {"Pending": ["b"]})
    cached.apply(seen("DELETED", typed("b", 16, uid="v")))
    assert keys("v") == {}
