"""Connections that stop being HTTP, or are asked to."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web
from tests.ingress.world import LAST, PIECE, World, echo, exchange, serving

from pybernetes.api.endpoints import Target
from pybernetes.ingress.annotations import Options


async def test_websockets_go_through_both_ways(world: World) -> None:
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("chat",))
        await socket.prepare(request)
        await socket.send_str("welcome")
        async for message in socket:
            await socket.send_str(f"{message.data}!")
        return socket

    async with serving(talk) as target, aiohttp.ClientSession() as client:
        world.targets = [target]
        async with client.ws_connect(world.url("/ws"), protocols=("chat",)) as socket:
            assert socket.protocol == "chat"
            assert await socket.receive_str() == "welcome"
            for word in ("a", "b" * 100_000):
                await socket.send_str(word)
                assert await socket.receive_str() == f"{word}!"


async def test_what_follows_an_upgrade_at_once_is_not_lost(world: World) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nhello ")
        while data := await reader.read(PIECE):
            writer.write(data.upper())
        writer.close()

    async with await asyncio.start_server(shout, "127.0.0.1", 0) as server:
        world.targets = [Target("127.0.0.1", server.sockets[0].getsockname()[1])]
        reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\none ")
        assert (await reader.readuntil(b"ONE ")).endswith(b"\r\n\r\nhello ONE ")
        writer.write(b"two")
        writer.write_eof()
        assert await reader.read() == b"TWO"
        writer.close()


async def test_an_upgrade_that_is_declined_is_an_answer(world: World) -> None:
    async with serving(echo) as target:
        world.targets = [target]
        answer = await exchange(
            world, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"
        )  # fmt: skip
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"Upgrade": "other"' in answer


async def test_a_client_that_could_speak_http2_is_served_as_any_other(world: World) -> None:
    async with serving(echo) as target:
        world.targets = [target]
        head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        answer = await exchange(world, head + b"Content-Length: 5\r\n\r\nhello" + LAST)
    assert b'"body": "hello"' in answer
    assert b"h2c" not in answer


async def test_a_backend_that_does_not_answer_an_upgrade_is_given_up(world: World) -> None:
    """Also over a connection that is kept, on which the request goes out before anything follows it."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read(-1)
        writer.close()

    async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
        world.targets = [Target("127.0.0.1", server.sockets[0].getsockname()[1])]
        world.options = Options(answer_seconds=0.2)
        upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(upgrade)
        assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 504 ")
        writer.close()


async def test_a_request_with_a_body_is_served_as_any_other(world: World) -> None:
    """Whatever upgrade it asks for besides."""
    async with serving(echo) as target:
        world.targets = [target]
        asked = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n"
        chunked = asked + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
        said = await asyncio.wait_for(exchange(world, chunked + asked + b"Content-Length: 4\r\n\r\nmore" + LAST), 20)
    assert said.count(b"HTTP/1.1 200 ") == 3
    assert b'"body": "body"' in said
    assert b'"body": "more"' in said
