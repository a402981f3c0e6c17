"""Numbers that strangers write."""

import pytest

from pybernetes.wire.numbers import INT64_MAX, parse_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), (str(INT64_MAX), INT64_MAX)])
def test_digits(text: str, number: int) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1 ", "1_0", "²", "٣", "1e3", "0x1", str(INT64_MAX + 1), "9" * 5000]
)
def test_what_is_no_number(text: str) -> None:
    assert parse_number(text) is None


def test_a_bound() -> None:
    assert (parse_number("65535", 65535), parse_number("65536", 65535)) == (65535, None)
