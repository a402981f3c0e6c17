"""Requests of web pages from elsewhere (`--cors-allowed-origins`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pybernetes.api.regexp import compiled
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response

ALLOWED: Final = (
    ("access-control-allow-methods", "POST, GET, OPTIONS, PUT, DELETE, PATCH"),
    (
        "access-control-allow-headers",
        "Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, X-Requested-With, If-Modified-Since",
    ),
    ("access-control-expose-headers", "Date"),
    ("access-control-allow-credentials", "true"),
)


class CORS:
    """An origin that one of the expressions fits may read the answers."""

    def __init__(self, origins: Sequence[str]) -> None:
        """Raises ValueError for what is no regular expression."""
        self._origins = [compiled(origin) for origin in origins]

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        origin = ctx.request.headers.get("origin", "")
        if not origin or not any(pattern.search(origin) for pattern in self._origins):
            return await proceed(ctx)
        ctx.headers = (*ctx.headers, ("access-control-allow-origin", origin), *ALLOWED)
        if ctx.request.method == "OPTIONS":
            return Response(204, content_type="")
        return await proceed(ctx)
