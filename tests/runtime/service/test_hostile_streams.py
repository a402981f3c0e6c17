"""Clients of streams that break every rule: nobody else notices, and nothing of theirs stays."""

import asyncio
import os
import random
import struct
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from pybernetes.cri import types as t
from pybernetes.cri.testsuite import Lab, Pod
from pybernetes.streaming.channel import BACKLOG
from pybernetes.streaming.spdy import MAX_STREAMS
from pybernetes.wire import spdy
from pybernetes.wire import websocket as ws
from pybernetes.wire.channels import V4, V5, Channel

from .stream_clients import SpdyClient, WebSocketClient, dial

pytestmark = pytest.mark.parametrize("oci_runtime", ["builtin"], indirect=True)


@pytest.fixture
async def container(lab: Lab, pod: Pod) -> AsyncIterator[str]:
    """After each test the runtime serves the next client, and no command of the test runs any more."""
    made = await pod.start(lab.container("sleep", "1000"))
    yield made
    assert await said(lab, made, "echo", "served") == "served\n"
    for _ in range(100):
        seen = await lab.runtime.exec_sync(made, ["ps", "-o", "args"], 10)
        if b"4321" not in seen.stdout:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"a command runs on: {seen.stdout!r}")


async def offered(lab: Lab, container: str, *command: str) -> str:
    request = t.ExecRequest(container_id=container, cmd=list(command), stdin=True, stdout=True, stderr=True)
    return await lab.runtime.exec(request)


async def said(lab: Lab, container: str, *command: str) -> str:
    client = await WebSocketClient.open(await offered(lab, container, *command), V5)
    await client.finish()
    return client.text(Channel.STDOUT)


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server hangs up, which it has to."""
    received = b""
    async with asyncio.timeout(30):
        while data := await _read(reader):
            received += data
    return received


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""


def request_for(url: str) -> bytes:
    target = urlsplit(url).path.partition(":")[2]
    head = "Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
    return f"POST {target} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode()


# Connections that were meant for one stream


@pytest.mark.parametrize(
    "head",
    ["POST /exec/unknown HTTP/1.1\r\n", "POST {own} HTTP/1.1\r\nUpgrade: h2c\r\n", "nonsense\r\n", "GET {own} HTTP/1.1\r\n"],
    ids=["unknown", "no protocol", "no request", "no upgrade"],
)  # fmt: skip
async def test_nothing_follows_a_refusal(lab: Lab, container: str, head: str) -> None:
    """CVE-2018-1002105: neither the stream of somebody else nor another request."""
    own, others = await offered(lab, container, "true"), await offered(lab, container, "echo", "others")
    path, _, target = urlsplit(own).path.partition(":")
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(head.format(own=target).encode() + b"\r\n" + request_for(others))
    answer = await until_closed(reader)
    assert answer.startswith((b"HTTP/1.1 40", b"HTTP/1.1 404"))
    assert answer.count(b"HTTP/1.1") == 1
    writer.close()
    client = await WebSocketClient.open(others, V5)
    await client.finish()
    assert client.text(Channel.STDOUT) == "others\n"


@pytest.mark.parametrize("protocol", ["websocket", "SPDY/3.1"])
async def test_requests_are_no_frames(lab: Lab, container: str, protocol: str) -> None:
    """After the upgrade a connection carries its stream and nothing else, to its end."""
    own, others = await offered(lab, container, "sleep", "4321"), await offered(lab, container, "echo", "others")
    headers = {"Upgrade": protocol, "Sec-WebSocket-Key": "x", "Sec-WebSocket-Protocol": V5}
    reader, writer, head = await dial(own, headers)
    assert head.startswith("HTTP/1.1 101")
    writer.write(request_for(others) * 2)
    writer.write_eof()
    assert b"HTTP/1.1" not in await until_closed(reader)
    writer.close()
    client = await WebSocketClient.open(others, V5)
    await client.finish()
    assert client.text(Channel.STDOUT) == "others\n"


async def test_what_a_container_writes_is_never_a_frame(lab: Lab, container: str) -> None:
    """CVE-2019-1002101's beginning: frames, an exit code and a closing that a program prints are its output."""
    printed = (
        ws.encode(ws.Opcode.BINARY, b'\x03{"status":"Success"}') + ws.encode_close() + spdy.Connection().go_away(0)
    )
    escaped = "".join(f"\\{byte:03o}" for byte in printed)
    client = await WebSocketClient.open(await offered(lab, container, "sh", "-c", f"printf '{escaped}'; exit 3"), V5)
    status = await client.finish()
    assert bytes(client.received[Channel.STDOUT]) == printed
    assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}
    over = await SpdyClient.open(await offered(lab, container, "sh", "-c", f"printf '{escaped}'; exit 3"), V4)
    error, stdin, stdout, stderr = (over.stream(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr"))
    over.send(stdin, b"", fin=True)
    await over.wait_ended(error, stdout, stderr)
    assert bytes(over.received[stdout]) == printed
    assert b"NonZeroExitCode" in over.received[error]
    over.writer.close()


# WebSocket


def masked(first: int, payload: bytes = b"", length: bytes | None = None) -> bytes:
    size = bytes((0x80 | len(payload),)) if length is None else length
    return bytes((first,)) + size + bytes(4) + payload


BROKEN = {
    "not masked": ws.encode(ws.Opcode.BINARY, b"\0x"),
    "reserved bits": masked(0xF2, b"\0x"),
    "unknown opcode": masked(0x83, b"x"),
    "continuation of nothing": masked(0x80, b"x"),
    "a fragmented ping": masked(0x09),
    "a long ping": masked(0x89, b"x" * 126, b"\xfe\x00\x7e"),
    "two beginnings": masked(0x02, b"\0x") * 2,
    "endless": masked(0x82, b"", b"\xff" + b"\x7f" * 8),
    "negative": masked(0x82, b"", b"\xff" + b"\xff" * 8),
    "fragments without end": masked(0x02, b"\0") + masked(0x00, b"x" * 65536, b"\xff" + struct.pack("!Q", 65536)) * 513,
    "text on binary": masked(0x81, b"\xff\xfe") + masked(0x88),
}


@pytest.mark.parametrize("frames", BROKEN.values(), ids=BROKEN)
async def test_broken_websocket_frames_end_their_stream(lab: Lab, container: str, frames: bytes) -> None:
    client = await WebSocketClient.open(await offered(lab, container, "sleep", "4321"), V5)
    client.writer.write(frames)
    answer = await until_closed(client.reader)
    assert [message.opcode for message in ws.Decoder().feed(answer)][-1:] in ([ws.Opcode.CLOSE], [])
    client.writer.close()


async def test_fragments_of_nothing_cost_nothing(lab: Lab, container: str) -> None:
    client = await WebSocketClient.open(await offered(lab, container, "cat"), V5)
    client.writer.write(masked(0x02, b"\0start") + masked(0x00) * 100_000 + masked(0x80, b"end"))
    client.send(Channel.CLOSE, bytes((Channel.STDIN,)))
    await client.finish()
    assert client.text(Channel.STDOUT) == "startend"


@pytest.mark.parametrize("size", [b"[" * 100_000, b'{"Width": Infinity}', b'{"Width": 1e999}', b"\xff", b"9" * 4000])
async def test_sizes_that_are_none(lab: Lab, container: str, size: bytes, caplog: pytest.LogCaptureFixture) -> None:
    request = t.ExecRequest(container_id=container, cmd=["cat"], stdin=True, stdout=True, tty=True)
    client = await WebSocketClient.open(await lab.runtime.exec(request), V5)
    client.send(Channel.RESIZE, size)
    client.send(Channel.STDIN, b"hello\n\x04")
    assert (await client.finish())["status"] == "Success"
    assert "hello" in client.text(Channel.STDOUT)
    assert "task failed" not in caplog.text


async def test_messages_to_channels_that_nobody_reads_hold_nothing_up(lab: Lab, container: str) -> None:
    """Nor are they kept."""
    client = await WebSocketClient.open(await offered(lab, container, "cat"), V5)
    for channel in (Channel.STDOUT, Channel.STDERR, Channel.ERROR, 7, 254):
        for _ in range(100):
            client.send(channel, b"x" * 65536)
        await client.writer.drain()
    client.send(Channel.STDIN, b"read")
    client.send(Channel.CLOSE, bytes((Channel.STDIN,)))
    assert (await client.finish())["status"] == "Success"
    assert client.text(Channel.STDOUT) == "read"


# SPDY


def control(kind: int, payload: bytes, version: int = 3) -> bytes:
    return struct.pack("!II", 0x80000000 | version << 16 | kind, len(payload)) + payload


def bomb() -> bytes:
    """Headers of 16 MiB in a frame of 16 KiB."""
    client = spdy.Connection()
    return client.open(1, {"a": "x" * (16 << 20)})


def doubled() -> bytes:
    client = spdy.Connection()
    return client.open(1, {"streamType": "error"}) + client.open(1, {"streamType": "stdin"})


NOISE = random.Random(7)
BROKEN_SPDY = {
    "another version": control(1, bytes(20), version=2),
    "a short stream": control(1, b"\0"),
    "junk for headers": control(1, struct.pack("!IIH", 1, 0, 0) + b"junk"),
    "stream 0": spdy.Connection().open(0, {}),
    "one number twice": doubled(),
    "numbers that fall": spdy.Connection().open(5, {}) + control(1, struct.pack("!IIH", 3, 0, 0)),
    "a bomb": bomb(),
    "a control frame of 16 MiB": struct.pack("!II", 0x80030004, 0xFFFFFF) + bytes(1000),
    "noise": b"\x80\x03\x00\x01" + NOISE.randbytes(4000),
}


@pytest.mark.parametrize("frames", BROKEN_SPDY.values(), ids=BROKEN_SPDY)
async def test_broken_spdy_frames_end_their_stream(lab: Lab, container: str, frames: bytes) -> None:
    client = await SpdyClient.open(await offered(lab, container, "sleep", "4321"), V4)
    client.writer.write(frames)
    await until_closed(client.reader)
    client.writer.close()


async def test_frames_for_streams_that_are_not_there(lab: Lab, container: str) -> None:
    client = await SpdyClient.open(await offered(lab, container, "cat"), V4)
    client.writer.write(client.connection.data(77, b"x" * 100_000) + client.connection.reset(79))
    client.writer.write(control(8, struct.pack("!I", 81) + client.connection.open(201, {"a": "b"})[18:]))
    error, stdin, stdout, stderr = (client.stream(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr"))
    more = client.stream(streamType="more")
    client.send(more, b"x" * (BACKLOG * 4))
    client.send(stdout, b"x" * (BACKLOG * 4))
    client.send(stdin, b"read", fin=True)
    client.send(stdin, b"after the end")
    await client.wait_ended(error, stdout, stderr)
    assert client.text(stdout) == "read"
    client.writer.close()


async def test_streams_beyond_the_limit_are_reset(lab: Lab, container: str) -> None:
    client = await SpdyClient.open(await offered(lab, container, "sleep", "4321"), V4)
    for number in range(MAX_STREAMS + 20):
        client.stream(streamType=f"kind {number}")
    resets: list[int] = []
    while len(resets) < 20:
        data = await asyncio.wait_for(client.reader.read(65536), 10)
        assert data
        resets += [event.stream for event in client.connection.receive(data) if isinstance(event, spdy.Reset)]
    assert resets == [2 * number + 1 for number in range(MAX_STREAMS, MAX_STREAMS + 20)]
    client.writer.close()


PORTS = ["0", "65536", "99999", "-1", "+80", "8_0", " 80", "²", "9" * 5000, "", "80;81"]


async def test_ports_that_are_none(lab: Lab, pod: Pod, container: str, caplog: pytest.LogCaptureFixture) -> None:
    url = await lab.runtime.port_forward(t.PortForwardRequest(pod_sandbox_id=pod.id))
    client = await SpdyClient.open(url, "portforward.k8s.io")
    streams = [client.stream(streamType="data", port=port, requestID="0") for port in PORTS]
    streams.append(client.stream(streamType="other", port="80", requestID="0"))
    resets: set[int] = set()
    while len(resets) < len(streams):
        data = await asyncio.wait_for(client.reader.read(65536), 10)
        assert data
        resets |= {event.stream for event in client.connection.receive(data) if isinstance(event, spdy.Reset)}
    assert resets == set(streams)
    client.writer.close()
    assert "task failed" not in caplog.text


async def test_a_connection_forwards_more_than_its_limit_one_after_the_other(
    lab: Lab, pod: Pod, container: str
) -> None:
    """What has ended is forgotten."""
    url = await lab.runtime.port_forward(t.PortForwardRequest(pod_sandbox_id=pod.id))
    client = await SpdyClient.open(url, "portforward.k8s.io")
    for number in range(MAX_STREAMS // 2 + 10):
        error = client.stream(streamType="error", port="81", requestID=str(number))
        data = client.stream(streamType="data", port="81", requestID=str(number))
        for stream in (error, data):
            client.send(stream, b"", fin=True)
        await client.wait_ended(error, data)
        assert "connection refused" in client.text(error)
    client.writer.close()


async def test_noise_in_many_connections(lab: Lab, container: str, caplog: pytest.LogCaptureFixture) -> None:
    noise = random.Random(os.environ.get("PYTEST_SEED", "7"))
    for number in range(60):
        url = await offered(lab, container, "sleep", "4321")
        client: WebSocketClient | SpdyClient
        if number % 2:
            client = await WebSocketClient.open(url, V5)
            frames = ws.encode(ws.Opcode.BINARY, noise.randbytes(50), mask=True) * 10
        else:
            client = await SpdyClient.open(url, V4)
            frames = b"".join(client.connection.open(2 * n + 1, {"streamType": "stdin"}) for n in range(10))
        spoilt = bytearray(frames)
        for _ in range(noise.randrange(1, 10)):
            spoilt[noise.randrange(len(spoilt))] = noise.randrange(256)
        client.writer.write(bytes(spoilt))
        client.writer.write_eof()
        await until_closed(client.reader)
        client.writer.close()
    assert "task failed" not in caplog.text
