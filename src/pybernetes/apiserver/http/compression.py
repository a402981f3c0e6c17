"""Long answers in gzip, for clients that take it."""

from __future__ import annotations

import zlib
from typing import Final

from pybernetes.apiserver.http.message import Response

GZIP_FROM_BYTES: Final = 128 << 10


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding names it; upstream knows no `q`, and takes no name that has one for gzip."""
    return "gzip" in accepted and any(name.strip() == "gzip" for name in accepted.split(","))


def compressed(answer: Response, accepted: str, *, at_least: int = GZIP_FROM_BYTES) -> Response:
    """The answer with its body gzipped, if it is long and the client takes that."""
    parts = answer.body if isinstance(answer.body, list) else [answer.body]
    if not takes_gzip(accepted) or sum(map(len, parts)) < at_least:
        return answer
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    packed = [packer.compress(part) for part in parts]
    headers = [*answer.headers, ("content-encoding", "gzip"), ("vary", "Accept-Encoding")]
    return Response(answer.status, [*packed, packer.flush()], answer.content_type, headers)
