"""TLS connections of the HTTP server: handshakes, certificates, back-pressure, and how they end."""

import asyncio
import contextlib
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from pybernetes.aio.tasks import open_scope
from pybernetes.aio.tls import server_context
from pybernetes.apiserver.http import tls
from pybernetes.apiserver.http.message import Response, StreamResponse
from pybernetes.apiserver.http.server import HTTPServer, serving

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
BIG = b"0123456789abcdef" * (1 << 20)


@asynccontextmanager
async def served(handler, context, **options):
    async with open_scope("test") as scope:
        server = HTTPServer(handler, scope, max_body=64 << 20, **options)
        async with serving(server):
            yield server, await server.listen("127.0.0.1", 0, context)


async def hello(request):
    return Response(200, b"hello", "text/plain")


async def big(request):
    return Response(200, [BIG, b"end"], "text/plain")


async def length(request):
    return Response(200, str(len(await request.body())).encode(), "text/plain")


async def test_the_certificate_of_a_client_is_known(tls_contexts, authority):
    ours, theirs = tls_contexts
    seen = []

    async def note(request):
        seen.append(request.peer_certificate)
        return Response(200)

    async with served(note, ours) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=theirs)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert seen == [ssl.PEM_cert_to_DER_cert((authority.file.parent / "client.crt").read_text())]


async def test_who_judges_whether_a_certificate_is_out_of_date(authority):
    pair, old = authority.sign("server"), authority.sign("old", ends=-timedelta(hours=1))
    theirs = ssl.create_default_context(cafile=authority.file)
    theirs.load_cert_chain(old.certificate, old.key)

    async def whose(request):
        return Response(200, request.peer_certificate, "application/octet-stream")

    async def ask(*, judges_time):
        ours = server_context(str(pair.certificate), str(pair.key), str(authority.file), judges_time=judges_time)
        async with served(whose, ours) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=theirs)
            with contextlib.closing(writer):
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                return await reader.read()

    assert (await ask(judges_time=False)).endswith(ssl.PEM_cert_to_DER_cert(old.certificate.read_text()))
    with pytest.raises(ssl.SSLError, match="certificate expired"):
        await ask(judges_time=True)


async def test_a_client_that_breaks_off_its_handshake_is_forgotten(tls_contexts):
    async with served(hello, tls_contexts[0]) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"nonsense, nonsense")
        answer = await reader.read()
        assert answer == b"" or answer[0] == 21  # an alert, or nothing
        writer.close()
        _, gone = await asyncio.open_connection("127.0.0.1", port)
        gone.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls_contexts[1])
        writer.write(GET)
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_who_speaks_no_tls_is_told(tls_contexts):
    async with served(hello, tls_contexts[0]) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        assert (await reader.read()).endswith(b"\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
        writer.close()


async def test_a_handshake_has_to_come_to_an_end(tls_contexts, monkeypatch):
    monkeypatch.setattr(tls, "HANDSHAKE_SECONDS", 0.05)
    async with served(hello, tls_contexts[0]) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()


async def test_a_long_answer_waits_for_a_slow_reader(tls_contexts):
    async with served(big, tls_contexts[0]) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls_contexts[1], limit=1 << 16)
        writer.write(GET + GET)
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            (connection,) = server._connections
            assert connection.buffered() > 0
            assert await reader.readexactly(len(BIG) + 3) == BIG + b"end"
        writer.close()


async def test_a_long_body_is_read_whole(tls_contexts):
    async with served(length, tls_contexts[0]) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls_contexts[1])
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(BIG) + BIG + GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(8) == str(len(BIG)).encode()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_writer_learns_that_its_client_is_slow_and_that_it_is_not_any_more(tls_contexts):
    waited = []

    async def stream(request):
        async def run(writer):
            writer.write(BIG)
            waited.append(writer.buffered())
            await writer.drain()
            waited.append(writer.buffered())

        return StreamResponse(200, run)

    async with served(stream, tls_contexts[0]) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls_contexts[1])
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        assert int(await reader.readuntil(b"\r\n"), 16) == len(BIG)
        assert await reader.readexactly(len(BIG) + 7) == BIG + b"\r\n0\r\n\r\n"
        writer.close()
    assert waited[0] > 1 << 20 >= waited[1]


async def test_both_sides_say_goodbye(tls_contexts):
    """Neither a client that hangs up nor a server that does leaves the other with a broken connection."""
    async with served(hello, tls_contexts[0], idle_seconds=0.05) as (_, port):
        with socket.create_connection(("127.0.0.1", port)) as plain:
            client = await asyncio.to_thread(
                tls_contexts[1].wrap_socket, plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False
            )
            with client:
                assert await asyncio.to_thread(client.recv, 100) == b""  # close_notify: else an SSLEOFError
                await asyncio.to_thread(client.unwrap)


async def test_an_answer_reaches_a_client_that_goes_on_sending(tls_contexts):
    """A socket closed with something unread is reset, and the client would lose what it has been told."""

    async def refuse(request):
        return Response(413, b"too much", "text/plain")

    async with served(refuse, tls_contexts[0]) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls_contexts[1])
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n" + BIG[: 1 << 20])
        assert (await reader.readuntil(b"too much")).startswith(b"HTTP/1.1 413")
        writer.close()


async def test_a_client_cannot_have_the_keys_made_anew(tls_contexts):
    """Renegotiation of TLS 1.2 would let a client keep the server busy."""
    theirs = tls_contexts[1]
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    async with served(hello, tls_contexts[0]) as (_, port):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-quiet", "-no_ign_eof"]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        _, told = await process.communicate(b"R\n")
        assert b"renegotiation" in told.lower()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_either_version_is_spoken(tls_contexts, version):
    theirs = tls_contexts[1]
    theirs.minimum_version = theirs.maximum_version = version
    async with served(hello, tls_contexts[0]) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=theirs)
        for _ in range(3):
            writer.write(GET)
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()


async def test_a_protocol_that_fails_loses_its_connection(tls_contexts, caplog):
    class Failing(asyncio.Protocol):
        def data_received(self, data):
            raise RuntimeError("a mistake")

    bound = socket.create_server(("127.0.0.1", 0))
    listener = tls.TLSListener(bound, tls_contexts[0], Failing, 1)
    reader, writer = await asyncio.open_connection(*bound.getsockname(), ssl=tls_contexts[1])
    writer.write(b"x")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert "a mistake" in caplog.text
    writer.close()
    listener.close()
