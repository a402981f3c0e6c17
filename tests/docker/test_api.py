"""The API over HTTP where no runtime is needed: versions, refusals, and a runtime that does not answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from tests.images import Tree
from tests.registries import running_registry
from tests.runtime.images.test_pull import BCRYPT_OF_SECRET

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.idle import Idle
from pybernetes.aio.web import serve_until_idle
from pybernetes.builder.request import BuildRequest
from pybernetes.cri.door import open_door
from pybernetes.docker.app import make_app
from pybernetes.docker.handlers import build
from pybernetes.docker.service import Service


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            open_door(lambda: [tmp_path / "nobody.sock"]) as door,
            aiohttp.ClientSession(f"http://127.0.0.1:{listener.getsockname()[1]}") as session,
        ):
            service = Service(door, tmp_path / "scratch", tmp_path, "test", lambda: datetime.now(UTC))
            idle = Idle(3600, SystemClock())
            serving = serve_until_idle(make_app(service, idle), [listener], idle, ends_with_client=True)
            server = asyncio.create_task(serving)
            yield session
            server.cancel()
            await asyncio.wait([server])


async def test_the_version_is_told_before_it_is_asked_for(client: aiohttp.ClientSession) -> None:
    async with client.head("/_ping") as answer:
        assert answer.status == 200
        assert (answer.headers["Api-Version"], answer.headers["Builder-Version"]) == ("1.45", "1")
    async with client.get("/v1.24/_ping") as answer:
        assert await answer.text() == "OK"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1.99/version", 400, "client version 1.99 is too new. Maximum supported API version is 1.45"),
        ("GET", "/v1.12/version", 400, "client version 1.12 is too old. Minimum supported API version is 1.24, please"),
        ("POST", "/v1.41/containers/create", 501, "pybernetes runs pods"),
        (
            "POST",
            "/build?platform=linux/s390x",
            400,
            "no image of platform linux/s390x can be used here: this machine is",
        ),
        ("POST", "/images/create?fromImage=x&platform=windows", 400, "no image of platform windows can be used here"),
        ("GET", "/networks/x", 404, "no such network: x"),
        ("GET", "/v1.45/volumes/x", 404, "no such volume: x"),
        ("GET", "/plugins/a/b/json", 404, "no such plugin: a/b"),
        ("GET", "/images/search?term=x", 501, "not GET /images/search"),
        ("GET", "/containers/json?limit=x", 503, "the cluster's runtime does not answer"),
        ("GET", "/volumes", 501, "pybernetes serves docker's API for images only, not GET /volumes"),
        ("POST", "/session", 501, "try: DOCKER_BUILDKIT=0 docker build"),
        ("POST", "/build?version=2", 501, "try: DOCKER_BUILDKIT=0 docker build"),
        ("POST", "/build?remote=https://x/y.git", 501, "fetches no context from https://x/y.git"),
        ("POST", "/build?t=Bad", 400, 'invalid argument "Bad" for "-t, --tag" flag: invalid reference format'),
        ("POST", "/build?buildargs=x", 400, "error reading build args"),
        ("POST", "/images/create?fromSrc=-", 501, "does not import tarballs"),
        ("POST", "/images/create?fromImage=Bad", 400, "invalid reference format"),
        ("GET", "/images/json", 503, "the cluster's runtime does not answer"),
        ("GET", "/images/json?filters=x", 400, "invalid filter"),
        ("GET", "/images/a/b/c/json", 503, "the cluster's runtime does not answer"),
        ("DELETE", "/images/x", 503, "the cluster's runtime does not answer"),
    ],
)
async def test_refusals(client: aiohttp.ClientSession, method: str, path: str, status: int, message: str) -> None:
    async with client.request(method, path) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
        assert message in (await answer.json())["message"]


@pytest.mark.parametrize(
    ("password", "status", "message"),
    [("secret", 200, None), ("wrong", 401, "unauthorized: authentication required")],
)
async def test_login_asks_the_registry(
    client: aiohttp.ClientSession, tmp_path: Path, password: str, status: int, message: str | None
) -> None:
    accounts = tmp_path / "htpasswd"
    accounts.write_text(f"user:{BCRYPT_OF_SECRET}\n")
    with running_registry(tmp_path, htpasswd=accounts) as private:
        given = {"username": "user", "password": password, "serveraddress": private.host}
        async with client.post("/v1.41/auth", json=given) as answer:
            said = await answer.json()
            assert answer.status == status, said
            assert said["Status"] == "Login Succeeded" if message is None else message in said["message"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("networkmode=host", "network mode 'host' is not supported: steps have the network of pods, or none"),
        ("extrahosts=a:10.1.2.3&extrahosts=x:nowhere", "invalid host 'x:nowhere': it has to be NAME:ADDRESS"),
        ("memory=1000", "[Warning] memory has no effect"),
    ],
)
async def test_what_a_build_cannot_have_is_said(client: aiohttp.ClientSession, query: str, message: str) -> None:
    context = Tree().file("Dockerfile", "FROM scratch").tar()
    async with client.post(f"/build?{query}&platform=linux", data=context) as answer:
        assert message in await answer.text()


async def test_a_build_that_says_nothing_ends_with_its_client(
    client: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def silent(request: BuildRequest, door: object, report: object) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(build, "build_image", silent)
    asking = asyncio.ensure_future(client.post("/build", data=Tree().file("Dockerfile", "FROM scratch").tar()))
    await asyncio.wait_for(began.wait(), 10)
    (await asking).close()
    await asyncio.wait_for(ended.wait(), 10)
    while any((tmp_path / "scratch").iterdir()):
        await asyncio.sleep(0.01)


async def test_what_others_have_is_not_pruned(client: aiohttp.ClientSession) -> None:
    for kind in ("containers", "networks"):
        async with client.post(f"/v1.45/{kind}/prune") as answer:
            assert (answer.status, await answer.json()) == (200, {"SpaceReclaimed": 0})


async def test_login_to_a_registry_that_is_down(client: aiohttp.ClientSession) -> None:
    given = {"username": "user", "password": "x", "serveraddress": "127.0.0.1:1"}
    async with client.post("/auth", json=given) as answer:
        assert answer.status == 500
        assert "connection refused" in (await answer.json())["message"]


async def test_a_context_that_is_no_archive_leaves_nothing(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with client.post("/build", data=b"no archive at all" * 100) as answer:
        assert "build context is no archive" in await answer.text()
    assert not list((tmp_path / "scratch").iterdir())


async def test_it_ends_when_it_is_idle(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with open_door(lambda: [tmp_path / "nobody.sock"]) as door:
            service = Service(door, tmp_path, tmp_path, "test", lambda: datetime.now(UTC))
            idle = Idle(0.05, SystemClock())
            await asyncio.wait_for(serve_until_idle(make_app(service, idle), [listener], idle), 10)
