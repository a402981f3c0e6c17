"""WebSocket frames, and the channels inside of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.wire import channels
from pybernetes.wire import websocket as ws


def test_accept_key_of_the_rfc() -> None:
    assert ws.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@given(st.lists(st.binary(max_size=70_000), max_size=4), st.booleans(), st.integers(1, 5000))
def test_messages_come_back_whole(payloads: list[bytes], mask: bool, size: int) -> None:
    sent = b"".join(ws.encode(ws.Opcode.BINARY, payload, mask=mask) for payload in payloads)
    decoder = ws.Decoder()
    received = [message for start in range(0, len(sent), size) for message in decoder.feed(sent[start : start + size])]
    assert [message.data for message in received] == payloads


def test_fragments_are_joined_around_control_frames() -> None:
    first, last = bytes((0x01, 2)) + b"he", bytes((0x80, 3)) + b"llo"
    messages = ws.Decoder().feed(first + ws.encode(ws.Opcode.PING, b"p") + last)
    assert messages == [ws.Message(ws.Opcode.PING, b"p"), ws.Message(ws.Opcode.TEXT, b"hello")]


@pytest.mark.parametrize(
    "data",
    [
        bytes((0xC2, 0)),
        bytes((0x83, 0)),
        bytes((0x80, 0)),
        bytes((0x09, 0)),
        bytes((0x82, 127)) + b"\x7f" + bytes(7),
    ],
    ids=["reserved bits", "unknown opcode", "continuation of nothing", "fragmented ping", "too long"],
)
def test_broken_frames_are_refused(data: bytes) -> None:
    with pytest.raises(ws.WebSocketError):
        ws.Decoder().feed(data)


@pytest.mark.parametrize("protocol", channels.REMOTE_COMMAND)
@given(data=st.binary(max_size=100))
def test_channel_messages_come_back(protocol: str, data: bytes) -> None:
    codec = channels.Codec(protocol)
    assert codec.decode(codec.encode(channels.Channel.STDERR, data)) == (channels.Channel.STDERR, data)


def test_only_version_5_closes_channels() -> None:
    assert [protocol for protocol in channels.REMOTE_COMMAND if channels.Codec(protocol).closes_channels] == [
        channels.V5
    ]


@pytest.mark.parametrize("message", [b"", b"x!!!!", b"3!"])
def test_broken_channel_messages_are_refused(message: bytes) -> None:
    with pytest.raises(channels.ChannelError):
        channels.Codec("base64.channel.k8s.io").decode(message)


def test_sizes() -> None:
    assert channels.resize(b'{"Width": 80, "Height": 24}') == (24, 80)
    for broken in (b"", b"[]", b'{"Width": "x"}', b'{"Width": 70000}'):
        with pytest.raises(channels.ChannelError):
            channels.resize(broken)


def test_exit_code_status() -> None:
    status = json.loads(channels.exit_code(7, "x"))
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]


def test_negotiation_follows_the_clients_order() -> None:
    assert channels.negotiate([channels.V4, channels.V5], channels.REMOTE_COMMAND) == channels.V4
    assert channels.negotiate(["v9"], channels.REMOTE_COMMAND) is None
