"""HTTP/2 on both sides: curl and gRPC's own client and server, which know what is right."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from aiohttp import web
from grpc import aio
from msgspec.structs import replace
from tests.ingress.world import World, certificate, echo, serving

from pybernetes.api.endpoints import Target
from pybernetes.ingress.decide import Forward, Question, Refuse
from pybernetes.ingress.table import Backend

h2_config, h2_connection, h2_events = (
    pytest.importorskip(f"h2.{name}", reason="an environment older than this dependency")
    for name in ("config", "connection", "events")
)
BIG = os.urandom(3 << 20)


@pytest.fixture
def http2_backend(world: World) -> World:
    """The backends speak HTTP/2."""

    def decide(question: Question) -> Forward:
        return Forward(question.target, tuple(world.targets), world.options, Backend("default", "api", "80"), True)

    world.decide = decide
    return world


async def curl(world: World, *arguments: str, path: str = "/", http: bool = False) -> str:
    url = f"http://127.0.0.1:{world.http}{path}" if http else f"https://127.0.0.1:{world.https}{path}"
    version = "--http2-prior-knowledge" if http else "--http2"
    command = ["curl", "-sS", "-k", version, "-m", "20", *arguments, url]
    process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def hashed(request: web.Request) -> web.Response:
    return web.Response(text=hashlib.sha256(await request.read()).hexdigest())


async def big(request: web.Request) -> web.StreamResponse:
    """In chunks, so that nobody knows how much will come."""
    response = web.StreamResponse()
    await response.prepare(request)
    for start in range(0, len(BIG), 100_000):
        await response.write(BIG[start : start + 100_000])
    return response


@pytest.mark.parametrize("http", [False, True], ids=["tls", "prior knowledge"])
async def test_curl_asks_and_is_answered(world: World, http: bool) -> None:
    async with serving(echo) as target:
        world.targets = [target]
        arguments = ("-d", "hello", "-H", "Cookie: a=1", "-H", "Host: shop.example", "-w", "%{http_version}")
        said = await curl(world, *arguments, path="/a%2Fb?c", http=http)
    assert said.endswith("}2")
    assert '"path": "/a%2Fb?c"' in said
    assert '"body": "hello"' in said
    assert '"Host": "shop.example"' in said
    assert '"Cookie": "a=1"' in said or '"cookie": "a=1"' in said


async def test_bodies_of_any_size_pass_both_ways(world: World, tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_bytes(BIG)
    async with serving(hashed) as target:
        world.targets = [target]
        digest = hashlib.sha256(BIG).hexdigest()
        assert await curl(world, "-T", str(file)) == digest
        assert await curl(world, "-H", "Transfer-Encoding: chunked", "-T", str(file)) == digest
    async with serving(big) as target:
        world.targets = [target]
        await curl(world, "-o", str(tmp_path / "got"))
        assert (tmp_path / "got").read_bytes() == BIG
        # Many at once on one connection, of which one is slow to read.
        names = [str(tmp_path / f"got{number}") for number in range(5)]
        urls = [word for name in names for word in ("-o", name, f"https://127.0.0.1:{world.https}/")]
        await curl(world, "--parallel", "--limit-rate", "20M", *urls, "-o", "/dev/null")
        assert all(Path(name).read_bytes() == BIG for name in names)


async def test_heads_empty_answers_and_refusals(world: World) -> None:
    async def nothing(request: web.Request) -> web.Response:
        return web.Response(status=204)

    async with serving(nothing) as target:
        world.targets = [target]
        code = ("-o", "/dev/null", "-w", "%{http_code}")
        assert await curl(world, *code) == "204"
        assert await curl(world, "-I", *code) == "204"
        world.options = replace(world.options, max_body=3)
        for _ in range(10):
            assert await curl(world, "-d", "long", *code) == "413"
        world.decide = lambda question: Refuse(404, "nowhere")
        assert await curl(world, *code) == "404"
        assert "404 Not Found: nowhere" in await curl(world)


async def test_a_client_that_says_nothing_more_is_let_go(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between requests, and in the middle of one; but not while it waits for an answer."""
    from pybernetes.ingress.server import http2

    monkeypatch.setattr(http2, "IDLE_SECONDS", 0.3)
    asked = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        asked.set()
        await asyncio.sleep(1)
        return web.Response(text="late")

    async with serving(slow) as target:
        world.targets = [target]
        for head, ends in ((False, False), (True, False), (True, True)):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
            frames = h2_connection.H2Connection(h2_config.H2Configuration(client_side=True))
            frames.initiate_connection()
            if head:
                fields = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "x")]
                frames.send_headers(1, fields, end_stream=ends)
            writer.write(frames.data_to_send())
            events = frames.receive_data(await asyncio.wait_for(reader.read(), 20))
            assert any(isinstance(event, h2_events.ConnectionTerminated) for event in events)
            assert any(isinstance(event, h2_events.StreamEnded) for event in events) == ends
            writer.close()
    assert asked.is_set()


async def test_a_client_that_takes_back_all_it_asks_for_is_let_go(world: World) -> None:
    async with serving(big) as target:
        world.targets = [target]
        reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
        frames = h2_connection.H2Connection(h2_config.H2Configuration(client_side=True))
        frames.initiate_connection()
        from pybernetes.ingress.server.http2 import RESETS

        for _ in range(RESETS + 2):
            number = frames.get_next_available_stream_id()
            head = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "x")]
            frames.send_headers(number, head, end_stream=True)
            frames.reset_stream(number)
        writer.write(frames.data_to_send())
        events = frames.receive_data(await reader.read())
        assert any(isinstance(event, h2_events.ConnectionTerminated) for event in events)
        assert not any(isinstance(event, h2_events.StreamEnded) for event in events)
        writer.close()


class Methods(grpc.GenericRpcHandler):
    """Bytes in, bytes out."""

    async def unary(self, request: bytes, context: aio.ServicerContext) -> bytes:
        given = dict(context.invocation_metadata() or ())
        context.set_trailing_metadata((("seen", str(given.get("word"))), ("host", str(given.get("x-forwarded-host")))))
        return request[::-1]

    async def stream(self, requests: AsyncIterator[bytes], context: aio.ServicerContext) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request.upper()

    async def fail(self, request: bytes, context: aio.ServicerContext) -> bytes:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now")
        return b""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        match details.method:
            case "/api/unary":
                return grpc.unary_unary_rpc_method_handler(self.unary)
            case "/api/fail":
                return grpc.unary_unary_rpc_method_handler(self.fail)
            case "/api/stream":
                return grpc.stream_stream_rpc_method_handler(self.stream)
        return None


@asynccontextmanager
async def grpc_server(secure: tuple[bytes, bytes] | None = None) -> AsyncIterator[Target]:
    server = aio.server(options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Methods(),))
    address = "127.0.0.1:0"
    if secure is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, grpc.ssl_server_credentials([secure]))
    await server.start()
    try:
        yield Target("127.0.0.1", port)
    finally:
        await server.stop(None)


async def test_grpc(http2_backend: World) -> None:
    world = http2_backend
    limits = [("grpc.max_receive_message_length", -1), ("grpc.default_authority", "api.example")]
    async with grpc_server() as target, aio.insecure_channel(f"127.0.0.1:{world.http}", options=limits) as channel:
        world.targets = [target]
        call = channel.unary_unary("/api/unary")(b"hello", metadata=(("word", "yes"),), timeout=20)
        assert await call == b"olleh"
        assert dict(await call.trailing_metadata() or ()) == {"seen": "yes", "host": "api.example"}
        assert await channel.unary_unary("/api/unary")(BIG, timeout=20) == BIG[::-1]
        with pytest.raises(aio.AioRpcError) as failed:
            await channel.unary_unary("/api/fail")(b"", timeout=20)
        assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not now")
        with pytest.raises(aio.AioRpcError) as failed:
            await channel.unary_unary("/api/none")(b"", timeout=20)
        assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED

        talk = channel.stream_stream("/api/stream")(timeout=20)
        for word in (b"one", b"two"):
            await talk.write(word)
            assert await talk.read() == word.upper(), "each answer comes before the next question"
        await talk.done_writing()
        assert await talk.read() is aio.EOF
        many = await asyncio.gather(*(channel.unary_unary("/api/unary")(b"%03d" % n, timeout=20) for n in range(50)))
        assert list(many) == [b"%03d" % n for n in (int(str(f"{m:03d}")[::-1]) for m in range(50))]
        world.targets = [Target("127.0.0.1", 1)]
        with pytest.raises(aio.AioRpcError) as failed:
            await channel.unary_unary("/api/unary")(b"", timeout=20)
        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_grpc_over_tls_to_the_backend(http2_backend: World) -> None:
    chain, key = certificate("api.example")
    async with grpc_server((key, chain)) as target, aio.insecure_channel(f"127.0.0.1:{http2_backend.http}") as channel:
        http2_backend.targets, http2_backend.options = [target], replace(http2_backend.options, backend_tls=True)
        assert await channel.unary_unary("/api/unary")(b"safe", timeout=20) == b"efas"


async def test_old_clients_reach_new_backends(http2_backend: World) -> None:
    """A client of HTTP/1.1 is answered without what it would not understand."""
    world = http2_backend
    async with grpc_server() as target:
        world.targets = [target]
        url = f"http://127.0.0.1:{world.http}/api/none"
        command = ["curl", "-sS", "-i", "-m", "20", "-H", "Content-Type: application/grpc", "-d", "", url]
        process = await asyncio.create_subprocess_exec(*command, stdout=-1)
        out, _ = await process.communicate()
    assert process.returncode == 0, "the answer has an end"
    assert out.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"grpc-status: 12" in out
