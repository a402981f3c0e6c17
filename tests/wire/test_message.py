"""Messages with every kind of field, held to bytes that protobuf's documentation or `protoc` gives."""

from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import field

from pybernetes.wire.message import Message


class Part(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("number", int)}
    number: int = 0


class Whole(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("text", str), 2: ("flag", bool), 3: ("words", [str]), 4: ("numbers", [int]), 5: ("part", Part),
        6: ("parts", [Part]), 7: ("labels", {str: str}), 8: ("by_name", {str: Part}), 9: ("data", bytes),
    }  # fmt: skip
    text: str = ""
    flag: bool = False
    words: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    part: Part | None = None
    parts: list[Part] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    by_name: dict[str, Part] = field(default_factory=dict)
    data: bytes = b""


@pytest.mark.parametrize(
    ("message", "encoded"),
    [
        (Whole(), ""),
        (Whole(text="testing", flag=True), "0a0774657374696e671001"),
        (Whole(words=["", "a"]), "1a001a0161"),
        (Whole(numbers=[3, 270, 86942, 0]), "2207038e029ea70500"),
        (Whole(part=Part()), "2a00"),
        (Whole(part=Part(number=150)), "2a03089601"),
        (Whole(parts=[Part(), Part(number=1)]), "320032020801"),
        (Whole(labels={"a": "b", "": ""}), "3a060a01611201623a040a001200"),
        (Whole(by_name={"a": Part(number=1)}), "42070a016112020801"),
    ],
)
def test_every_kind_of_field(message, encoded):
    assert message.encode().hex() == encoded
    assert Whole.decode(bytes.fromhex(encoded)) == message


def test_numbers_that_are_not_packed_are_read_too():
    assert Whole.decode(bytes.fromhex("2003208e02")) == Whole(numbers=[3, 270])


def test_entries_of_maps_may_lack_parts():
    assert Whole.decode(bytes.fromhex("3a004200")) == Whole(labels={"": ""}, by_name={"": Part()})


@pytest.mark.parametrize("encoded", ["0801", "2a01", "1801", "3801", "120100", "0a02ff"])
def test_what_is_no_such_message_is_refused(encoded):
    with pytest.raises(ValueError):  # noqa: PT011
        Whole.decode(bytes.fromhex(encoded))


@given(
    st.builds(
        Whole,
        words=st.lists(st.text()),
        numbers=st.lists(st.integers(-(1 << 63), (1 << 63) - 1)),
        labels=st.dictionaries(st.text(), st.text()),
        by_name=st.dictionaries(st.text(), st.builds(Part, number=st.integers(0, 9))),
    )
)
def test_what_is_written_is_read(message):
    assert Whole.decode(message.encode()) == message
