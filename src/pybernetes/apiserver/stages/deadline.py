"""How long a request may take by its own word (`?timeout=5s`); what lasts as long as its client wants has no such end.

A write that has begun is finished (`RequestContext.must_finish`): what it has reserved is given back or kept by its outcome.
"""

from __future__ import annotations

import asyncio
import re
from time import monotonic
from typing import Final

import msgspec

from pybernetes.api.cel.values import parse_duration
from pybernetes.api.errors import StatusError, bad_request, timeout
from pybernetes.api.field import go_json
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.stages.limit import is_long_running

_UNITS: Final = ("h", "m", "s", "ms", "us", "µs", "ns")
_PART: Final = re.compile(r"([\d.]*\d[\d.]*)([^\d.]*)").match
"""A number of a duration, and what stands for its unit."""
_STATUS: Final = timeout("request did not complete within the allotted timeout").status
_TOO_LATE: Final = Response(
    504,
    msgspec.json.encode({key: value for key, value in _STATUS.items() if key not in ("kind", "apiVersion")}) + b"\n",
    "text/plain; charset=utf-8",
)
"""Upstream's filter has no serializer: the Status says of itself neither kind nor version."""


class Deadline:
    """`maximum` seconds are the server's (`--request-timeout`): whoever wants as long or longer, or 0, wants nothing."""

    def __init__(self, maximum: float) -> None:
        self._maximum = maximum

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        if "timeout" not in ctx.request.query_string:
            return await proceed(ctx)
        seconds = 0.0 if is_long_running(ctx) else _wanted(ctx.request.parameter("timeout"))
        if not 0 < seconds < self._maximum:
            return await proceed(ctx)
        began = monotonic()

        def is_over() -> bool:
            """A loop's own time may stand still while somebody gives no way to others, and so is not interrupted."""
            return limit.when() is not None and monotonic() - began >= seconds

        try:
            async with asyncio.timeout(seconds) as limit:
                ctx.deadline = limit
                answer = await proceed(ctx)
        except TimeoutError:
            if not limit.expired():
                raise
            return _TOO_LATE
        except StatusError:
            if not is_over():
                raise
            return _TOO_LATE
        return _TOO_LATE if is_over() else answer


def _problem(text: str) -> str:
    """What Go says of a text that is no duration."""
    rest = text.removeprefix(text[0]) if text[0] in "+-" else text
    while read := _PART(rest):
        unit = read[2]
        if not unit:
            return f"missing unit in duration {go_json(text)}"
        if unit not in _UNITS:
            return f"unknown unit {go_json(unit)} in duration {go_json(text)}"
        rest = rest[read.end() :]
    return f"invalid duration {go_json(text)}"


def _wanted(text: str) -> float:
    """Raises StatusError."""
    if not text:
        return 0.0
    found = parse_duration(text)
    if found is None:
        raise bad_request(f"invalid timeout specified in the request URL - time: {_problem(text)}")
    return found.nanoseconds / 1e9
