"""The formats of strings that schemas of custom resources are held to; all others say nothing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import date
from email.utils import parseaddr
from typing import Final

from pybernetes.api import names
from pybernetes.api.cel.values import parse_duration
from pybernetes.api.regexp import compiled


def has_format(text: str, called: str) -> bool:
    """Whether the text is of the format; of one that nobody knows, every text is."""
    check = _FORMATS.get(called)
    return check is None or check(text)


def _pattern(pattern: str) -> Callable[[str], bool]:
    return lambda text: bool(compiled(pattern).search(text))


def _address(version: int) -> Callable[[str], bool]:
    """Zeros may lead the numbers of IPv4, as they always could (Go's ParseIPSloppy); mapped addresses are of both."""

    def is_address(text: str) -> bool:
        plain = re.sub(r"\b0+(?=\d)", "", text) if ":" not in text else text
        try:
            ipaddress.ip_address(plain)
        except ValueError:
            return False
        return "%" not in text and ("." if version == 4 else ":") in text

    return is_address


def _is_range(text: str) -> bool:
    address, _, bits = text.partition("/")
    if not bits.isdigit() or (len(bits) > 1 and bits[0] == "0"):
        return False
    return (_address(4)(address) and int(bits) <= 32) or (_address(6)(address) and int(bits) <= 128)


def _is_hostname(text: str) -> bool:
    return bool(compiled(_HOSTNAME).search(text)) and len(text) <= 255 and all(len(p) <= 63 for p in text.split("."))


def _is_email(text: str) -> bool:
    if "<" not in text and len(text.split()) != 1:
        return False
    local, _, domain = parseaddr(text)[1].rpartition("@")
    return bool(local and domain)


def _is_uri(text: str) -> bool:
    """What Go's url.ParseRequestURI takes."""
    if not text or any(character < " " or character == "\x7f" for character in text):
        return False
    if text.startswith("/") or text == "*":
        return re.search(r"%(?![0-9a-fA-F]{2})", text.partition("?")[0]) is None
    scheme, colon, rest = text.partition(":")
    return bool(
        colon and re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*", scheme) and rest and " " not in rest.partition("?")[0]
    )


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_moment(text: str) -> bool:
    day, t, time = text.lower().partition("t")
    found = re.match(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$", time)
    return bool(t and _is_date(day) and found and found[1] <= "23" and found[2] <= "59" and found[3] <= "59")


_UNITS: Final = ("ns", "nano", "us", "µs", "micro", "ms", "milli", "s", "sec", "m", "min", "h", "hr", "hour", "d", "day", "w", "wk", "week")  # fmt: skip
_OPEN_UNITS: Final = ("nano", "micro", "milli", "sec", "min", "hour", "day", "week")


def _is_duration(text: str) -> bool:
    """As Go writes them, or a number with the name of a unit."""
    if parse_duration(text) is not None:
        return True
    return any(
        unit.lower() in _UNITS or unit.lower().startswith(_OPEN_UNITS)
        for unit in re.findall(r"\d+\s*([A-Za-zµ]+)", text)
    )


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]+", "", text)


def _is_isbn10(text: str) -> bool:
    body = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{9}X|[0-9]{10}", body):
        return False
    values = [10 if digit == "X" else int(digit) for digit in body]
    return sum((index + 1) * value for index, value in enumerate(values)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    body = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{13}", body):
        return False
    return (10 - sum((3 if index % 2 else 1) * int(body[index]) for index in range(12)) % 10) % 10 == int(body[12])


def _is_card(text: str) -> bool:
    body = _digits(text)
    if not compiled(_CARD).search(body):
        return False
    doubled = [int(digit) * (2 if index % 2 else 1) for index, digit in enumerate(reversed(body))]
    return sum(value % 10 + 1 if value >= 10 else value for value in doubled) % 10 == 0


def _is_mac(text: str) -> bool:
    """48, 64 or 160 bits, as Go's net.ParseMAC."""
    for separator, width in ((":", 2), ("-", 2), (".", 4)):
        parts = text.split(separator)
        if len(parts) > 1:
            return len(parts) * width in (12, 16, 40) and all(
                re.fullmatch(f"[0-9a-fA-F]{{{width}}}", part) for part in parts
            )
    return False


_HOSTNAME: Final = (
    r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}]"
    r"(([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$"
)
_CARD: Final = (
    r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$"
)
_BYTE: Final = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$"
_SHADE: Final = r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*"
_HEX: Final = "[0-9a-f]"


def _uuid(third: str, fourth: str) -> Callable[[str], bool]:
    return _pattern(f"(?i)^{_HEX}{{8}}-?{_HEX}{{4}}-?{third}-?{fourth}-?{_HEX}{{12}}$")


_FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "bsonobjectid": _pattern("^[0-9a-fA-F]{24}$"),
    "uri": _is_uri,
    "email": _is_email,
    "hostname": _is_hostname,
    "ipv4": _address(4),
    "ipv6": _address(6),
    "cidr": _is_range,
    "mac": _is_mac,
    "uuid": _uuid(f"{_HEX}{{4}}", f"{_HEX}{{4}}"),
    "uuid3": _uuid(f"3{_HEX}{{3}}", f"{_HEX}{{4}}"),
    "uuid4": _uuid(f"4{_HEX}{{3}}", f"[89ab]{_HEX}{{3}}"),
    "uuid5": _uuid(f"5{_HEX}{{3}}", f"[89ab]{_HEX}{{3}}"),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_card,
    "ssn": _pattern(r"^\d{3}[- ]\d{2}[- ]\d{4}$"),
    "hexcolor": _pattern("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
    "rgbcolor": _pattern(rf"^rgb\({_SHADE},{_SHADE},{_SHADE}\)$"),
    "byte": _pattern(_BYTE),
    "date": _is_date,
    "duration": _is_duration,
    "datetime": _is_moment,
    "date-time": _is_moment,
    "k8s-short-name": lambda text: not names.dns1123_label(text),
    "k8s-long-name": lambda text: not names.dns1123_subdomain(text),
}
