"""The proxy between real clients and real backends, in this process: bodies, upgrades, TLS by name, failures, retries."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pybernetes.aio.tasks import open_scope
from pybernetes.api.endpoints import Target
from pybernetes.ingress.annotations import Options
from pybernetes.ingress.certificates import FAKE_NAME, Certificates, context_of
from pybernetes.ingress.decide import Decision, Forward, Question, Redirect, Refuse
from pybernetes.ingress.server.doors import Door, Doors
from pybernetes.ingress.server.gate import Gate
from pybernetes.ingress.table import Backend

BACKEND = Backend("default", "web", "80")
PIECE = 64 << 10
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class World:
    """A proxy whose decisions the test makes, and backends behind it."""

    def __init__(self) -> None:
        self.targets: list[Target] = []
        self.options = Options()
        self.contexts: dict[str, ssl.SSLContext] = {}
        self.decide: Callable[[Question], Decision] = lambda question: Forward(
            question.target, tuple(self.targets), self.options, BACKEND
        )
        self.http = self.https = 0
        self.gate: Gate | None = None

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.http}{path}"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    async with open_scope("test") as scope:
        gate = made.gate = Gate(lambda question: made.decide(question), scope)
        tls = Certificates(made.contexts.get).listening()
        doors = Doors(gate, tls, [Door("127.0.0.1", 0, 0, False), Door("127.0.0.1", 0, 0, True)])
        await doors.open()
        made.http, made.https = doors.ports().values()
        try:
            yield made
        finally:
            doors.close()
            await gate.drain(1)


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[Target]:
    """A backend of aiohttp's."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Target("127.0.0.1", runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(answer: bytes, *, close: bool = True) -> AsyncIterator[tuple[Target, list[bytes]]]:
    """A backend that says the same to every request's head, whatever it was; with what it was sent."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
                if close:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1]), seen


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    said = {"method": request.method, "path": request.raw_path, "headers": dict(request.headers), "body": body.decode()}
    return web.json_response(said)


async def exchange(world: World, request: bytes) -> bytes:
    """Bytes in, everything that comes back until the proxy closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


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


def waiting(world: World) -> int:
    """Bytes in the proxy's hands."""
    assert world.gate is not None
    ends: list[Any] = [*world.gate.fronts, *world.gate.pool.open]
    return sum(end._transport.get_write_buffer_size() for end in ends if end._transport is not None)


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


@pytest.mark.parametrize(
    ("decision", "status", "text"),
    [
        (Refuse(503, "service default/web has no endpoints that are ready"), b"503", b"no endpoints that are ready"),
        (Refuse(404, "no Ingress"), b"404", b"no Ingress"),
        (Redirect("https://x/"), b"308", b"Location: https://x/"),
    ],
)
async def test_our_own_answers_leave_the_connection_usable(
    world: World, decision: Decision, status: bytes, text: bytes
) -> None:
    world.decide = lambda question: decision
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    said = await exchange(world, request * 2 + LAST)
    assert said.count(b"HTTP/1.1 " + status) == 3
    assert text in said


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
    ],
)
async def test_what_is_no_request_is_refused(world: World, request_: bytes, status: bytes) -> None:
    said = await exchange(world, request_)
    assert said.startswith(b"HTTP/1.1 " + status)
    assert said.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused(world: World, chunked: bool) -> None:
    async with serving(echo) as target:
        world.targets, world.options = [target], Options(max_body=10)
        framing = (
            b"Transfer-Encoding: chunked\r\n\r\n14\r\n%b\r\n0\r\n\r\n" if chunked else b"Content-Length: 20\r\n\r\n%b"
        )
        said = await exchange(
            world, b"POST / HTTP/1.1\r\nHost: x\r\n" + framing % (b"x" * 20) + LAST.replace(b"/last", b"/")
        )
    assert said.startswith(b"HTTP/1.1 413 ")


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


def certificate(*hosts: str) -> tuple[bytes, bytes]:
    """A chain and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    return signed.public_bytes(serialization.Encoding.PEM), pem


async def common_name(world: World, host: str) -> str:
    """Of the certificate that a client is shown who asks for the host."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", world.https, ssl=context, server_hostname=host)
    shown = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    writer.close()
    return str(shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


async def test_each_host_has_its_certificate_from_the_next_handshake_on(world: World) -> None:
    world.contexts["a.example"] = context_of(*certificate("a.example"))
    world.contexts["b.example"] = context_of(*certificate("b.example"))
    assert await common_name(world, "a.example") == "a.example"
    assert await common_name(world, "b.example") == "b.example"
    assert await common_name(world, "c.example") == FAKE_NAME
    world.contexts["a.example"] = context_of(*certificate("renewed.example"))
    assert await common_name(world, "a.example") == "renewed.example"


async def test_backends_are_told_that_a_client_came_by_tls(world: World) -> None:
    chain, key = certificate("a.example")
    world.contexts["a.example"] = context_of(chain, key)
    trusting = ssl.create_default_context(cadata=chain.decode())
    async with serving(echo) as target:
        world.targets = [target]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", world.https, ssl=trusting, server_hostname="a.example"
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
        said = await reader.read()
        writer.close()
    assert b'"X-Forwarded-Proto": "https"' in said


async def test_a_backend_may_speak_tls(world: World) -> None:
    context = context_of(*certificate("pod"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        world.targets = [Target("127.0.0.1", server.sockets[0].getsockname()[1])]
        world.options = Options(backend_tls=True)
        assert (await exchange(world, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).endswith(b"secret")


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
