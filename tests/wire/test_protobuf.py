"""Varints, tags and lengths, with bytes worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.wire.protobuf import (
    LENGTH,
    VARINT,
    ProtobufError,
    decode_length,
    decode_signed,
    decode_varint,
    delimited,
    delimited_fields,
    encode_tag,
    encode_varint,
    skip_field,
)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (65535, "ffff03"),
        (-1, "ffffffffffffffffff01"),
        (1 << 63, "80808080808080808001"),
    ],
)
def test_varints(value, encoded):
    assert encode_varint(value).hex() == encoded
    assert decode_varint(bytes.fromhex(encoded), 0) == (value % (1 << 64), len(encoded) // 2)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_signed_integers_come_back(value):
    assert decode_signed(b"x" + encode_varint(value), 1)[0] == value


def test_tags():
    assert encode_tag(1, LENGTH) == b"\x0a"
    assert encode_tag(16, VARINT) == b"\x80\x01"


@pytest.mark.parametrize("data", ["", "80", "ffffffffffffffffffff01"])
def test_varints_that_do_not_end(data):
    with pytest.raises(ProtobufError):
        decode_varint(bytes.fromhex(data), 0)


def test_lengths_stay_within_the_data():
    assert decode_length(b"\x02ab", 0) == (1, 3)
    with pytest.raises(ProtobufError):
        decode_length(b"\x03ab", 0)


@pytest.mark.parametrize(
    ("tag", "data", "end"), [(0x08, "8001", 2), (0x0A, "0161", 2), (0x0D, "00" * 4, 4), (0x09, "00" * 8, 8)]
)
def test_unknown_fields_are_skipped(tag, data, end):
    assert skip_field(bytes.fromhex(data), 0, tag) == end


@pytest.mark.parametrize(("tag", "data"), [(0x0B, ""), (0x0E, "00"), (0x0D, "00"), (0x0A, "0561")])
def test_fields_that_cannot_be_skipped(tag, data):
    with pytest.raises(ProtobufError):
        skip_field(bytes.fromhex(data), 0, tag)


def test_the_last_of_equal_fields_counts():
    data = b"\x0a" + delimited(b"a") + b"\x10\x05" + b"\x0a" + delimited(b"bc")
    start, end = delimited_fields(data, 0, len(data))[1]
    assert data[start:end] == b"bc"
