"""Quantities: canonical form, comparison, arithmetic, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.quantity import FORMAT_WRONG, NANO, SUFFIX_WRONG, Format, Quantity, QuantityError, canonical


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("0", "0"), ("0Mi", "0"), ("-0", "0"), ("1", "1"), ("+1", "+1"), ("007", "007"), ("1.", "1."), (".5", "500m"),
        ("1000m", "1"), ("3000m", "3"), ("1500m", "1500m"), ("0.1", "100m"), ("1.5", "1500m"), ("100m", "100m"),
        ("1000", "1k"), ("1500", "1500"), ("1000000", "1M"), ("123456k", "123456k"), ("1000k", "1M"), ("1E", "1E"),
        ("1024", "1024"), ("1024Mi", "1Gi"), ("1536Mi", "1536Mi"), ("1Ki", "1Ki"), ("0.5Gi", "512Mi"), ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"), ("0.0001Ki", "102400u"), ("1.1Ki", "1126400m"), ("100Ei", "9223372036854775807"),
        ("1e3", "1e3"), ("1000e0", "1e3"), ("5e-1", "500e-3"), ("12e6", "12e6"), ("1E3", "1E3"),
        ("0.1n", "1n"), ("-0.1n", "-1n"), ("1.0000000001", "1000000001n"), ("-1.5", "-1500m"),
        ("99999999999999999999", "99999999999999999999"), ("100E", "100E"),
    ],
)  # fmt: skip
def test_canonical(written: str, kept: str) -> None:
    assert canonical(written) == kept


@pytest.mark.parametrize("number", [1, 0, 1000, 1.5])
def test_numbers_are_read_as_written(number: float) -> None:
    assert canonical(number) == canonical(str(number))


@pytest.mark.parametrize("text", ["", "ten", "1 Gi", "1.2.3", "1Gi ", "1,5", "Gi1", "٣", "1\n"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        Quantity.parse(text)
    assert str(caught.value) in (FORMAT_WRONG, SUFFIX_WRONG)


@pytest.mark.parametrize("text", ["1ki", "1mi", "1kk", "1e", "1Mii"])
def test_what_is_no_suffix(text: str) -> None:
    with pytest.raises(QuantityError):
        Quantity.parse(text)


def test_an_exponent_is_no_order_to_fill_memory() -> None:
    with pytest.raises(QuantityError):
        Quantity.parse("1e999999999999")


def test_rounding_up() -> None:
    assert Quantity.parse("1.0001").value == 2
    assert Quantity.parse("-1.5").value == -1
    assert Quantity.parse("0.0001").milli_value == 1
    assert str(Quantity.parse("1.0001").rounded_up(NANO // 1000)) == "1001m"
    assert str(Quantity.parse("-1.0001").rounded_up(NANO // 1000)) == "-1001m"


def test_a_sum_keeps_the_family_of_its_left_side() -> None:
    assert str(Quantity.parse("1Gi") + Quantity.parse("1Gi")) == "2Gi"
    assert str(Quantity() + Quantity.parse("1Gi")) == "1Gi"
    assert str(Quantity.parse("1") - Quantity.parse("100m")) == "900m"


def test_order_is_that_of_the_amounts() -> None:
    assert Quantity.parse("1") == Quantity.parse("1000m")
    assert Quantity.parse("1G") < Quantity.parse("1Gi")
    assert hash(Quantity.parse("1Ki")) == hash(Quantity.parse("1024"))
    assert not Quantity.parse("0Gi")


@given(st.integers(-(2**60), 2**60), st.sampled_from(list(Format)))
def test_canonical_form_is_the_same_amount_and_canonical(nanos: int, family: Format) -> None:
    text = str(Quantity(nanos, family))
    if family is not Format.BINARY:  # a binary amount that no power of 1024 divides reads as a decimal one
        assert canonical(text) == text
    if nanos.bit_length() < 58:
        assert Quantity.parse(text).nanos == nanos
