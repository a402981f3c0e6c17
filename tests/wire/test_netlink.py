"""Netlink messages and attributes."""

import errno
import struct

from pybernetes.wire import netlink as nl


def test_attributes_are_padded_and_found_again() -> None:
    data = nl.text(3, "eth0") + nl.nested(18, nl.u8(1, 7)) + nl.u32(4, 1500)
    assert len(data) % 4 == 0
    found = nl.attributes(data)
    assert found[3] == b"eth0\0"
    assert nl.attributes(found[18]) == {1: b"\x07"}
    assert found[4] == struct.pack("=I", 1500)


def test_messages_of_one_datagram() -> None:
    data = nl.message(16, nl.REQUEST, 1, b"abcd") + nl.message(nl.ERROR, 0, 2, struct.pack("=i", -errno.EEXIST))
    first, second = nl.messages(data)
    assert first == nl.Message(16, 1, b"abcd")
    error = nl.error_of(second)
    assert error is not None
    assert error.errno == errno.EEXIST
    assert nl.error_of(nl.Message(nl.ERROR, 3, struct.pack("=i", 0))) is None


def test_a_cut_off_datagram_ends_quietly() -> None:
    assert list(nl.messages(nl.message(16, 0, 1, b"")[:10])) == []
    assert list(nl.messages(bytes(16))) == []
