"""How many seats a list takes: by what it holds in memory at once. Everything else takes one."""

from __future__ import annotations

import math
from typing import Final, Protocol

from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.request_info import RequestInfo
from pybernetes.wire.numbers import parse_number

BYTES_PER_SEAT: Final = 100_000
CACHED_BYTES: Final = 1_000_000
"""What a list from memory takes at most, since it is sent in pieces."""


class Stored(Protocol):
    """The objects of a resource."""

    def __len__(self) -> int: ...

    @property
    def average_bytes(self) -> int:
        """How long they are, about."""
        ...


class FindStored(Protocol):
    def __call__(self, info: RequestInfo) -> Stored | None: ...


def width(ctx: RequestContext, find: FindStored, widest: int) -> int:
    """Seats of a list, or of a watch that begins with one."""
    info, request = ctx.info, ctx.request
    if info.name or widest == 1:
        return 1
    if info.verb == "watch" and request.parameter("sendInitialEvents") not in ("true", "1"):
        return 1
    stored = find(info)
    if not stored:
        return 1
    count = len(stored)
    if not request.query_string:
        return max(1, min(math.ceil(min(count * stored.average_bytes, CACHED_BYTES) / BYTES_PER_SEAT), widest))
    given = request.parameter("limit")
    limit = min(parse_number(given) or count, count)
    from_store = info.verb == "list" and _is_from_store(ctx)
    if from_store and (request.parameter("labelSelector") or request.parameter("fieldSelector")):
        limit = max(limit, count // 2)
    size = limit * stored.average_bytes
    if not from_store:
        size = min(size, CACHED_BYTES)
    return max(1, min(math.ceil(size / BYTES_PER_SEAT), widest))


def _is_from_store(ctx: RequestContext) -> bool:
    """Whether the list is read from the store's history."""
    request = ctx.request
    return bool(request.parameter("continue")) or request.parameter("resourceVersionMatch") == "Exact"
