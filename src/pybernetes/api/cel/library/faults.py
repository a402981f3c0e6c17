"""What is wrong with addresses, prefixes, URLs and versions, in the words of Go's net/netip, net/url and of semver."""

from __future__ import annotations

import re
from typing import Final

_ALNUM: Final = re.compile(r"[0-9A-Za-z-]*")
_HEX: Final = re.compile(r"[0-9a-fA-F]*")
_PORT: Final = re.compile(r"(?::[0-9]*)?")
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)
_NO_HOST: Final = re.compile(r"[^-._~!$&'()*+,;=:\[\]<>\"%0-9A-Za-z\x80-\U0010ffff]")


def address_fault(text: str) -> str:
    """Of a text that is no IP address."""
    sign = next((each for each in text if each in ".:%"), "")
    fault = "missing IPv6 address" if sign == "%" else ""
    if sign in (".", ":"):
        fault = _v4_fault(text) if sign == "." else _v6_fault(text)
    return f'ParseAddr("{text}"): {fault or "unable to parse IP"}'


def _at(message: str, rest: str) -> str:
    return f'{message} (at "{rest}")'


def _v4_fault(text: str) -> str:
    value, digits, fields = 0, 0, 0
    for index, each in enumerate(text):
        if each in "0123456789":
            if digits == 1 and value == 0:
                return "IPv4 field has octet with leading zero"
            value, digits = value * 10 + int(each), digits + 1
            if value > 255:
                return "IPv4 field has value >255"
        elif each != ".":
            return _at("unexpected character", text[index:])
        elif digits == 0 or index == len(text) - 1:
            return _at("IPv4 field must have at least one digit", text[index:])
        elif fields == 3:
            return "IPv4 address too long"
        else:
            value, digits, fields = 0, 0, fields + 1
    return "IPv4 address too short" if fields < 3 else ""


def _v6_fault(text: str) -> str:
    rest, zone_sign, zone = text.partition("%")
    if zone_sign and not zone:
        return "zone must be a non-empty string"
    has_gap = rest.startswith("::")
    rest = rest[2:] if has_gap else rest
    fields = 0
    while rest and fields < 8:
        digits = len(_HEX.match(rest).group())  # type: ignore[union-attr]
        if digits > 4:
            return _at("each group must have 4 or less digits", rest)
        if digits == 0:
            return _at("each colon-separated field must have at least one digit", rest)
        if rest[digits : digits + 1] == ".":
            return _v4_fault(rest)
        fields, rest = fields + 1, rest[digits:]
        if not rest:
            break
        if rest[0] != ":":
            return _at("unexpected character, want colon", rest)
        if len(rest) == 1:
            return _at("colon must be followed by more characters", rest)
        rest = rest[1:]
        if rest[0] == ":":
            if has_gap:
                return _at("multiple :: in address", rest)
            has_gap, rest = True, rest[1:]
    if rest:
        return _at("trailing garbage after address", rest)
    return "address string too short" if fields < 8 and not has_gap else ""


def prefix_fault(text: str, address_is_valid: bool) -> str:
    """Of a text that is no range of addresses; whether what is before the last slash is an address is known."""
    address, slash, bits = text.rpartition("/")
    if not slash:
        found = "no '/'"
    elif "%" in address:
        found = "IPv6 zones cannot be present in a prefix"
    elif not address_is_valid:
        found = address_fault(address)
    elif not bits.isdigit() or (len(bits) > 1 and bits[0] == "0"):
        found = f'bad bits after slash: "{bits}"'
    else:
        found = "prefix length out of range"
    return f'netip.ParsePrefix("{text}"): {found}'


def url_fault(text: str) -> str:
    """Of what is asked for in a request: empty if it is an absolute URI or an absolute path."""
    if any(each < " " or each == "\x7f" for each in text):
        return "net/url: invalid control character in URL"
    if not text:
        return "empty url"
    if text.startswith(":"):
        return "missing protocol scheme"
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() if scheme else 0 :].partition("#")[0].partition("?")[0]
    if not rest.startswith("/"):
        return "" if scheme else "invalid URI for request"
    if scheme and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        if fault := _host_fault(authority.rpartition("@")[2]):
            return fault
        rest = slash + path
    return _escape_fault(rest)


def _host_fault(host: str) -> str:
    if host.startswith("["):
        if "]" not in host:
            return "missing ']' in host"
        port = host[host.rindex("]") + 1 :]
    else:
        port = host[host.rindex(":") :] if ":" in host else ""
    if not _PORT.fullmatch(port):
        return f'invalid port "{port}" after host'
    wrong = _NO_HOST.search(host)
    return _escape_fault(host) or (f'invalid character "{wrong.group()}" in host name' if wrong else "")


def _escape_fault(text: str) -> str:
    found = _ESCAPE.search(text)
    return f'invalid URL escape "{found.group()}"' if found else ""


def version_fault(text: str) -> str:
    """Of a text that is no semantic version."""
    if not text:
        return "Version string empty"
    parts = text.split(".", 2)
    if len(parts) != 3:
        return "No Major.Minor.Patch elements found"
    rest, has_build, build = parts[2].partition("+")
    patch, has_before, before = rest.partition("-")
    for name, number in (("Major", parts[0]), ("Minor", parts[1]), ("Patch", patch)):
        if fault := _number_fault(name, number):
            return fault
    for each in before.split(".") if has_before else ():
        if not each:
            return "Prerelease is empty"
        if each.isdigit() and len(each) > 1 and each[0] == "0":
            return f'Numeric PreRelease version must not contain leading zeroes "{each}"'
        if not _ALNUM.fullmatch(each):
            return f'Invalid character(s) found in prerelease "{each}"'
    for each in build.split(".") if has_build else ():
        if not each:
            return "Build meta data is empty"
        if not _ALNUM.fullmatch(each):
            return f'Invalid character(s) found in build meta data "{each}"'
    return ""


def _number_fault(name: str, number: str) -> str:
    if not number:
        return 'strconv.ParseUint: parsing "": invalid syntax'
    if not (number.isascii() and number.isdigit()):
        return f'Invalid character(s) found in {name.lower()} number "{number}"'
    return f'{name} number must not contain leading zeroes "{number}"' if len(number) > 1 and number[0] == "0" else ""
