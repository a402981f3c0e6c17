"""A whole API server without a socket: requests go in as values, answers come out."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.etcds import Authority

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.aio.tls import server_context
from pybernetes.apiserver.assembly import started
from pybernetes.apiserver.cacher import item
from pybernetes.apiserver.http.message import Request, Response, StreamResponse
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.server import APIServer
from pybernetes.store.sqlite import open_store


class Given:
    """A request's body that is there from the start."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        return self._data


@dataclass
class Reply:
    status: int
    body: Any
    headers: list[tuple[str, str]]
    content_type: str


class API:
    """Calls the server's handler as a client would."""

    def __init__(self, server: APIServer) -> None:
        self.server = server

    async def call(
        self, method: str, target: str, body: Any = None, *, accept: str = "", content_type: str = "application/json"
    ) -> Reply:
        answer = await self.server(self.request(method, target, body, accept, content_type))
        assert isinstance(answer, Response), answer
        raw = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        parsed = json.loads(raw) if answer.content_type.startswith("application/json") and raw else raw
        return Reply(answer.status, parsed, answer.headers, answer.content_type)

    async def stream(self, target: str, accept: str = "") -> StreamResponse:
        answer = await self.server(self.request("GET", target, None, accept, ""))
        assert isinstance(answer, StreamResponse), answer
        return answer

    @staticmethod
    def request(method: str, target: str, body: Any, accept: str, content_type: str, **more: str) -> Request:
        """`more` headers have underscores for hyphens."""
        path, _, query = target.partition("?")
        headers = [("user-agent", "tester/1.0"), ("accept", accept), ("content-type", content_type)]
        headers += [(name.replace("_", "-"), value) for name, value in more.items()]
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return Request(method, path, query, headers, Given(data))


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[API]:
    backend = await open_store(tmp_path / "store.db")
    async with open_scope("test") as scope, started(Options(), backend, scope, SystemClock()) as server:
        yield API(server)
    await backend.close()


@pytest.fixture(autouse=True)
def _shared_trees() -> Iterator[None]:
    """What the cache hands out decoded is what it has encoded: nobody has changed it in place."""
    yield
    for one in item._decoded:
        assert one._tree == json.loads(one.encoded), one.key


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_contexts(authority: Authority) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the server, and of a client with a certificate."""
    server, client = authority.sign("server"), authority.sign("client")
    theirs = ssl.create_default_context(cafile=authority.file)
    theirs.load_cert_chain(client.certificate, client.key)
    return server_context(str(server.certificate), str(server.key), str(authority.file)), theirs
