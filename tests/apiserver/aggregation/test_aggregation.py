"""An API that another server serves: requests, discovery, and what the other server is told of the user."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, metrics, server

from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.upkeep.api_services import CHECK_PERIOD
from pybernetes.apiserver.upkeep.keeper import SETTLE_SECONDS
from pybernetes.cluster.certificates import Certificates
from pybernetes.cluster.profile import Profile, Settings

API_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1.wild.test"
RESOURCES = {
    "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "wild.test/v1",
    "resources": [
        {"name": "lions", "singularName": "lion", "namespaced": True, "kind": "Lion", "verbs": ["get", "list"]},
        {"name": "lions/mane", "singularName": "", "namespaced": True, "kind": "Mane", "verbs": ["get"]},
    ],
}  # fmt: skip


CLASH = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
SWAGGER = {
    "swagger": "2.0", "info": {"title": "wild", "version": "1"},
    "parameters": {"name-x": {"name": "name", "in": "path", "required": True, "type": "string"}},
    "paths": {
        "/version/": {"get": {"responses": {"200": {"description": "OK"}}}},
        "/apis/wild.test/v1/lions/{name}": {
            "get": {
                "responses": {
                    "200": {"description": "OK", "schema": {"$ref": "#/definitions/test.wild.v1.Lion"}},
                    "404": {"description": "gone", "schema": {"$ref": f"#/definitions/{CLASH}"}},
                },
            },
            "parameters": [{"$ref": "#/parameters/name-x"}],
        },
    },
    "definitions": {
        "test.wild.v1.Lion": {"type": "object", "properties": {"mane": {"type": "string"}}},
        CLASH: {"type": "object", "description": "another one"}, "unused": {"type": "object"},
    },
}  # fmt: skip
V3 = "/openapi/v3/apis/wild.test/v1"
ANSWERS: dict[str, dict[str, Any]] = {
    "/apis/wild.test/v1": RESOURCES,
    "/openapi/v2": SWAGGER,
    "/openapi/v3": {"paths": {V3.removeprefix("/openapi/v3/"): {"serverRelativeURL": f"{V3}?hash=AB"}}},
    f"{V3}?hash=AB": {"openapi": "3.0.0", "info": {"title": "wild"}},
}


class Other:
    """Another API server, which shows what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.status = 200

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers.setdefault(name.lower(), []).append(value)
        self.asked.append((first, headers))
        answer = ANSWERS.get(first.split(" ")[1], {"kind": "Lion"})
        body = json.dumps(answer)
        head = f"HTTP/1.1 {self.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Other]:
    profile = Profile("other", Settings(), tmp_path / "state", tmp_path / "run")
    profile.save()
    Certificates(profile).ensure()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(profile.certificates / "apiserver.crt", profile.certificates / "apiserver.key")
    made = Other()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    made.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield made


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        await made.clock.advance(SETTLE_SECONDS)
        yield made


async def register(api: Server, port: int) -> None:
    service = {"metadata": {"name": "other"}, "spec": {"type": "ExternalName", "externalName": "127.0.0.1"}}
    assert (await api.post("/api/v1/namespaces/default/services", service)).status == 201
    spec = {
        "group": "wild.test", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 5,
        "insecureSkipTLSVerify": True, "service": {"name": "other", "namespace": "default", "port": port},
    }  # fmt: skip
    made = await api.post(API_SERVICE.rpartition("/")[0], {"metadata": {"name": "v1.wild.test"}, "spec": spec})
    assert made.status == 201, made.message


async def available(api: Server) -> tuple[str, str]:
    conditions = ((await api.get(API_SERVICE)).tree.get("status") or {}).get("conditions") or [{}]
    return conditions[0].get("status", ""), conditions[0].get("message", "")


async def wait_available(api: Server, status: str) -> str:
    async with asyncio.timeout(5):
        while (found := await available(api))[0] != status:
            await asyncio.sleep(0.005)
    return found[1]


async def test_requests_are_passed_on_with_the_users_name(api: Server, other: Other) -> None:
    await register(api, other.port)
    path = "/apis/wild.test/v1/namespaces/default/lions/leo?x=1"
    headers = {"x-remote-user": "somebody-else", "x-remote-group": "system:masters"}
    answer = await api.get(path, headers=headers)
    assert (answer.status, answer.tree) == (200, {"kind": "Lion"})
    first, told = other.asked[-1]
    assert first == f"GET {path} HTTP/1.1"
    assert told["x-remote-user"] == ["admin"]
    assert told["x-remote-group"] == ["system:masters", "system:authenticated"]
    assert "authorization" not in told


async def test_a_server_starts_again_beside_another_one(tmp_path: Path, other: Other) -> None:
    storage = f"--storage=sqlite:{tmp_path / 'store.db'}"
    async with server(tmp_path, storage) as first:
        await register(first, other.port)
    async with server(tmp_path, storage) as second:
        await second.clock.advance(SETTLE_SECONDS)
        await wait_available(second, "True")
        assert (await second.get("/apis/wild.test/v1/lions/l")).tree == {"kind": "Lion"}


async def test_who_may_not_is_refused_here(api: Server, other: Other) -> None:
    await register(api, other.port)
    await wait_available(api, "True")
    asked = len(other.asked)
    assert (await api.get("/apis/wild.test/v1/lions", token="bob")).status == 403
    assert len(other.asked) == asked


async def test_discovery_tells_of_it(api: Server, other: Other) -> None:
    await register(api, other.port)
    assert await wait_available(api, "True") == "all checks passed"
    groups = {each["name"]: each for each in (await api.get("/apis")).tree["groups"]}
    assert groups["wild.test"]["preferredVersion"] == {"groupVersion": "wild.test/v1", "version": "v1"}
    assert (await api.get("/apis/wild.test/v1")).tree == RESOURCES
    accept = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    answer = await api.raw("GET", "/apis", headers=accept)
    assert isinstance(answer, Response)
    assert isinstance(answer.body, bytes)
    listed = {each["metadata"].get("name"): each for each in json.loads(answer.body)["items"]}
    (lions,) = listed["wild.test"]["versions"][0]["resources"]
    assert (lions["resource"], lions["scope"], lions["subresources"][0]["subresource"]) == (
        "lions",
        "Namespaced",
        "mane",
    )
    await api.delete(API_SERVICE)
    assert "wild.test" not in {each["name"] for each in (await api.get("/apis")).tree["groups"]}


async def test_condition_follows_the_other_server(api: Server, other: Other) -> None:
    other.status = 500
    await register(api, other.port)
    assert "bad status" in await wait_available(api, "False")
    assert 'aggregator_unavailable_apiservice{name="v1.wild.test"} 1' in await metrics(api)
    other.status = 200
    await api.clock.advance(CHECK_PERIOD)
    await wait_available(api, "True")
    assert 'aggregator_unavailable_apiservice{name="v1.wild.test"} 0' in await metrics(api)


async def freshness(api: Server) -> str:
    accept = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    answer = await api.raw("GET", "/apis", headers=accept)
    assert isinstance(answer, Response)
    assert isinstance(answer.body, bytes)
    (group,) = [each for each in json.loads(answer.body)["items"] if each["metadata"].get("name") == "wild.test"]
    return str(group["versions"][0]["freshness"])


async def test_discovery_says_when_a_server_does_not_answer(api: Server, other: Other) -> None:
    other.status = 500
    await register(api, other.port)
    await wait_available(api, "False")
    assert await freshness(api) == "Stale"
    other.status = 200
    await api.clock.advance(CHECK_PERIOD)
    await wait_available(api, "True")
    assert await freshness(api) == "Current"


async def test_nobody_there(api: Server) -> None:
    await register(api, 1)
    assert "failing or missing response from https://127.0.0.1:1/apis/wild.test/v1" in await wait_available(
        api, "False"
    )
    answer = await api.raw("GET", "/apis/wild.test/v1/lions")
    assert answer.status == 503
    assert getattr(answer, "body", b"").startswith(
        b"error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused"
    )
    await api.delete("/api/v1/namespaces/default/services/other")
    answer = await api.raw("GET", "/apis/wild.test/v1/lions")
    assert (answer.status, getattr(answer, "body", b"")) == (503, b"service unavailable\n")


async def test_what_it_publishes_is_part_of_our_documents(api: Server, other: Other) -> None:
    await register(api, other.port)
    async with asyncio.timeout(5):
        while V3.removeprefix("/openapi/v3/") not in (index := (await api.get("/openapi/v3")).tree["paths"]):
            await asyncio.sleep(0.005)
    url = index[V3.removeprefix("/openapi/v3/")]["serverRelativeURL"]
    assert (await api.get(url)).tree["info"]["title"] == "wild"
    swagger = (await api.get("/openapi/v2")).tree
    path = swagger["paths"]["/apis/wild.test/v1/lions/{name}"]
    assert path["parameters"] == [SWAGGER["parameters"]["name-x"]]
    # What is ours stays so, and theirs of the same name is found under another one.
    assert path["get"]["responses"]["404"]["schema"]["$ref"] == f"#/definitions/{CLASH}_v2"
    assert swagger["definitions"][f"{CLASH}_v2"]["description"] == "another one"
    assert swagger["definitions"][CLASH] != swagger["definitions"][f"{CLASH}_v2"]
    assert "unused" not in swagger["definitions"]
    proto = await api.raw(
        "GET", "/openapi/v2", headers={"accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
    )
    assert isinstance(proto, Response)
    assert b"/apis/wild.test/v1/lions/{name}" in b"".join(proto.body if isinstance(proto.body, list) else [proto.body])
