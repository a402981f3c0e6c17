"""Kubernetes' own libraries: URLs, quantities, semantic versions, named formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from pybernetes.api import names
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Functions, OpaqueValue, Overload, function, method, walks
from pybernetes.api.cel.library.faults import url_fault, version_fault
from pybernetes.api.cel.types import BOOL, DOUBLE, INT, STRING, Type, list_of, map_of, opaque, optional_of
from pybernetes.api.cel.values import INT_MAX, INT_MIN, NONE, Optional, parse_timestamp
from pybernetes.api.quantity import NANO, Quantity, QuantityError

URL: Final = opaque("kubernetes.URL")
QUANTITY: Final = opaque("kubernetes.Quantity")
SEMVER: Final = opaque("kubernetes.Semver")
FORMAT: Final = opaque("kubernetes.NamedFormat")


@dataclass(frozen=True, slots=True)
class Url(OpaqueValue):
    """An absolute URI or an absolute path."""

    type_name = URL.name
    parts: SplitResult

    @classmethod
    def parse(cls, text: str) -> Url:
        if fault := url_fault(text):
            raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": {fault}')
        try:
            return cls(urlsplit(text))
        except ValueError as error:
            raise EvaluationError(f"URL parse error during conversion from string: {error}") from error

    @property
    def host(self) -> str:
        return self.parts.netloc.rpartition("@")[2]

    @property
    def port(self) -> str:
        return self.host.rpartition("]")[2].partition(":")[2]

    @property
    def hostname(self) -> str:
        host = self.host
        return host[1 : host.index("]")] if host.startswith("[") else host.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Amount(OpaqueValue):
    """A resource quantity."""

    type_name = QUANTITY.name
    value: Quantity

    @classmethod
    def parse(cls, text: str) -> Amount:
        try:
            return cls(Quantity.parse(text))
        except QuantityError as error:
            raise EvaluationError(str(error)) from error

    def as_integer(self) -> int:
        if not self.is_integer():
            raise EvaluationError("cannot convert value to integer")
        return self.value.nanos // NANO

    def is_integer(self) -> bool:
        return self.value.nanos % NANO == 0 and INT_MIN <= self.value.nanos // NANO <= INT_MAX

    def plus(self, other: Amount | int) -> Amount:
        return Amount(self.value + (other.value if isinstance(other, Amount) else Quantity(other * NANO)))

    def minus(self, other: Amount | int) -> Amount:
        return Amount(self.value - (other.value if isinstance(other, Amount) else Quantity(other * NANO)))


_SEMVER: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version(OpaqueValue):
    """A semantic version 2.0.0; what was built from it takes no part in the order."""

    type_name = SEMVER.name
    numbers: tuple[int, int, int]
    before: tuple[tuple[int, int, str], ...]

    @classmethod
    def parse(cls, text: str, normalize: bool = False) -> Version:
        text = _normalized(text) if normalize else text
        found = _SEMVER.fullmatch(text)
        if found is None:
            raise EvaluationError(version_fault(text))
        labels = (found[4] or "").split(".") if found[4] else []
        before = tuple((0, int(each), "") if each.isdigit() else (1, 0, each) for each in labels)
        return cls((int(found[1]), int(found[2]), int(found[3])), before)

    def _key(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[int, int, str], ...]]:
        return self.numbers, not self.before, self.before

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()


def _normalized(text: str) -> str:
    """Without a leading v and leading zeros, with the numbers that lack."""
    core, sign, rest = re.match(r"([^-+]*)([-+]?)(.*)", text.removeprefix("v"), re.DOTALL).groups()  # type: ignore[union-attr]
    numbers = [number.lstrip("0") or "0" for number in core.split(".") if number]
    return ".".join([*numbers, *["0"] * (3 - len(numbers))]) + sign + rest


@dataclass(frozen=True, slots=True)
class NamedFormat(OpaqueValue):
    """A check of strings: it gives what is wrong, or nothing."""

    type_name = FORMAT.name
    name: str
    check: Callable[[str], tuple[str, ...]]

    def validate(self, text: str) -> Optional:
        found = self.check(text)
        return Optional(list(found), True) if found else NONE


def _uri(text: str) -> tuple[str, ...]:
    try:
        Url.parse(text)
    except EvaluationError as error:
        return (str(error),)
    return ()


def _matching(pattern: str, message: str) -> Callable[[str], tuple[str, ...]]:
    compiled = re.compile(pattern)
    return lambda text: () if compiled.fullmatch(text) else (message,)


_FORMATS: Final[dict[str, Callable[[str], tuple[str, ...]]]] = {
    "dns1123Label": names.dns1123_label,
    "dns1123Subdomain": names.dns1123_subdomain,
    "dns1035Label": names.dns1035_label,
    "qualifiedName": names.qualified_name,
    "dns1123LabelPrefix": names.generated_prefix(names.dns1123_label),
    "dns1123SubdomainPrefix": names.generated_prefix(names.dns1123_subdomain),
    "dns1035LabelPrefix": names.generated_prefix(names.dns1035_label),
    "labelValue": names.label_value,
    "uri": _uri,
    "uuid": _matching(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "does not match the UUID format"),
    "byte": _matching(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", "invalid base64"),
    "date": _matching(r"\d{4}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])", "invalid date"),
    "datetime": lambda text: () if parse_timestamp(text) else ("invalid datetime",),
}


def _named(name: str) -> Optional:
    return Optional(NamedFormat(name, _FORMATS[name]), True) if name in _FORMATS else NONE


def _fixed(name: str) -> Callable[[], NamedFormat]:
    return lambda: NamedFormat(name, _FORMATS[name])


def _can(parse: Callable[..., object]) -> Callable[..., bool]:
    """Whether something can be read."""

    def can(*arguments: object) -> bool:
        try:
            parse(*arguments)
        except EvaluationError:
            return False
        return True

    return can


def _compare(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def _ordering(kind: Type, key: Callable[[Any], Any]) -> dict[str, list[Overload]]:
    return {
        "compareTo": [method(kind, kind, to=INT, do=lambda one, other: _compare(key(one), key(other)))],
        "isLessThan": [method(kind, kind, to=BOOL, do=lambda one, other: key(one) < key(other))],
        "isGreaterThan": [method(kind, kind, to=BOOL, do=lambda one, other: key(one) > key(other))],
    }


def _query(url: Url) -> dict[str, object]:
    return {key: list(values) for key, values in parse_qs(url.parts.query, keep_blank_values=True).items()}


URLS: Final[Functions] = {
    "url": [function(STRING, to=URL, do=Url.parse, cost=walks(0))],
    "isURL": [function(STRING, to=BOOL, do=_can(Url.parse), cost=walks(0))],
    "getScheme": [method(URL, to=STRING, do=lambda url: url.parts.scheme)],
    "getHost": [method(URL, to=STRING, do=lambda url: url.host)],
    "getHostname": [method(URL, to=STRING, do=lambda url: url.hostname)],
    "getPort": [method(URL, to=STRING, do=lambda url: url.port)],
    "getEscapedPath": [method(URL, to=STRING, do=lambda url: quote(url.parts.path, safe="/%:@!$&'()*+,;=~-._"))],
    "getQuery": [method(URL, to=map_of(STRING, list_of(STRING)), do=_query)],
}
QUANTITIES: Final[Functions] = {
    "quantity": [function(STRING, to=QUANTITY, do=Amount.parse, cost=walks(0))],
    "isQuantity": [function(STRING, to=BOOL, do=_can(Amount.parse), cost=walks(0))],
    "sign": [function(QUANTITY, to=INT, do=lambda amount: _compare(amount.value.nanos, 0))],
    "isInteger": [method(QUANTITY, to=BOOL, do=Amount.is_integer)],
    "asInteger": [method(QUANTITY, to=INT, do=Amount.as_integer)],
    "asApproximateFloat": [method(QUANTITY, to=DOUBLE, do=lambda amount: amount.value.nanos / NANO)],
    "add": [method(QUANTITY, each, to=QUANTITY, do=Amount.plus) for each in (QUANTITY, INT)],
    "sub": [method(QUANTITY, each, to=QUANTITY, do=Amount.minus) for each in (QUANTITY, INT)],
    **_ordering(QUANTITY, lambda amount: amount.value),
}
VERSIONS: Final[Functions] = {
    "semver": [
        function(STRING, to=SEMVER, do=Version.parse, cost=walks(0)),
        function(STRING, BOOL, to=SEMVER, do=Version.parse, cost=walks(0)),
    ],
    "isSemver": [
        function(STRING, to=BOOL, do=_can(Version.parse), cost=walks(0)),
        function(STRING, BOOL, to=BOOL, do=_can(Version.parse), cost=walks(0)),
    ],
    "major": [method(SEMVER, to=INT, do=lambda version: version.numbers[0])],
    "minor": [method(SEMVER, to=INT, do=lambda version: version.numbers[1])],
    "patch": [method(SEMVER, to=INT, do=lambda version: version.numbers[2])],
    **_ordering(SEMVER, lambda version: version),
}
FORMATS: Final[Functions] = {
    "format.named": [function(STRING, to=optional_of(FORMAT), do=_named)],
    "validate": [method(FORMAT, STRING, to=optional_of(list_of(STRING)), do=NamedFormat.validate, cost=walks(1))],
    **{f"format.{name}": [function(to=FORMAT, do=_fixed(name))] for name in _FORMATS},
}
