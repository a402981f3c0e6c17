"""The WWW-Authenticate header (RFC 9110, section 11.6.1) as registries use it."""

import re

from msgspec import Struct, field

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))\s*,?')
_SCHEME = re.compile(rf"\s*({_TOKEN})(?:\s+|$)")


class Challenge(Struct, frozen=True):
    """A scheme in lower case, and its parameters."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse(headers: list[str]) -> list[Challenge]:
    """The challenges of all headers, in order; what cannot be read ends its header."""
    return [challenge for header in headers for challenge in _parse(header)]


def _parse(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            key, quoted, plain = parameter.groups()
            parameters[key.lower()] = plain if plain is not None else re.sub(r"\\(.)", r"\1", quoted)
            position = parameter.end()
        found.append(Challenge(scheme[1].lower(), parameters))
    return found
