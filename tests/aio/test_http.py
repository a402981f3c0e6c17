"""The HTTP client against a server that answers with the bytes that a test orders."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from pybernetes.aio.http.client import HTTPClient, open_client
from pybernetes.aio.http.errors import ConnectError, DisconnectedError, HTTPError, SilentError
from pybernetes.aio.http.request import Origin


class Script:
    """A server: for each request, by its number, the pieces of its answer; None closes the connection."""

    def __init__(self) -> None:
        self.answers: list[list[bytes | None]] = []
        self.heads: list[str] = []
        self.connections = 0
        self.closed = asyncio.Event()
        self.sent = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                for piece in self.answers.pop(0):
                    if piece is None:
                        raise ConnectionResetError
                    writer.write(piece)
                    await writer.drain()
                    self.sent += len(piece)
        self.closed.set()
        writer.close()


@pytest.fixture
async def script() -> Script:
    return Script()


@pytest.fixture
async def origin(script: Script) -> AsyncIterator[Origin]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    yield Origin(*server.sockets[0].getsockname())
    server.close()


@pytest.fixture
async def http(origin: Origin) -> AsyncIterator[HTTPClient]:
    async with open_client() as client:
        yield client


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Word: yes\r\n\r\n%s" % (len(body), body)


async def test_a_connection_is_used_again(script: Script, origin: Origin, http: HTTPClient) -> None:
    script.answers = [[answer(b"one")], [answer(b"")], [answer(b"three")]]
    first = await http.send(origin, "GET", "/a?b=c", [("Accept", "text/plain")])
    assert (first.status, first.headers["x-word"], await first.read()) == (200, "yes", b"one")
    assert await (await http.send(origin, "POST", "/", (), b"")).read() == b""
    assert await (await http.send(origin, "GET", "/", ())).read() == b"three"
    assert script.connections == 1
    assert script.heads[0] == f"GET /a?b=c HTTP/1.1\r\nHost: {origin.authority}\r\nAccept: text/plain\r\n\r\n"
    assert "Content-Length: 0\r\n" in script.heads[1]


async def test_chunks_come_as_they_are_sent(script: Script, origin: Origin, http: HTTPClient) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    script.answers = [[head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"]]
    got = await http.send(origin, "GET", "/", ())
    body = b""
    while part := await got.part():
        body += part
    assert body == b"abcde"


async def test_a_body_without_length_ends_with_the_connection(script: Script, origin: Origin, http: HTTPClient) -> None:
    script.answers = [[b"HTTP/1.1 200 OK\r\n\r\nall", b" of it", None]]
    assert await (await http.send(origin, "GET", "/", ())).read() == b"all of it"


async def test_an_interim_answer_is_passed_over(script: Script, origin: Origin, http: HTTPClient) -> None:
    script.answers = [[b"HTTP/1.1 103 Early Hints\r\nX-Word: no\r\n\r\n", answer(b"real")]]
    got = await http.send(origin, "GET", "/", ())
    assert (got.status, got.headers["x-word"], await got.read()) == (200, "yes", b"real")


async def test_a_kept_connection_that_has_died_is_replaced_for_reads_only(
    script: Script, origin: Origin, http: HTTPClient
) -> None:
    script.answers = [[answer(b"1")], [None], [answer(b"2")], [None]]
    assert await (await http.send(origin, "GET", "/", ())).read() == b"1"
    assert await (await http.send(origin, "GET", "/", ())).read() == b"2"
    with pytest.raises(HTTPError):
        await http.send(origin, "POST", "/", (), b"x")
    assert (len(script.heads), script.connections) == (4, 2)


@pytest.mark.parametrize(
    "pieces",
    [[None], [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", None], [b"SSH-2.0-OpenSSH\r\n\r\n"]],
)
async def test_what_breaks_off_is_an_error(
    script: Script, origin: Origin, http: HTTPClient, pieces: list[bytes | None]
) -> None:
    script.answers = [pieces]
    with pytest.raises(HTTPError):
        await (await http.send(origin, "GET", "/", ())).read()


async def test_nobody_there_is_an_error_of_its_own(http: HTTPClient) -> None:
    with pytest.raises(ConnectError):
        await http.send(Origin("127.0.0.1", 1), "POST", "/", (), b"x")


async def test_a_sender_waits_for_a_slow_reader(script: Script, origin: Origin, http: HTTPClient) -> None:
    size = 64 << 20
    script.answers = [[b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, *[bytes(1 << 20)] * 64]]
    got = await http.send(origin, "GET", "/", ())
    for _ in range(200):
        await asyncio.sleep(0)
    assert script.sent < size / 2
    assert len(await got.read()) == size


async def test_a_call_that_is_given_up_closes_its_connection(script: Script, origin: Origin, http: HTTPClient) -> None:
    script.answers = [[]]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await http.send(origin, "GET", "/", ())
    async with asyncio.timeout(5):
        await script.closed.wait()


async def test_a_whole_answer_is_fetched_whatever_its_pieces(script: Script, origin: Origin, http: HTTPClient) -> None:
    size = 4 << 20
    head = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\nX-Word: yes\r\n\r\n" % size
    script.answers = [[head, *[bytes(1 << 20)] * 4], [answer(b"next")]]
    got, body = await http.fetch(origin, "POST", "/", (), b"x", seconds=30)
    assert (got.status, got.headers["x-word"], len(body)) == (201, "yes", size)
    assert (await http.fetch(origin, "GET", "/", (), seconds=30))[1] == b"next"
    assert script.connections == 1


@pytest.mark.parametrize("pieces", [[], [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"]], ids=["head", "body"])
async def test_a_server_that_falls_silent_is_left(
    script: Script, origin: Origin, http: HTTPClient, pieces: list[bytes | None]
) -> None:
    script.answers = [pieces, [answer(b"new")]]
    with pytest.raises(SilentError, match=r"no answer within 0\.05 s"):
        await http.fetch(origin, "GET", "/", (), seconds=0.05)
    async with asyncio.timeout(5):
        await script.closed.wait()
    assert (await http.fetch(origin, "GET", "/", (), seconds=30))[1] == b"new"


async def test_a_part_is_waited_for_so_long(script: Script, origin: Origin, http: HTTPClient) -> None:
    script.answers = [[b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"]]
    got = await http.send(origin, "GET", "/", ())
    assert await got.part(30) == b"abc"
    with pytest.raises(SilentError):
        await got.part(0.05)


async def test_only_what_may_be_repeated_is_fetched_again(script: Script, origin: Origin, http: HTTPClient) -> None:
    script.answers = [[answer(b"1")], [None], [answer(b"2")], [None]]
    for expected in (b"1", b"2"):
        assert (await http.fetch(origin, "GET", "/", (), seconds=30))[1] == expected
    with pytest.raises(DisconnectedError):
        await http.fetch(origin, "POST", "/", (), b"x", seconds=30)
    assert (len(script.heads), script.connections) == (4, 2)


async def test_an_answer_that_is_left_unread_closes_its_connection(
    script: Script, origin: Origin, http: HTTPClient
) -> None:
    script.answers = [[b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"], [answer(b"new")]]
    (await http.send(origin, "GET", "/", ())).close()
    assert await (await http.send(origin, "GET", "/", ())).read() == b"new"
    assert script.connections == 2


async def test_line_breaks_are_refused(http: HTTPClient) -> None:
    with pytest.raises(ValueError, match="line break"):
        await http.send(Origin("127.0.0.1", 1), "GET", "/a\r\nX: y", ())
