"""Watches: from a state, from a revision, through selectors."""

import asyncio
import json

BASE = "/api/v1/namespaces/default/configmaps"


class Writer:
    """Collects what a stream writes."""

    def __init__(self):
        self.lines = []
        self.ending = asyncio.Event()
        self.behind = 0

    def write(self, data):
        self.lines += data.splitlines()

    def write_framed(self, chunks):
        self.write(chunks[chunks.index(b"\r\n") + 2 : -2])

    def buffered(self):
        return self.behind

    @property
    def events(self):
        parsed = [json.loads(line) for line in self.lines]
        return [(event["type"], event["object"].get("metadata", {}).get("name")) for event in parsed]


async def watching(api, query):
    """A running watch: its writer and its task."""
    answer = await api.stream(f"{BASE}?watch=true&{query}")
    writer = Writer()
    task = asyncio.ensure_future(answer.run(writer))
    await asyncio.sleep(0)
    return writer, task


async def make(api, name, **labels):
    return await api.call("POST", BASE, {"metadata": {"name": name, "labels": labels}})


async def test_without_a_revision_the_state_comes_first(api):
    await make(api, "a")
    writer, task = await watching(api, "")
    await make(api, "b")
    await api.call("DELETE", f"{BASE}/a")
    writer.ending.set()
    await task
    assert writer.events == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]


async def test_the_old_path_of_one_object_tells_of_that_alone(api):
    await make(api, "a")
    await make(api, "b")
    answer = await api.stream("/api/v1/watch/namespaces/default/configmaps/b")
    writer = Writer()
    task = asyncio.ensure_future(answer.run(writer))
    await asyncio.sleep(0)
    await api.call("DELETE", f"{BASE}/a")
    await api.call("DELETE", f"{BASE}/b")
    writer.ending.set()
    await task
    assert writer.events == [("ADDED", "b"), ("DELETED", "b")]


async def test_from_a_revision_only_what_follows(api):
    made = await make(api, "a")
    await make(api, "b")
    writer, task = await watching(api, f"resourceVersion={made.body['metadata']['resourceVersion']}")
    writer.ending.set()
    await task
    assert writer.events == [("ADDED", "b")]


async def test_objects_enter_and_leave_a_selector(api):
    writer, task = await watching(api, "labelSelector=l=1")
    await make(api, "a", l="2")
    merge = "application/merge-patch+json"
    for value in ("1", "2"):
        await api.call("PATCH", f"{BASE}/a", {"metadata": {"labels": {"l": value}}}, content_type=merge)
    writer.ending.set()
    await task
    assert writer.events == [("ADDED", "a"), ("DELETED", "a")]


async def test_initial_events_end_with_a_bookmark(api):
    await make(api, "a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    writer, task = await watching(api, query)
    writer.ending.set()
    await task
    last = json.loads(writer.lines[-1])
    assert last["type"] == "BOOKMARK"
    assert last["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_client_that_does_not_read_is_dropped(api):
    writer, task = await watching(api, "")
    writer.behind = 1 << 30
    await make(api, "a")
    await asyncio.wait_for(task, 1)
    assert writer.events == []


async def test_a_revision_that_the_store_has_forgotten_is_gone(api):
    answer = await api.stream(f"{BASE}?watch=true&resourceVersion=1")
    store = api.server.registry.served("", "v1", "configmaps").store
    store.cache.reset(store.cache.select(), store.revision)
    await store._access.backend.compact(store.revision)
    writer = Writer()
    await answer.run(writer)
    error = json.loads(writer.lines[0])
    assert (error["type"], error["object"]["code"], error["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert error["object"]["message"].startswith("too old resource version: 1 (")


async def test_a_table_tells_its_columns_once(api):
    await make(api, "a")
    await make(api, "b")
    query = "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    answer = await api.stream(f"{BASE}?{query}", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    writer = Writer()
    task = asyncio.ensure_future(answer.run(writer))
    await asyncio.sleep(0)
    await make(api, "c")
    writer.ending.set()
    await task
    events = [json.loads(line) for line in writer.lines]
    assert [event["type"] for event in events] == ["ADDED", "ADDED", "BOOKMARK", "ADDED"]
    assert [bool(event["object"]["columnDefinitions"]) for event in events] == [True, False, False, False]
    mark = events[2]["object"]["rows"][0]["object"]["metadata"]
    assert mark["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert events[3]["object"]["rows"][0]["cells"][0] == "c"


async def test_the_state_ends_with_a_bookmark_whatever_its_age(api):
    await make(api, "a")
    writer, task = await watching(api, "resourceVersion=0&allowWatchBookmarks=true")
    writer.ending.set()
    await task
    assert [kind for kind, _ in writer.events] == ["ADDED", "BOOKMARK"]
    assert json.loads(writer.lines[-1])["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_as_lists_ends_with_its_first_event(api):
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    answer = await api.server(api.request("GET", f"{BASE}?watch=true", None, accept, ""))
    writer = Writer()
    task = asyncio.ensure_future(answer.run(writer))
    await asyncio.sleep(0)
    assert (answer.status, task.done()) == (200, False)
    await make(api, "a")
    await asyncio.wait_for(task, 5)
    assert writer.lines == []


async def test_the_old_paths_of_watches_lead_to_no_part_of_an_object(api):
    assert (await api.call("GET", "/api/v1/watch/namespaces/default/pods/p/status")).status == 404
