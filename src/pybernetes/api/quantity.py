"""Resource quantities ("100m", "1.5Gi", "2e3"): exact numbers with the suffix family that they were written in.

Rules: k8s.io/apimachinery resource.Quantity. Values are kept to a billionth, finer ones are rounded away from zero.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import total_ordering
from typing import Final

from pybernetes.api.caching import short_cache

NANO: Final = 1_000_000_000
_PATTERN = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIX = {exponent: suffix for suffix, exponent in _BINARY.items()} | {0: ""}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_EXPONENT = re.compile(r"[eE]([-+]?[0-9]+)", re.ASCII)

# Up to so many digits upstream reckons with machine integers. Powers of 1024 end at the largest of these.
_EXACT_DIGITS = 18
_LARGEST = (2**63 - 1) * NANO
# No quantity means anything beyond; without a bound an exponent would be an order to fill memory.
_MAX_EXPONENT = 400

FORMAT_WRONG: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX_WRONG: Final = "unable to parse quantity's suffix"
NUMBER_WRONG: Final = "unable to parse numeric part of quantity"


class QuantityError(ValueError):
    """Text that is no quantity; the message is upstream's."""


class Format(Enum):
    """The family of suffixes."""

    DECIMAL = "DecimalSI"
    BINARY = "BinarySI"
    EXPONENT = "DecimalExponent"


@total_ordering
class Quantity:
    """An exact amount. Equality and order are those of the amounts, whatever their suffixes: 1 == 1000m."""

    __slots__ = ("_text", "format", "nanos")

    def __init__(self, nanos: int = 0, format: Format = Format.DECIMAL) -> None:
        self.nanos = nanos
        self.format = format
        self._text: str | None = None

    @classmethod
    def parse(cls, text: str | int | float) -> Quantity:
        """Read a quantity; QuantityError otherwise. Numbers are read as they would be written in JSON."""
        return _parse(text if isinstance(text, str) else repr(text))

    @property
    def value(self) -> int:
        """Whole units, rounded up."""
        return _ceil(self.nanos, NANO)

    @property
    def milli_value(self) -> int:
        """Thousandths, rounded up; the unit that CPU is counted in."""
        return _ceil(self.nanos, NANO // 1000)

    def rounded_up(self, unit_nanos: int) -> Quantity:
        """The same amount in whole multiples of a unit, rounded away from zero."""
        units = self.nanos // unit_nanos if self.nanos < 0 else _ceil(self.nanos, unit_nanos)
        return Quantity(units * unit_nanos, self.format)

    @property
    def is_whole(self) -> bool:
        """Whether it is a number of things; beyond the largest integer of thousandths upstream cannot tell."""
        return self.nanos % NANO == 0 and abs(self.nanos) < _LARGEST // 1000

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nanos == other.nanos

    def __lt__(self, other: Quantity) -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __add__(self, other: Quantity) -> Quantity:
        """The sum keeps the left side's suffix family, unless that side is zero."""
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    def __neg__(self) -> Quantity:
        return Quantity(-self.nanos, self.format)

    def __mul__(self, factor: int) -> Quantity:
        return Quantity(self.nanos * factor, self.format)

    def __str__(self) -> str:
        """The canonical form: no fraction, the largest suffix of the family that needs none."""
        if self._text is None:
            self._text = _format(self.nanos, self.format)
        return self._text

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"


ZERO: Final = Quantity()


@short_cache(8192)
def canonical(text: str | int | float) -> str:
    """The canonical form of a quantity as written; QuantityError when it is none."""
    return str(Quantity.parse(text))


def _ceil(amount: int, unit: int) -> int:
    return -(-amount // unit)


@short_cache(8192)
def _parse(text: str) -> Quantity:
    match = _PATTERN.fullmatch(text)
    if match is None or not text:
        raise QuantityError(FORMAT_WRONG)
    sign, whole, fraction, suffix = match.groups("")
    whole = whole.lstrip("0") or "0"
    base_two, exponent, family = _read_suffix(suffix)
    nanos = _to_nanos(whole, fraction, base_two, exponent)
    if family is Format.BINARY and 0 < nanos < NANO and not sign.startswith("-"):
        # Less than one unit cannot be told in powers of 1024.
        family = Format.DECIMAL
    found = Quantity(-nanos if sign == "-" else nanos, family)
    if _is_kept(whole, fraction, base_two, exponent):
        found._text = text
    return found


def _is_kept(whole: str, fraction: str, base_two: bool, exponent: int) -> bool:
    """Whether upstream takes a text for a canonical one: roughly those that are, and then some."""
    digits = whole + fraction
    if base_two:
        small = len(digits) + exponent * 3 // 10 <= 14
        return small and not fraction and int(whole) & 7 != 0
    scale = exponent - len(fraction)
    return len(digits) <= _EXACT_DIGITS and scale >= -9 and scale % 3 == 0 and digits[0] != "0" and digits[-3:] != "000"


def _read_suffix(suffix: str) -> tuple[bool, int, Format]:
    """Whether the base is two, the exponent, the family."""
    if suffix in _DECIMAL:
        return False, _DECIMAL[suffix], Format.DECIMAL
    if suffix in _BINARY:
        return True, _BINARY[suffix], Format.BINARY
    match = _EXPONENT.fullmatch(suffix)
    if match is None:
        raise QuantityError(SUFFIX_WRONG)
    exponent = int(match.group(1)) if len(match.group(1)) < 12 else _MAX_EXPONENT + 1
    if abs(exponent) > _MAX_EXPONENT:
        raise QuantityError(NUMBER_WRONG)
    return False, exponent, Format.EXPONENT


def _to_nanos(whole: str, fraction: str, base_two: bool, exponent: int) -> int:
    digits = int(whole + fraction)
    if base_two:
        nanos = _ceil((digits << exponent) * NANO, 10 ** len(fraction))
        return min(nanos, _LARGEST)
    power = exponent - len(fraction) + 9
    return digits * 10**power if power >= 0 else _ceil(digits, 10**-power)


def _format(nanos: int, family: Format) -> str:
    if nanos == 0:
        return "0"
    if family is Format.BINARY and abs(nanos) >= 1024 * NANO and nanos % NANO == 0:
        units, exponent = nanos // NANO, 0
        while units % 1024 == 0 and exponent < 60:
            units //= 1024
            exponent += 10
        return f"{units}{_BINARY_SUFFIX[exponent]}"
    return _format_decimal(nanos, family)


def _format_decimal(nanos: int, family: Format) -> str:
    exponent = -9
    while nanos % 1000 == 0 and (exponent < 18 or family is Format.EXPONENT):
        nanos //= 1000
        exponent += 3
    if family is Format.EXPONENT:
        return f"{nanos}e{exponent}" if exponent else str(nanos)
    return f"{nanos}{_DECIMAL_SUFFIX[exponent]}"
