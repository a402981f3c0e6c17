"""How long a request may take by its own word (`?timeout=5s`); what lasts as long as its client wants has no such end."""

from __future__ import annotations

import asyncio

from pybernetes.api.cel.values import parse_duration
from pybernetes.api.errors import bad_request, timeout
from pybernetes.api.field import go_json
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.stages.limit import is_long_running


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
        try:
            async with asyncio.timeout(seconds) as limit:
                return await proceed(ctx)
        except TimeoutError:
            if not limit.expired():
                raise
            raise timeout("request did not complete within the allotted timeout") from None


def _wanted(text: str) -> float:
    """Raises StatusError."""
    if not text:
        return 0.0
    found = parse_duration(text)
    if found is None:
        why = "missing unit in duration" if text.isdigit() else "invalid duration"
        raise bad_request(f"invalid timeout specified in the request URL - time: {why} {go_json(text)}")
    return found.nanoseconds / 1e9
