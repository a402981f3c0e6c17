"""The HTTP server over real sockets, plain and with TLS: keep-alive, limits, streams, upgrades, bad input."""

import asyncio
import re
import ssl
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar

import pytest

from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.http.connection import UNREAD_LIMIT
from pybernetes.apiserver.http.message import (
    BodyTooLargeError,
    DisconnectedError,
    Response,
    SlowBodyError,
    StreamResponse,
    UpgradeResponse,
    frame,
)
from pybernetes.apiserver.http.server import SLICE, HTTPServer, serving

TLS = ContextVar("TLS", default=(None, None))
"""The two sides' contexts."""


@pytest.fixture(params=["plain", "tls"], autouse=True)
def transport(request, tls_contexts):
    """Each test runs with both kinds of connection."""
    token = TLS.set(tls_contexts if request.param == "tls" else (None, None))
    yield
    TLS.reset(token)


@asynccontextmanager
async def served(handler, **options):
    ours, theirs = TLS.get()
    async with open_scope("test") as scope:
        server = HTTPServer(handler, scope, max_body=1000, **options)
        async with serving(server):
            port = await server.listen("127.0.0.1", 0, ours)
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=theirs)
            yield reader, writer, server
            writer.close()
            with suppress(ssl.SSLError):  # what the server sends meanwhile is nobody's any more
                await writer.wait_closed()


async def answer_of(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
    )
    return int(head.split()[1]), await reader.readexactly(length)


async def refusal_of(reader):
    """What a connection ends with: the first line, and the body."""
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0].decode(), body.decode()


async def echo(request):
    try:
        body = await request.body()
    except BodyTooLargeError:
        return Response(413)
    except DisconnectedError:
        return Response(400)
    return Response(200, request.method.encode() + b" " + request.path.encode() + b" " + body)


async def test_requests_follow_one_another_on_a_connection():
    async with served(echo) as (reader, writer, _):
        for path in (b"/a", b"/b%20c"):
            writer.write(b"POST " + path + b" HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi")
        assert await answer_of(reader) == (200, b"POST /a hi")
        assert await answer_of(reader) == (200, b"POST /b c hi")


async def test_headers_that_came_before_mean_what_they_meant():
    """However the request around them is cut into pieces."""
    head = b"POST /%b HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"
    async with served(echo) as (reader, writer, server):
        for path in (b"a", b"b%20c", b"d?e=f"):
            writer.write(head % path + b"hi")
            expected = b"POST /" + path.replace(b"%20", b" ").partition(b"?")[0] + b" hi"
            assert await answer_of(reader) == (200, expected)
        assert len(server.heads) == 1
        writer.write(head % b"cut" + b"h")
        await asyncio.sleep(0.01)
        writer.write(b"i" + head % b"next" + b"ho" + head % b"last")
        assert await answer_of(reader) == (200, b"POST /cut hi")
        assert await answer_of(reader) == (200, b"POST /next ho")
        writer.write(b"ha")
        assert await answer_of(reader) == (200, b"POST /last ha")
        writer.write(head % b"again" + b"hi")
        assert await answer_of(reader) == (200, b"POST /again hi")


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.0", b"GET /", b"GET  / HTTP/1.1", b"GET /\x00 HTTP/1.1", b"get / HTTP/1.1"]
)
async def test_known_headers_make_no_request_of_any_line(line):
    """Each line is judged as it would be with headers that nobody has seen."""

    async def told(known):
        async with served(echo, idle_seconds=0.2) as (reader, writer, _):
            if known:
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                await answer_of(reader)
            writer.write(line + b"\r\nhost: x\r\n\r\n")
            return re.sub(rb"\r\ndate: [^\r]*", b"", await reader.read())

    assert await told(known=True) == await told(known=False)


async def test_a_body_beyond_the_limit_is_refused():
    async with served(echo) as (reader, writer, _):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000)
        assert (await answer_of(reader))[0] == 413


POST = b"POST / HTTP/1.1\r\nhost: x\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


BAD = "400 Bad Request"


@pytest.mark.parametrize(
    ("garbage", "words"),
    [
        (b"\x16\x03\x01nonsense\r\n\r\n", BAD),
        (b"GET / HTTP/9.9\r\n\r\n", "505 HTTP Version Not Supported: unsupported protocol version"),
        (b"GET /\r\n\r\n", BAD),
        (b"GET / HTTP/1.1\nhost: x\n\n", BAD),
        (b"GET / HTTP/1.1\rhost: x\r\r", BAD),
        (b"GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n", BAD),
        (b"GET / HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n", BAD),
        (b"GET / HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n", BAD + ": invalid header name"),
        (b"GET / HTTP/2.0\r\nhost: x\r\n\r\n" + NEXT, "505 HTTP Version Not Supported: unsupported protocol version"),
        (b"GET / HTTP/1.1\r\n\r\n" + NEXT, BAD + ": missing required Host header"),
        (b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n" + NEXT, BAD + ": malformed Host header"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n" + NEXT, BAD),
        (POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT, BAD),
        (POST + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n" + NEXT, BAD),
        (POST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n" + NEXT, "Unsupported transfer encoding"),
        (POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + NEXT, "Unsupported transfer encoding"),
        (POST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n" + NEXT, BAD + ": invalid header name"),
        (POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n" + NEXT, "Unsupported transfer encoding"),
        (POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello" + NEXT, BAD),
        (POST + b"content-length: +5\r\n\r\nhello" + NEXT, BAD),
        (POST + b"content-length: -1\r\n\r\nhello" + NEXT, BAD),
        (POST + b"content-length: 99999999999999999999999\r\n\r\nhello", BAD),
        (POST + b"expect: miracles\r\n\r\n" + NEXT, ""),
    ],
)
async def test_what_is_no_http_is_refused_and_hung_up_on(garbage, words):
    """Nothing that two readers could understand differently is understood at all (request smuggling)."""
    async with served(echo) as (reader, writer, _):
        writer.write(garbage)
        line, body = await refusal_of(reader)
        assert body == words
        assert line == "HTTP/1.1 " + {"": "417 Expectation Failed", "Unsupported transfer encoding": "501 Not Implemented"}.get(words, words)  # fmt: skip


@pytest.mark.parametrize("chunks", [b"ZZ\r\nhi\r\n0\r\n\r\n", b"-1\r\nhi\r\n0\r\n\r\n", b"ffffffffffffffffff\r\nhi", b"2\nhi\n0\n\n"])  # fmt: skip
async def test_a_body_that_breaks_off_is_its_handlers(chunks):
    async with served(echo) as (reader, writer, _):
        writer.write(POST + b"transfer-encoding: chunked\r\n\r\n" + chunks + NEXT)
        assert await answer_of(reader) == (400, b"")
        assert await reader.read() == b""


async def test_requests_before_garbage_are_answered():
    async with served(echo) as (reader, writer, _):
        writer.write(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n" * 2 + b"garbage\r\n\r\n")
        assert await answer_of(reader) == (200, b"GET /a ")
        assert await answer_of(reader) == (200, b"GET /a ")
        assert await refusal_of(reader) == ("HTTP/1.1 " + BAD, BAD)


async def test_what_comes_behind_the_last_request_does_not_matter():
    async with served(echo) as (reader, writer, _):
        writer.write(b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" + NEXT)
        assert await answer_of(reader) == (200, b"GET /a ")
        assert await reader.read() == b""


@pytest.mark.parametrize("method", [b"FOO", b"get", b"CONNECT", b"M-SEARCH", b"LOCK", b"X_Y"])
async def test_any_token_is_a_method(method):
    async with served(echo) as (reader, writer, _):
        for body in (b"", b"hi"):
            writer.write(method + b" /a HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            assert await answer_of(reader) == (200, method + b" /a " + body)
        writer.write(b"GET /b HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await answer_of(reader) == (200, b"GET /b ")


async def test_heads_that_have_no_end():
    async with served(echo) as (reader, writer, _):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n" + (b"a: " + b"x" * 60_000 + b"\r\n") * 20)
        line, words = await refusal_of(reader)
        assert line == "HTTP/1.1 " + words == "HTTP/1.1 431 Request Header Fields Too Large"


async def test_a_body_that_does_not_come():
    async def slow(request):
        try:
            await request.body()
        except SlowBodyError:
            return Response(504)
        return Response(200)

    async with served(slow, body_seconds=0.05) as (reader, writer, _):
        writer.write(POST + b"content-length: 5\r\n\r\n")
        assert (await answer_of(reader))[0] == 504
        assert await reader.read() == b""


async def test_a_target_may_name_the_host():
    async with served(echo) as (reader, writer, _):
        writer.write(b"GET http://x/a/b?c HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await answer_of(reader) == (200, b"GET /a/b ")


async def test_expect_continue():
    async with served(echo) as (reader, writer, _):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert await answer_of(reader) == (200, b"POST / hi")


async def test_a_stream_ends_with_the_server():
    started = asyncio.Event()

    async def stream(request):
        async def run(writer):
            writer.write(b"one")
            started.set()
            await writer.ending.wait()
            writer.write(b"two")

        return StreamResponse(200, run)

    async with served(stream) as (reader, writer, server):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await started.wait()
        await server.close()
        assert (await reader.read()).endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_nothing_written_ends_no_stream():
    async def stream(request):
        async def run(writer):
            for data in (b"", b"one", b"", b"two"):
                writer.write(data)
                await writer.drain()

        return StreamResponse(200, run)

    async with served(stream) as (reader, writer, _):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_a_stream_that_its_user_ends_ends_no_other_of_its_connection():
    seen = []

    async def stream(request):
        async def run(writer):
            seen.append(writer.ending.is_set())
            writer.ending.set()

        return StreamResponse(200, run)

    async with served(stream) as (reader, writer, _):
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.readuntil(b"\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert seen == [False, False]


@pytest.mark.parametrize("streams", [SLICE, SLICE + 1, 2 * SLICE + 10])
async def test_each_of_many_streams_hears_all_that_is_told(streams):
    """However they fall into slices, and whether or not the server had a turn between the two."""
    hearing = []

    async def stream(request):
        async def run(writer):
            hearing.append(writer)
            await writer.ending.wait()

        return StreamResponse(200, run)

    async with served(stream) as (reader, writer, _):
        address = writer.get_extra_info("peername")
        opened = [(reader, writer)]
        for _ in range(streams - 1):
            opened.append(await asyncio.open_connection(*address, ssl=TLS.get()[1]))
        for reader, writer in opened:
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        for words in (b"one", b"two"):
            for one in hearing:
                one.write_framed(frame(words))
        await asyncio.sleep(0)
        for one in hearing:
            one.write_framed(frame(b"three"))
        for reader, writer in opened:
            heard = await asyncio.wait_for(reader.readuntil(b"three\r\n"), 5)
            assert heard == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n"
            writer.close()


async def test_a_stream_is_cancelled_when_its_client_goes():
    gone = asyncio.Event()

    async def stream(request):
        async def run(writer):
            try:
                await asyncio.Event().wait()
            finally:
                gone.set()

        return StreamResponse(200, run)

    async with served(stream) as (reader, writer, _server):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await asyncio.wait_for(gone.wait(), 1)


async def test_an_upgraded_connection_is_the_handlers():
    async def upgrade(request):
        async def run(duplex):
            while data := await duplex.read():
                duplex.write(data.upper())

        return UpgradeResponse([("connection", "Upgrade"), ("upgrade", "x")], run)

    async with served(upgrade) as (reader, writer, _):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: x\r\n\r\nabc")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert await reader.readexactly(3) == b"ABC"


async def test_a_refused_upgrade_closes_the_connection():
    """CVE-2018-1002105: what follows a refused upgrade must reach nobody."""

    async def refuse(request):
        return Response(403, b"no")

    async with served(refuse) as (reader, writer, _):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: x\r\n\r\n")
        assert await answer_of(reader) == (403, b"no")
        assert await reader.read() == b""


async def test_a_handler_that_fails_ends_its_connection(caplog):
    async def fail(request):
        raise RuntimeError("a mistake")

    async with served(fail) as (reader, writer, server):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 1) == b""
        await asyncio.wait_for(server.close(), 1)
    assert "a mistake" in caplog.text


async def test_an_idle_connection_is_closed():
    async with served(echo, idle_seconds=0.05) as (reader, _, _server):
        assert await asyncio.wait_for(reader.read(), 1) == b""


async def test_a_flood_on_an_upgraded_connection_waits_for_its_reader():
    received = 0
    go = asyncio.Event()

    async def upgrade(request):
        async def run(duplex):
            nonlocal received
            await go.wait()
            while received < 48 << 20:
                received += len(await duplex.read())
            duplex.write(b"done")

        return UpgradeResponse([("connection", "Upgrade"), ("upgrade", "x")], run)

    async with served(upgrade) as (reader, writer, server):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x" * (48 << 20))
        await asyncio.sleep(0.05)
        (connection,) = server._connections
        assert 0 < connection._upgraded.qsize() <= UNREAD_LIMIT
        go.set()
        assert await asyncio.wait_for(reader.readexactly(4), 5) == b"done"


async def test_a_pipeline_is_answered_in_order_however_long():
    async with served(echo) as (reader, writer, _):
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number for number in range(5000)))
        for number in range(5000):
            assert await answer_of(reader) == (200, b"GET /%d " % number)


async def test_a_pipeline_that_nobody_reads_waits():
    go = asyncio.Event()

    async def slow(request):
        await go.wait()
        return Response(200)

    async with served(slow) as (reader, writer, server):
        request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
        writer.write(request * 400_000)
        await asyncio.sleep(0.05)
        (connection,) = server._connections
        assert 0 < connection._reader.held < len(request) * 200_000
        go.set()
        for _ in range(400):
            assert (await answer_of(reader))[0] == 200


async def test_each_answer_is_of_its_requests_version():
    async with served(echo) as (reader, writer, _):
        old = b"GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"
        writer.write(old + b"GET /b HTTP/1.1\r\nhost: x\r\n\r\n" + b"GET /c HTTP/1.0\r\n\r\n" + NEXT)
        first = await reader.readuntil(b"GET /a ")
        assert first.startswith(b"HTTP/1.0 200 ")
        assert b"\r\nconnection: keep-alive\r\n" in first
        second = await reader.readuntil(b"GET /b ")
        assert second.startswith(b"HTTP/1.1 200 ")
        assert b"connection:" not in second
        third = await reader.read()
        assert third.startswith(b"HTTP/1.0 200 ")
        assert third.endswith(b"\r\n\r\nGET /c ")


async def test_an_upgrade_that_is_not_made_has_its_body():
    async with served(echo) as (reader, writer, _):
        writer.write(POST + b"connection: Upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nhi" + NEXT)
        assert await answer_of(reader) == (200, b"POST / hi")
        assert await reader.read() == b""


@pytest.mark.parametrize(("length", "is_kept"), [(5, True), (300_000, False)])
async def test_the_rest_of_a_body_that_nobody_wants_is_waited_for(length, is_kept):
    """A short one, after which the connection goes on."""

    async def refuse(request):
        return Response(401, b"no")

    async with served(refuse) as (reader, writer, _):
        writer.write(POST + b"content-length: %d\r\n\r\n" % length)
        if is_kept:
            await asyncio.sleep(0.01)
            writer.write(b"h" * length + NEXT)
            assert await answer_of(reader) == (401, b"no")
        assert await answer_of(reader) == (401, b"no")
        assert is_kept or await reader.read() == b""


@pytest.mark.parametrize(
    ("chunks", "words"), [(b"zz\r\n", b"invalid byte in chunk length"), (b"1\r\na", b"unexpected EOF")]
)
async def test_why_a_body_is_broken_is_told(chunks, words):
    async def read(request):
        try:
            return Response(200, await request.body())
        except DisconnectedError as error:
            seen.append(str(error).encode())
            return Response(400, str(error).encode())

    seen = []
    async with served(read) as (reader, writer, _):
        writer.write(POST + b"transfer-encoding: chunked\r\n\r\n" + chunks)
        if words == b"unexpected EOF":
            await asyncio.sleep(0.01)
            writer.close()
        else:
            assert await answer_of(reader) == (400, words)
        await reader.read()
    assert seen == [words]
