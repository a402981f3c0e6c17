"""The proxy between real clients and real backends, in this process: bodies, failures, retries, and its end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.ingress.world import LAST, PIECE, World, answering, echo, exchange, serving

from pybernetes.api.endpoints import Target
from pybernetes.ingress.annotations import Options
from pybernetes.ingress.certificates import Certificates
from pybernetes.ingress.decide import Redirect
from pybernetes.ingress.server.doors import Door, Doors


async def test_a_request_arrives_as_it_was_with_who_sent_it(world: World) -> None:
    async with serving(echo) as target, aiohttp.ClientSession() as client:
        world.targets = [target]
        headers = {
            "Host": "shop.example",
            "X-Forwarded-For": "1.2.3.4",
            "X-Own": "1",
            "Connection": "x-drop",
            "X-Drop": "1",
        }
        async with client.post(world.url("/a%2Fb?c=%20d"), data="hello", headers=headers) as answer:
            said = await answer.json()
    assert (said["method"], said["path"], said["body"]) == ("POST", "/a%2Fb?c=%20d", "hello")
    assert said["headers"]["Host"] == "shop.example"
    assert said["headers"]["X-Forwarded-For"] == said["headers"]["X-Real-IP"] == "127.0.0.1"
    assert said["headers"]["X-Forwarded-Host"] == "shop.example"
    assert said["headers"]["X-Forwarded-Proto"] == "http"
    assert said["headers"]["X-Own"] == "1"
    assert "X-Drop" not in said["headers"]


async def test_what_clients_say_of_themselves_is_not_passed_on(world: World) -> None:
    """In no spelling that a backend could take for ours."""
    async with serving(echo) as target:
        world.targets = [target]
        lies = b"X_Forwarded_For: 6.6.6.6\r\nx-forwarded-prefix: /6\r\nForwarded: for=6.6.6.6\r\nX_Real-IP: 6.6.6.6\r\n"
        said = await exchange(world, LAST.replace(b"Host: x\r\n", b"Host: x\r\n" + lies + b"X_Other: kept\r\n"))
    assert b"6.6.6.6" not in said
    assert b"/6" not in said
    assert b'"X_Other": "kept"' in said


async def test_connections_are_kept_on_both_sides(world: World) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", close=False) as (target, seen):
        world.targets = [target]
        reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        assert len(seen) == 3
        assert world.gate is not None
        assert len(world.gate.pool.open) == 1


async def test_pipelined_requests_are_answered_in_order(world: World) -> None:
    async def slow_first(request: web.Request) -> web.Response:
        if request.path == "/1":
            await asyncio.sleep(0.05)
        return web.Response(text=f"[{request.path}{await request.text()}]")

    async with serving(slow_first) as target:
        world.targets = [target]
        requests = b"".join(
            b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d" % (n, n) for n in range(1, 4)
        )
        answer = await exchange(world, requests + LAST)
    assert [part.partition(b"]")[0] for part in answer.split(b"[")[1:]] == [b"/11", b"/22", b"/33", b"/last"]


def waiting(world: World) -> int:
    """Bytes in the proxy's hands."""
    assert world.gate is not None
    ends: list[Any] = [*world.gate.fronts, *world.gate.pool.open]
    return sum(end._transport.get_write_buffer_size() for end in ends if end._transport is not None)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_body_goes_both_ways_in_pieces(world: World, chunked: bool) -> None:
    """Nothing of it is kept: the proxy's own buffers stay below a fraction of the body."""
    total, largest = 64 << 20, 0

    async def mirror(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if not chunked:
            answer.content_length = total
        await answer.prepare(request)
        async for piece in request.content.iter_chunked(PIECE):
            await answer.write(piece)
        return answer

    async def body() -> AsyncIterator[bytes]:
        for _ in range(total // PIECE):
            yield b"x" * PIECE

    async with serving(mirror) as target, aiohttp.ClientSession() as client:
        world.targets = [target]
        headers = {} if chunked else {"Content-Length": str(total)}
        async with client.post(world.url(), data=body(), headers=headers) as answer:
            size = 0
            async for piece in answer.content.iter_chunked(PIECE):
                size += len(piece)
                largest = max(largest, waiting(world))
    assert size == total
    assert largest < 4 << 20


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"a\r\nto the end\r\n0\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n", b"2\r\nok\r\n0\r\n\r\n"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
    ],
)  # fmt: skip
async def test_how_answers_end(world: World, answer: bytes, expected: bytes) -> None:
    async with answering(answer) as (target, _):
        world.targets = [target]
        said = await exchange(world, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert said.rpartition(b"Connection: close\r\n\r\n")[2] == expected


async def test_an_answer_without_a_body_to_head(world: World) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", close=False) as (target, seen):
        world.targets = [target]
        said = await exchange(world, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + LAST.replace(b"GET", b"HEAD"))
        assert said.count(b"Content-Length: 5") == 3
        assert len(seen) == 3


async def test_an_old_client_gets_what_it_understands(world: World) -> None:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    async with answering(chunks) as (target, _):
        world.targets = [target]
        assert (await exchange(world, b"GET / HTTP/1.0\r\n\r\n")).endswith(b"Connection: close\r\n\r\nok")


async def test_an_endpoint_that_refuses_is_passed_over(world: World) -> None:
    async with serving(echo) as target, aiohttp.ClientSession() as client:
        world.targets = [Target("127.0.0.1", 1), target]
        for _ in range(4):
            async with client.post(world.url(), data="once") as answer:
                assert (await answer.json())["body"] == "once"


async def test_a_backend_that_breaks_off_is_asked_no_more_than_is_safe(world: World) -> None:
    async with answering(b"") as (broken, seen), serving(echo) as target, aiohttp.ClientSession() as client:
        world.targets = [broken, target]
        async with client.get(world.url()) as answer:
            assert answer.status == 200
        world.targets = [broken]
        async with client.post(world.url(), data="pay") as answer:
            assert answer.status == 502
            assert "service default/web broke off" in await answer.text()
    assert len(seen) == 2


async def test_nobody_takes_connections(world: World) -> None:
    world.targets = [Target("127.0.0.1", 1)]
    said = await exchange(world, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"no endpoint of service default/web takes connections: 127.0.0.1:1: " in said


async def test_a_backend_without_an_answer_is_given_up(world: World) -> None:
    async with answering(b"", close=False) as (target, _):
        world.targets, world.options = [target], Options(answer_seconds=0.05)
        said = await exchange(world, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert b"service default/web has not answered within 0.05 s" in said


async def test_the_time_for_an_answer_begins_when_the_request_is_out(world: World) -> None:
    async with serving(echo) as target:
        world.targets, world.options = [target], Options(answer_seconds=0.2)
        reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsl")
        await asyncio.sleep(0.4)
        writer.write(b"ow")
        assert b'"body": "slow"' in await reader.read()
        writer.close()


async def test_a_target_may_be_a_whole_url(world: World) -> None:
    async with serving(echo) as target:
        world.targets = [target]
        said = await exchange(world, b"GET http://shop.example/a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b'"path": "/a?b"' in said
    assert b'"X-Forwarded-Host": "shop.example"' in said


async def test_a_client_that_leaves_takes_its_request_along(world: World) -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        with suppress(ConnectionError):
            await reader.read()
        left.set()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        world.targets = [Target("127.0.0.1", server.sockets[0].getsockname()[1])]
        _, writer = await asyncio.open_connection("127.0.0.1", world.http)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        writer.transport.abort()
        await left.wait()


async def test_what_is_under_way_ends_before_the_proxy_does(world: World) -> None:
    begun = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        begun.set()
        await asyncio.sleep(0.1)
        return web.Response(text="done")

    async with serving(slow) as target:
        world.targets = [target]
        asking = asyncio.ensure_future(exchange(world, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        await begun.wait()
        assert world.gate is not None
        await world.gate.drain(5)
        assert (await asking).endswith(b"done")


async def test_not_many_endpoints_are_waited_for(world: World) -> None:
    """Nobody has these addresses, and nobody says so: the backlog of a socket that takes nothing is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        world.targets = [Target("127.0.0.1", full.getsockname()[1])] * 50
        world.options = Options(connect_seconds=0.1)
        said = await asyncio.wait_for(exchange(world, LAST), 20)
        assert said.startswith(b"HTTP/1.1 504 ")
        assert said.count(b"does not answer") == 3
        for filler in fillers:
            filler.close()


async def test_redirects_lead_to_where_tls_is_spoken(world: World) -> None:
    """Which is elsewhere when the usual port is somebody else's."""
    world.decide = lambda question: Redirect(f"https://{question.host}:{question.secure_port}/")
    assert b"Location: https://x:%d/\r\n" % world.https in await exchange(world, LAST)


async def test_a_port_that_is_taken_has_a_spare(world: World) -> None:
    assert world.gate is not None
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    door = Door("127.0.0.1", port, port + 1, False)
    doors = Doors(world.gate, Certificates(lambda host: None).listening(), [door])
    await doors.open()
    (spare,) = doors.ports().values()
    assert spare > port
    assert doors.taken() == [f"port {port} of 127.0.0.1 is taken by another program; use http://127.0.0.1:{spare}"]
    taken.close()
    await taken.wait_closed()
    assert await doors.open()
    assert doors.taken() == []
    assert list(doors.ports().values()) == [port]
    doors.close()
