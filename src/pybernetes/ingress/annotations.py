"""What an Ingress asks for beyond its specification: the annotations that ingress-nginx has made common. Pure.

They are taken by their nginx names, since that is what users copy out of tutorials. What is not known, or cannot be
done, is told and never ignored in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pybernetes import flags

PREFIX = "nginx.ingress.kubernetes.io/"
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 60.0
HARMLESS = frozenset({"proxy-buffering", "proxy-request-buffering", "proxy-http-version", "proxy-send-timeout"})
"""Asked for what holds here anyway: nothing is buffered, HTTP/1.1 is spoken, nobody is cut off while it sends."""


class Options(Struct, frozen=True):
    """How the requests of one Ingress are treated. `max_body` is 0 for no limit."""

    rewrite_target: str = ""
    use_regex: bool = False
    redirect_secured: bool = False
    redirect_always: bool = False
    backend_tls: bool = False
    backend_http2: bool = False
    refused_protocol: str = ""
    max_body: int = 0
    connect_seconds: float = CONNECT_SECONDS
    answer_seconds: float = ANSWER_SECONDS


def options_of(annotations: Mapping[str, str]) -> tuple[Options, list[str]]:
    """The options, and a sentence for each annotation that has no effect."""
    options, complaints = Options(), list[str]()
    for name, value in sorted(annotations.items()):
        key = name.removeprefix(PREFIX)
        if key == name or key in HARMLESS:
            continue
        reader = READERS.get(key)
        if reader is None:
            complaints.append(f"annotation {name} is not supported and has no effect")
            continue
        try:
            options = replace(options, **reader(value))
        except ValueError:
            complaints.append(f"annotation {name} has no effect: {value!r} is not a value for it")
    if options.refused_protocol:
        complaints.append(f"backends that speak {options.refused_protocol} are not supported: requests get 502")
    return options, complaints


def _boolean(field: str) -> Callable[[str], dict[str, Any]]:
    return lambda value: {field: flags.boolean(value)}


def _seconds(field: str) -> Callable[[str], dict[str, Any]]:
    """nginx takes whole seconds, and so do its annotations; a unit is allowed."""

    def read(value: str) -> dict[str, Any]:
        return {field: float(value) if value.isdigit() else flags.duration(value)}

    return read


def _size(value: str) -> dict[str, Any]:
    number, unit = (value[:-1], value[-1].lower()) if value and value[-1].lower() in UNITS else (value, "")
    return {"max_body": int(number) * UNITS.get(unit, 1)}


def _protocol(value: str) -> dict[str, Any]:
    protocol = value.upper()
    if protocol in ("FCGI", "AUTO_HTTP"):
        return {"refused_protocol": protocol}
    if protocol not in ("HTTP", "HTTPS", "GRPC", "GRPCS"):
        raise ValueError(value)
    return {"backend_tls": protocol.endswith("S"), "backend_http2": protocol.startswith("GRPC")}


READERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "rewrite-target": lambda value: {"rewrite_target": value},
    "use-regex": _boolean("use_regex"),
    "ssl-redirect": _boolean("redirect_secured"),
    "force-ssl-redirect": _boolean("redirect_always"),
    "backend-protocol": _protocol,
    "proxy-body-size": _size,
    "proxy-connect-timeout": _seconds("connect_seconds"),
    "proxy-read-timeout": _seconds("answer_seconds"),
}
