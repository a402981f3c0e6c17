"""Verbs against the fake server: what is sent, what comes back, what failures become."""

import pytest
from tests.client.conftest import FakeServer

from pybernetes.api.errors import StatusError
from pybernetes.api.scheme import Resource
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.config import Config
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client, connect

WIDGETS = Resource("example.com", "v1", "pods", "Widget", "widget", True)


def pod(name: str) -> core_v1.Pod:
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")])
    return core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name, namespace="default"), spec=spec)


async def test_an_object_goes_through_its_life(server: FakeServer, client: Client) -> None:
    made = await client.create(pod("a"))
    assert (made.metadata.uid, made.spec.containers[0].image) == ("uid-2", "i")
    patched = await client.patch(core_v1.Pod, "a", "default", {"status": {"phase": "Running"}}, PatchType.MERGE)
    assert patched.status.phase == "Running"
    assert (await client.get(core_v1.Pod, "a", "default")).status.phase == "Running"
    assert [found.metadata.name for found in (await client.list(core_v1.Pod, "default")).items] == ["a"]
    await client.delete(core_v1.Pod, "a", "default", uid="uid-2", grace_period_seconds=0)
    with pytest.raises(StatusError) as failure:
        await client.get(core_v1.Pod, "a", "default")
    assert (failure.value.code, failure.value.reason) == (404, "NotFound")
    assert server.requests[0].headers["User-Agent"] == "test"


async def test_a_kind_without_a_type_is_a_tree(server: FakeServer, client: Client) -> None:
    await server.put("/apis/example.com/v1/namespaces/default/pods/w", {"spec": {"size": 3}})
    found = await client.get(WIDGETS, "w", "default")
    assert (found["apiVersion"], found["kind"], found["spec"]) == ("example.com/v1", "Widget", {"size": 3})


async def test_lists_come_page_by_page_and_null_is_empty(server: FakeServer, client: Client) -> None:
    assert (await client.list(core_v1.Pod, "default")).items == []
    for number in range(5):
        await client.create(pod(f"p{number}"))
    page = await client.list(core_v1.Pod, "default", limit=2)
    assert (len(page.items), page.continue_) == (2, "2")
    rest = await client.list(core_v1.Pod, "default", continue_=page.continue_)
    assert (len(rest.items), rest.continue_) == (3, "")


async def test_nulls_for_lists_and_maps_are_empty_ones(server: FakeServer, client: Client) -> None:
    path = "/api/v1/namespaces/default/pods/a"
    await server.put(path, {"metadata": {"labels": None}, "spec": {"containers": [{"name": "c", "env": None}]}})
    found = await client.get(core_v1.Pod, "a", "default")
    assert (found.metadata.labels, found.spec.containers[0].env) == ({}, [])


async def test_retry_after_is_obeyed(server: FakeServer, client: Client) -> None:
    server.fail_next(429, "TooManyRequests", {"Retry-After": "0"})
    server.fail_next(503, "ServiceUnavailable", {"Retry-After": "0"})
    assert (await client.create(pod("a"))).metadata.name == "a"


async def test_failures_without_retry_after_are_raised(server: FakeServer, client: Client) -> None:
    server.fail_next(500, "InternalError")
    with pytest.raises(StatusError, match="InternalError ordered"):
        await client.create(pod("a"))


async def test_an_unreachable_server_is_service_unavailable() -> None:
    async with connect(Config(servers=("http://127.0.0.1:1",))) as lost:
        with pytest.raises(StatusError) as failure:
            await lost.get(core_v1.Pod, "a", "default")
    assert (failure.value.code, failure.value.reason) == (503, "ServiceUnavailable")


async def test_the_next_server_is_taken_when_one_refuses(server: FakeServer) -> None:
    config = Config(servers=("http://127.0.0.1:1", server.url))
    async with connect(config) as client:
        assert (await client.create(pod("a"))).metadata.name == "a"
        assert (await client.get(core_v1.Pod, "a", "default")).metadata.name == "a"
