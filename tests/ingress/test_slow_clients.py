"""Clients that send or read slowly, or not at all: what they cost, and for how long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from aiohttp import web
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes
from tests.ingress.world import LAST, PIECE, World, serving

from pybernetes.ingress.server import front, http2

MOST = 16 << 20
"""What the buffers of the proxy and of the kernel may hold of answers that nobody reads."""


class Source:
    """A backend whose answers are large; `sent` bytes have left it."""

    def __init__(self, pieces: int) -> None:
        self.sent, self._pieces = 0, pieces

    async def serve(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(self._pieces * PIECE)})
        await response.prepare(request)
        for _ in range(self._pieces):
            await response.write(b"x" * PIECE)
            self.sent += PIECE
        return response

    async def settled(self) -> int:
        """What it has sent once nothing more goes out."""
        before = -1
        while before != self.sent:
            before = self.sent
            await asyncio.sleep(0.3)
        return before


def silent(port: int) -> socket.socket:
    """A connection whose client's own buffer is small."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", port))
    made.setblocking(False)
    return made


async def test_answers_that_wait_for_their_turn_wait_at_the_backend(world: World) -> None:
    source, requests = Source(1), 1000
    async with serving(source.serve) as target:
        world.targets = [target]
        with silent(world.http) as client:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * (requests - 1) + LAST)
            assert await source.settled() < MOST
            read = 0
            while data := await asyncio.wait_for(loop.sock_recv(client, 1 << 20), 20):
                read += len(data)
    assert source.sent == requests * PIECE < read


async def test_windows_that_widen_are_no_leave_to_send(world: World) -> None:
    """The client of HTTP/2 says time and again that it takes more, and reads nothing."""
    source = Source(2000)
    async with serving(source.serve) as target:
        world.targets = [target]
        with silent(world.http) as client:
            loop = asyncio.get_running_loop()
            frames = H2Connection(H2Configuration(client_side=True))
            frames.initiate_connection()
            frames.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: (1 << 31) - 1})
            for number in (1, 3):
                head = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "x")]
                frames.send_headers(number, head, end_stream=True)
            frames.increment_flow_control_window(1 << 30)
            await loop.sock_sendall(client, frames.data_to_send())
            for _ in range(50):
                frames.increment_flow_control_window(1)
                await loop.sock_sendall(client, frames.data_to_send())
                await asyncio.sleep(0.01)
            assert await source.settled() < MOST


@pytest.mark.parametrize("speaks", [front, http2], ids=["HTTP/1", "HTTP/2"])
async def test_a_client_that_takes_nothing_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch, speaks: object
) -> None:
    """And its backend with it."""
    monkeypatch.setattr(speaks, "IDLE_SECONDS", 0.3)
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * PIECE)
        finally:
            gone.set()

    frames = H2Connection(H2Configuration(client_side=True))
    frames.initiate_connection()
    frames.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: (1 << 31) - 1})
    frames.send_headers(
        1, [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "x")], end_stream=True
    )
    frames.increment_flow_control_window(1 << 30)
    request = LAST if speaks is front else frames.data_to_send()
    async with serving(endless) as target:
        world.targets = [target]
        with silent(world.http) as client:
            await asyncio.get_running_loop().sock_sendall(client, request)
            await asyncio.wait_for(gone.wait(), 20)


async def test_a_head_that_comes_drop_by_drop_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "IDLE_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
    closed = asyncio.ensure_future(reader.read())
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    for number in range(100):
        writer.write(b"X-%d: y\r\n" % number)
        done, _ = await asyncio.wait([closed], timeout=0.1)
        if done:
            break
    assert closed.done()
    writer.close()


@pytest.mark.parametrize(
    "spoil", [lambda head: {**head, ":method": "GET /other"}, lambda head: {**head, ":path": "/a b"}]
)
async def test_a_request_line_has_three_words(world: World, spoil: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """What HTTP/2 keeps apart must not become another request in HTTP/1.1."""
    frames = H2Connection(H2Configuration(client_side=True))
    frames.initiate_connection()
    head = {":method": "GET", ":path": "/", ":scheme": "http", ":authority": "x"}
    frames.send_headers(1, list(spoil(head).items()), end_stream=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
    writer.write(frames.data_to_send())
    said = b""
    while b"400 Bad Request" not in said:
        data = await asyncio.wait_for(reader.read(PIECE), 20)
        assert data
        said += data
    writer.close()
