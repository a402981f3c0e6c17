"""What the end points share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aiohttp import web

from pybernetes.cri.door import Door

API_VERSION, OLDEST_API = (1, 45), (1, 24)


@dataclass(frozen=True, slots=True)
class Service:
    """`door` leads to the runtimes; `scratch` is a directory for build contexts; `root` what `docker info` shows.

    `cluster` is the profile's name, for words that name commands; `insecure` are registries without TLS.
    """

    door: Door
    scratch: Path
    root: Path
    cluster: str
    now: Callable[[], datetime]
    insecure: Sequence[str] = ()


SERVICE = web.AppKey("service", Service)


def service(request: web.Request) -> Service:
    return request.app[SERVICE]


def flag(request: web.Request, name: str) -> bool:
    """A boolean of the query, as Go's docker reads it."""
    return request.query.get(name, "").lower() not in ("", "0", "no", "false", "none")


def spoken(version: tuple[int, int]) -> str:
    return "{}.{}".format(*version)
