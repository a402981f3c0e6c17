"""Logs, exec and proxy against a kubelet that is a socket of this test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, server

from pybernetes.api.errors import StatusError
from pybernetes.apiserver.http.message import Request, Response, StreamResponse, UpgradeResponse
from pybernetes.apiserver.kubelets.connection import Head
from pybernetes.apiserver.kubelets.forward import PAGE_LIMIT
from pybernetes.apiserver.kubelets.headers import forwarded, forwarded_upgrade
from pybernetes.apiserver.kubelets.kubelets import Endpoint
from pybernetes.apiserver.kubelets.upgrade import upgrade
from pybernetes.apiserver.resources.proxies import split_name

UPGRADE = [("connection", "Upgrade"), ("upgrade", "SPDY/3.1")]
PODS = "/api/v1/namespaces/default/pods"


class NoBody:
    async def read(self) -> bytes:
        return b""


class Client:
    """The client's end of an upgraded connection."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.received = b""
        self.closed = asyncio.Event()

    async def read(self) -> bytes:
        return await self.sent.get()

    def write(self, data: bytes) -> None:
        self.received += data

    async def drain(self) -> None: ...

    def close(self) -> None:
        self.closed.set()


class Writer:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None: ...


Serve = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def kubelet(serve: Serve) -> AsyncIterator[int]:
    """`serve` gets the head of each request; the port that is listened on."""

    ended: list[asyncio.Event] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        event = ended[-1]
        try:
            await serve((await reader.readuntil(b"\r\n\r\n")).decode(), reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()
            event.set()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        async with asyncio.timeout(5):
            for event in ended:
                await event.wait()


async def echo(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream: v4\r\n\r\nhi "
    )
    writer.write(await reader.readexactly(5))
    await writer.drain()


async def test_bytes_pass_both_ways_after_the_kubelets_101() -> None:
    async with kubelet(echo) as port:
        request = Request("POST", "/x", "", [*UPGRADE, ("authorization", "Bearer secret")], NoBody())
        answer = await upgrade(request, Endpoint("127.0.0.1", port), "/exec/ns/p/c?command=ls")
        assert isinstance(answer, UpgradeResponse)
        assert ("X-Stream", "v4") in answer.headers
        client = Client()
        client.sent.put_nowait(b"12345")
        async with asyncio.timeout(5):
            await answer.run(client)
        assert client.received == b"hi 12345"
        assert client.closed.is_set()


async def test_a_refused_upgrade_is_an_answer_and_no_connection() -> None:
    heads: list[str] = []

    async def refuse(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\nno container")
        await writer.drain()
        # What a client would send on such a connection never gets here: it is at its end.
        assert await reader.read() == b""

    async with kubelet(refuse) as port:
        request = Request("POST", "/x", "", [*UPGRADE, ("authorization", "Bearer secret")], NoBody())
        answer = await upgrade(request, Endpoint("127.0.0.1", port), "/exec/ns/p/c")
        assert isinstance(answer, Response)
        assert (answer.status, answer.body) == (404, b"no container")
    assert "secret" not in heads[0]


async def test_a_kubelet_that_is_not_there_is_named() -> None:
    with pytest.raises(StatusError, match=r"error dialing backend: dial tcp 127\.0\.0\.1:1: "):
        await upgrade(Request("POST", "/x", "", UPGRADE, NoBody()), Endpoint("127.0.0.1", 1), "/")


def test_credentials_stay_here() -> None:
    protocols = "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0"
    headers = [
        ("authorization", "Bearer s"),
        ("impersonate-user", "x"),
        ("accept", "*/*"),
        ("sec-websocket-protocol", protocols),
        ("upgrade", "websocket"),
    ]
    assert forwarded(headers[:3]) == [("accept", "*/*")]
    assert forwarded_upgrade(headers) == [
        ("accept", "*/*"),
        ("sec-websocket-protocol", "v4.channel.k8s.io"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
    ]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def node(api: Server, address: str, port: int) -> None:
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}})
    status = {
        "addresses": [{"type": "InternalIP", "address": address}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    await api.merge("/api/v1/nodes/n1/status", {"status": status})


def plain(api: Server) -> None:
    """Let the server speak plain HTTP to kubelets: what TLS adds is not tested here."""
    services = api.services
    kubelets: Any = services.kubelets
    services.kubelets = type(kubelets)(None, kubelets.preferred_address_types, kubelets.backend_tls)


async def test_logs_are_streamed(api: Server) -> None:
    async def log(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert head.startswith("GET /containerLogs/default/p/c?follow=true&tailLines=2 HTTP/1.1")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n")
        await writer.drain()

    plain(api)
    async with kubelet(log) as port:
        await node(api, "127.0.0.1", port)
        await api.pod("p", nodeName="n1")
        answer = await api.raw("GET", f"{PODS}/p/log?follow=true&tailLines=2")
        assert isinstance(answer, StreamResponse)
        writer = Writer()
        await answer.run(writer)  # type: ignore[arg-type]
        assert writer.data == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("protocol", "messages"),
    [
        ("", [b"\x82\x00", b"\x82\x04one\n"]),
        ("binary.k8s.io", [b"\x82\x00", b"\x82\x04one\n"]),
        ("base64.binary.k8s.io", [b"\x81\x00", b"\x81\x08b25lCg=="]),
    ],
)
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 4\r\n\r\none\n", b"Transfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n0\r\n\r\n"]
)
async def test_logs_come_over_a_websocket(api: Server, protocol: str, messages: list[bytes], framing: bytes) -> None:
    async def log(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert "websocket" not in head
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing)
        await writer.drain()

    asked = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
    if protocol:
        asked["sec-websocket-protocol"] = protocol
    plain(api)
    async with kubelet(log) as port:
        await node(api, "127.0.0.1", port)
        await api.pod("p", nodeName="n1")
        answer = await api.raw("GET", f"{PODS}/p/log", headers=asked)
        assert isinstance(answer, UpgradeResponse)
        assert ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") in answer.headers
        assert dict(answer.headers).get("Sec-WebSocket-Protocol", "") == protocol
        client = Client()
        async with asyncio.timeout(5):
            await answer.run(client)
        assert client.received == b"".join([*messages, b"\x88\x02\x03\xe8"])
        assert client.closed.is_set()
        refused = await api.raw("GET", f"{PODS}/p/log", headers={**asked, "sec-websocket-protocol": "other"})
        assert refused.status == 400


async def test_a_kubelets_refusal_of_a_log_is_told_in_upstreams_words(api: Server) -> None:
    async def refuse(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text = b'container "c" in pod "p" is waiting to start: ContainerCreating'
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
        await writer.drain()

    plain(api)
    async with kubelet(refuse) as port:
        await node(api, "127.0.0.1", port)
        await api.pod("p", nodeName="n1")
        refused = await api.get(f"{PODS}/p/log")
        assert (refused.status, refused.message) == (
            400,
            'container "c" in pod "p" is waiting to start: ContainerCreating',
        )


async def test_the_node_proxy_forwards_to_the_kubelet(api: Server) -> None:
    async def answer(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert head.startswith("GET /metrics/resource?x=1 HTTP/1.1")
        assert "Bearer" not in head
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    plain(api)
    async with kubelet(answer) as port:
        await node(api, "127.0.0.1", port)
        answered = await api.raw("GET", "/api/v1/nodes/n1/proxy/metrics/resource?x=1")
        assert isinstance(answered, Response)
        assert (answered.status, answered.body) == (302, b"ok")
        assert ("Location", "/api/v1/nodes/n1/proxy/elsewhere") in answered.headers


async def test_links_of_a_proxied_page_lead_through_the_proxy(api: Server) -> None:
    async def answer(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert "\r\nX-Forwarded-Uri: /api/v1/nodes/n1/proxy/ui/\r\n" in head
        page = b'<a href="/x">'
        told = b"Content-Type: text/html; charset=utf-8\r\nContent-Length: %d" % len(page)
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (told, page))
        await writer.drain()

    plain(api)
    async with kubelet(answer) as port:
        await node(api, "127.0.0.1", port)
        answered = await api.raw("GET", "/api/v1/nodes/n1/proxy/ui/")
        assert isinstance(answered, Response)
        assert (answered.status, answered.body) == (200, b'<a href="/api/v1/nodes/n1/proxy/x">')
        assert answered.content_type == "text/html; charset=utf-8"


async def test_pages_too_long_to_change_pass_as_they_are(api: Server) -> None:
    page = b'<a href="/x">' * (PAGE_LIMIT // 13 + 1)

    async def answer(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page))
        writer.write(page)
        await writer.drain()

    plain(api)
    async with kubelet(answer) as port:
        await node(api, "127.0.0.1", port)
        answered = await api.raw("GET", "/api/v1/nodes/n1/proxy/")
        assert isinstance(answered, StreamResponse)
        writer = Writer()
        await answered.run(writer)  # type: ignore[arg-type]
        assert writer.data == page


async def test_a_proxy_passes_on_every_method(api: Server) -> None:
    async def answer(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method = head.partition(" ")[0].encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(method), method))
        await writer.drain()

    plain(api)
    async with kubelet(answer) as port:
        await node(api, "127.0.0.1", port)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answered = await api.raw(method, "/api/v1/nodes/n1/proxy/")
            assert isinstance(answered, Response)
            assert (answered.status, answered.body) == (200, method.encode())
        assert (await api.get("/api/v1/nodes/n1/status")).status == 200
        refused = await api.raw("OPTIONS", "/api/v1/nodes/n1/status")
        assert refused.status == 405


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0"])
async def test_pods_cannot_point_the_proxy_at_this_machine(api: Server, address: str) -> None:
    await api.pod("p", nodeName="n1")
    await api.merge(f"{PODS}/p/status", {"status": {"podIP": address, "podIPs": [{"ip": address}]}})
    refused = await api.get(f"{PODS}/p:80/proxy/latest/")
    assert (refused.status, refused.message) == (400, "address not allowed")


@pytest.mark.parametrize("path", ["/api/v1/nodes/n1/proxy/x", f"{PODS}/p/log"])
async def test_nobody_changes_protocols_unasked(api: Server, path: str) -> None:
    """CVE-2018-1002105 from the other side: a 101 must not open the connections of either side to the other."""
    heads: list[str] = []

    async def hijack(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        await writer.drain()
        assert await reader.read() == b""

    plain(api)
    async with kubelet(hijack) as port:
        await node(api, "127.0.0.1", port)
        await api.pod("p", nodeName="n1")
        answer = await api.get(path)
    assert (answer.status, answer.message) == (
        500,
        "Internal error occurred: error reading from backend: it changes protocols unasked",
    )
    assert len(heads) == 1


def test_names_of_proxied_objects() -> None:
    assert split_name("a") == ("", "a", "")
    assert split_name("a:80") == ("", "a", "80")
    assert split_name("https:a:web") == ("https", "a", "web")
    for wrong in ("", ":80", "ftp:a:80", "a:b:c:d"):
        with pytest.raises(StatusError):
            split_name(wrong)


def test_headers_are_found_whatever_their_case() -> None:
    assert Head(200, [("Content-Type", "a"), ("content-type", "b")]).header("content-type") == "a"
