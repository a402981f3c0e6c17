"""SPDY/3.1: frames both ways, in pieces of any size, and what breaks the protocol."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.wire import spdy


def test_dictionary_is_the_drafts() -> None:
    """The digest of the dictionary that clients in Go have (1423 bytes)."""
    assert len(spdy.DICTIONARY) == 1423
    assert hashlib.sha256(spdy.DICTIONARY).hexdigest().startswith("51d27341373f923f")


def test_conversation() -> None:
    client, server = spdy.Connection(), spdy.Connection()
    asked = client.open(1, {"streamType": "stdin"}) + client.open(3, {"streamType": "error"}, fin=True)
    assert server.receive(asked) == [
        spdy.Opened(1, {"streamtype": "stdin"}, False),
        spdy.Opened(3, {"streamtype": "error"}, True),
    ]
    answered = server.accept(1) + server.data(1, b"hello", fin=True) + server.reset(3) + server.go_away(3)
    assert client.receive(answered) == [
        spdy.Accepted(1, False),
        spdy.Data(1, b"hello", True),
        spdy.Reset(3, spdy.CANCEL),
        spdy.GoAway(),
    ]


@given(st.lists(st.integers(1, 50), min_size=1), st.binary(max_size=200))
def test_bytes_may_come_in_any_pieces(sizes: list[int], data: bytes) -> None:
    client, server = spdy.Connection(), spdy.Connection()
    sent = client.open(1, {"a": "b"}) + client.data(1, data) + client.data(1, b"", fin=True)
    events: list[spdy.Event] = []
    position = 0
    while position < len(sent):
        size = sizes[position % len(sizes)]
        events += server.receive(sent[position : position + size])
        position += size
    assert events[0] == spdy.Opened(1, {"a": "b"}, False)
    assert b"".join(event.data for event in events[1:] if isinstance(event, spdy.Data)) == data
    assert events[-1] == spdy.Data(1, b"", True)


def test_long_data_is_cut_into_frames() -> None:
    client, server = spdy.Connection(), spdy.Connection()
    server.receive(client.open(1, {}))
    events = server.receive(client.data(1, b"x" * 100_000, fin=True))
    assert [isinstance(event, spdy.Data) and (len(event.data), event.fin) for event in events] == [
        (32768, False), (32768, False), (32768, False), (1696, True),
    ]  # fmt: skip


def test_unknown_frames_are_passed_over() -> None:
    window_update = struct.pack("!IIII", 0x80030009, 8, 1, 65536)
    assert spdy.Connection().receive(window_update) == []


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack("!II", 0x80020001, 0),
        struct.pack("!II", 0x80030001, 0),
        struct.pack("!IIIIH", 0x80030001, 14, 1, 0, 0) + b"junk",
    ],
)
def test_broken_frames_are_refused(frame: bytes) -> None:
    with pytest.raises(spdy.SpdyError):
        spdy.Connection().receive(frame)


@given(st.binary(max_size=100))
def test_noise_never_escapes_as_another_error(noise: bytes) -> None:
    try:
        spdy.Connection().receive(noise)
    except spdy.SpdyError:
        return
