"""How many requests are in hand at once: reads and writes each have their share, long-running ones have none."""

from __future__ import annotations

from msgspec import Struct

from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.user import MASTERS

READS = frozenset(("get", "list", "head", "options"))
LONG_RUNNING = frozenset(("watch", "proxy"))
LONG_RUNNING_PARTS = frozenset(("attach", "exec", "log", "portforward", "proxy"))
WORDS = "Too many requests, please try again later."


class Limit(Struct):
    """`--max-requests-inflight` and `--max-mutating-requests-inflight`; 0 is no limit. Administrators always pass."""

    reads: int
    writes: int
    _reading: int = 0
    _writing: int = 0

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        if is_long_running(ctx):
            return await proceed(ctx)
        exempt = MASTERS in ctx.user.groups
        if ctx.info.verb in READS:
            if self.reads and self._reading >= self.reads and not exempt:
                return too_many(1)
            self._reading += 1
            try:
                return await proceed(ctx)
            finally:
                self._reading -= 1
        if self.writes and self._writing >= self.writes and not exempt:
            return too_many(1)
        self._writing += 1
        try:
            return await proceed(ctx)
        finally:
            self._writing -= 1


def too_many(retry_after_seconds: int) -> Response:
    """The refusal, in plain text as upstream's."""
    headers = [("x-content-type-options", "nosniff"), ("retry-after", str(retry_after_seconds))]
    return Response(429, WORDS.encode() + b"\n", "text/plain; charset=utf-8", headers)


def is_long_running(ctx: RequestContext) -> bool:
    """Requests that last as long as their client wants."""
    info = ctx.info
    if not info.is_resource_request:
        return info.path.startswith("/debug/pprof/")
    return info.verb in LONG_RUNNING or info.subresource in LONG_RUNNING_PARTS
