"""The server for what is asked rarely, asked over a socket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from pybernetes.aio.http.client import HTTPClient, open_client
from pybernetes.aio.http.request import Origin
from pybernetes.aio.http_server import Answer, Request, RequestError, Routes, parse_head, serving, text


class Site:
    """What the routes below serve, and what became of it."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def hello(self, request: Request) -> Answer:
        return text(f"{request.names['name']} {request.query.get('a', '')}")

    async def refuse(self, request: Request) -> Answer:
        raise RequestError(418, "no coffee")

    async def fail(self, request: Request) -> Answer:
        raise ZeroDivisionError

    async def tick(self, request: Request) -> Answer:
        return Answer(self._ticks(int(request.names["count"])))

    async def _ticks(self, count: int) -> AsyncGenerator[bytes, None]:
        try:
            for number in range(count):
                yield b"%d," % number
            if not count:
                yield b"first"
                await asyncio.Event().wait()
        finally:
            self.ended.set()


@pytest.fixture
async def site() -> Site:
    return Site()


@pytest.fixture
async def origin(site: Site) -> AsyncIterator[Origin]:
    routes = {
        "GET /hello/{name}": site.hello,
        "GET /refuse": site.refuse,
        "GET /fail": site.fail,
        "GET /tick/{count}": site.tick,
    }
    async with serving(Routes(routes), "127.0.0.1:0", "") as (port,):
        yield Origin("127.0.0.1", port)


@pytest.fixture
async def http(origin: Origin) -> AsyncIterator[HTTPClient]:
    async with open_client() as client:
        yield client


@pytest.mark.parametrize(
    ("method", "target", "status", "body"),
    [
        ("GET", "/hello/a%2Fb?a=1&a=2", 200, b"a/b 1"),
        ("GET", "/hello", 404, b"404 page not found"),
        ("POST", "/hello/x", 405, b"405: Method Not Allowed"),
        ("GET", "/refuse", 418, b"no coffee"),
        ("GET", "/fail", 500, b"internal server error"),
        ("GET", "/tick/3", 200, b"0,1,2,"),
    ],
)
async def test_answers(origin: Origin, http: HTTPClient, method: str, target: str, status: int, body: bytes) -> None:
    answer = await http.send(origin, method, target, ())
    assert (answer.status, await answer.read()) == (status, body)
    assert answer.headers["connection"] == "close"


async def test_a_stream_ends_when_its_client_leaves(site: Site, origin: Origin, http: HTTPClient) -> None:
    answer = await http.send(origin, "GET", "/tick/0", ())
    assert await answer.part() == b"first"
    answer.close()
    async with asyncio.timeout(5):
        await site.ended.wait()


async def test_what_is_no_http_is_refused(origin: Origin) -> None:
    reader, writer = await asyncio.open_connection(origin.host, origin.port)
    writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()


def test_an_upgrade_is_seen() -> None:
    assert parse_head(b"GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket").is_upgrade
    assert not parse_head(b"GET / HTTP/1.1\r\nUpgrade: websocket").is_upgrade
