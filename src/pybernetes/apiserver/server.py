"""One API server: from a connection's request to the chain, and from whatever comes out of it to an answer."""

from __future__ import annotations

import logging
import unicodedata
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import count
from time import perf_counter

from pybernetes.aio.turns import Turns
from pybernetes.api.errors import StatusError, internal, service_unavailable
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.handlers.call import tree_answer
from pybernetes.apiserver.handlers.list_options import is_watch, selected_name
from pybernetes.apiserver.http.message import Answer, DisconnectedError, Request, Response
from pybernetes.apiserver.negotiate import Format, negotiate
from pybernetes.apiserver.pages import text
from pybernetes.apiserver.registry.registry import Registry
from pybernetes.apiserver.request_info import PathError, parse
from pybernetes.apiserver.request_metrics import RequestMetrics
from pybernetes.apiserver.services import Services
from pybernetes.store.backend import StoreError

log = logging.getLogger(__name__)
AUDIT_ID = "audit-id"
MAX_WARNINGS = 4096
MAX_WARNING = 256
"""Characters of all warnings of an answer, and of one of them where all are too long."""
READS = frozenset(("GET", "HEAD", "OPTIONS"))


class APIServer:
    """The HTTP server's handler: never raises, whatever a request holds."""

    def __init__(
        self, services: Services, handle: Handle, metrics: RequestMetrics, end: Callable[[], Awaitable[None]]
    ) -> None:
        self._services = services
        self._handle = handle
        self._metrics = metrics
        self._ids = audit_ids()
        self._turns = Turns()
        self.end = end
        """To be called when the server is about to end, while it still serves."""

    @property
    def registry(self) -> Registry:
        """The door to the objects, for who runs this server in its own process."""
        return self._services.registry

    async def __call__(self, request: Request) -> Answer:
        ctx: RequestContext | None = None
        audit_id = request.headers.get(AUDIT_ID) or next(self._ids)
        metrics, began = self._metrics, perf_counter()
        writes = request.method not in READS
        metrics.mutating += writes
        metrics.reading += not writes
        try:
            ctx = self._context(request, audit_id)
            answer = await self._turns.run(self._handle(ctx))
        except StatusError as error:
            answer = error_answer(error, request)
        except DisconnectedError:
            answer = Response(400)
        except PathError as error:
            target = f"{request.path}?{request.query_string}" if request.query_string else request.path
            target = target.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            words = f'Internal Server Error: "{target}": failed to create RequestInfo: {error}, {target}\n'
            answer = text(500, words)
        except StoreError as error:
            log.warning("store failed method=%s path=%s error=%s", request.method, request.path, error)
            answer = error_answer(service_unavailable(f"the store cannot serve now: {error}"), request)
        except Exception as error:
            log.exception("request failed method=%s path=%s", request.method, request.path)
            answer = error_answer(internal(str(error)), request)
        except BaseException:
            metrics.mutating -= writes
            metrics.reading -= not writes
            raise
        metrics.mutating -= writes
        metrics.reading -= not writes
        if ctx is not None:
            metrics.record(ctx, answer, perf_counter() - began)
            answer.headers.extend(ctx.headers)
            if ctx.warnings:
                answer.headers.extend(("warning", value) for value in warnings(ctx.warnings))
        for name, _ in answer.headers:
            if name == AUDIT_ID:
                break  # a server behind this one has said it
        else:
            answer.headers.append((AUDIT_ID, audit_id))
        return answer

    def _context(self, request: Request, audit_id: str) -> RequestContext:
        if request.query_string and request.method in ("GET", "HEAD", "DELETE"):
            info = parse(request.method, request.path, watch=is_watch(request), selected_name=selected_name(request))
        else:
            info = parse(request.method, request.path)
        return RequestContext(request, info, self._services, audit_id=audit_id)


def audit_ids() -> Iterator[str]:
    """Random UUIDs that differ in their last digits: what tells requests apart need not be hard to guess, but cheap."""
    random = str(uuid.uuid4())[:24]
    return (f"{random}{number:012x}" for number in count())


def error_answer(error: StatusError, request: Request) -> Response:
    """A Status in the format that the client wants."""
    headers: list[tuple[str, str]] = []
    if error.retry_after_seconds:
        headers.append(("retry-after", str(error.retry_after_seconds)))
    answer = tree_answer(error.code, error.status, _error_format(request))
    answer.headers = headers
    return answer


def _error_format(request: Request) -> Format:
    """What the client takes; JSON where that is nothing we have."""
    accept, pretty = request.headers.get("accept", ""), request.is_pretty
    try:
        return negotiate(accept, protobuf=True, routed=False, pretty=pretty)
    except StatusError:
        return Format(pretty=pretty)


def _is_control(char: str) -> bool:
    return unicodedata.category(char) == "Cc"


def warnings(texts: Iterable[str]) -> list[str]:
    """The values of Warning headers (RFC 7234) with code 299.

    All that are too long together are cut, and what is too long still is left out. Nor is told what has control
    characters.
    """
    clean = [text for text in texts if text.isprintable() or not any(map(_is_control, text))]
    if sum(map(len, clean)) > MAX_WARNINGS:
        whole, clean, left = clean, [], MAX_WARNINGS
        for text in whole:
            if left <= 0:
                break
            clean.append(text[:MAX_WARNING])
            left -= len(clean[-1])
    return [f'299 - "{quoted}"' for quoted in (text.replace("\\", "\\\\").replace('"', '\\"') for text in clean)]
