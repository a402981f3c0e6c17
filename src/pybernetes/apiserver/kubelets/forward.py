"""Plain requests, forwarded: the answer is streamed as it comes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response, StreamResponse, StreamWriter
from pybernetes.apiserver.kubelets.connection import BackendError, Connection, Head, dial, read_through
from pybernetes.apiserver.kubelets.headers import forwarded
from pybernetes.apiserver.kubelets.kubelets import Endpoint
from pybernetes.apiserver.kubelets.links import Back, unpacked

ERROR_LIMIT = 64 << 10
SMALL = 256 << 10
PAGE_LIMIT = 4 << 20
CLOSE = ("Connection", "close")


class Subject(Struct, frozen=True):
    """What the request is about, for the words of errors."""

    resource: str
    name: str


async def forward(
    ctx: RequestContext, endpoint: Endpoint, target: str, *, headers: list[tuple[str, str]], prefix: str = ""
) -> Answer:
    """Send the request on to path and query `target`; redirects and links within the backend stay below `prefix`.

    Raises StatusError if the backend cannot be reached or breaks off before its answer.
    """
    body = await ctx.request.body()
    backend, head = await _send(ctx.request.method, endpoint, target, headers, body, wait=None)
    kept = [(name, value) for name, value in forwarded(head.headers) if name.lower() != "content-type"]
    has_body = ctx.request.method != "HEAD" and head.status not in (204, 304)
    if prefix:
        back = Back(prefix, frozenset((endpoint.authority, ctx.request.headers.get("host", ""))))
        if head.header("location"):
            kept = [(name, back.url(value) if name.lower() == "location" else value) for name, value in kept]
        elif has_body and head.header("content-type").partition(";")[0].strip() == "text/html":
            return await _page(backend, head, kept, back)
    return await _answer(backend, head, head.header("content-type"), kept, has_body=has_body)


async def fetch(endpoint: Endpoint, target: str, subject: Subject) -> Answer:
    """GET from a kubelet on the server's own behalf, streamed; its errors as upstream tells them."""
    backend, head = await _send("GET", endpoint, target, [], b"", wait=30.0)
    if head.status >= 300:
        with contextlib.closing(backend), contextlib.suppress(BackendError):
            text = (await backend.read_text(head, ERROR_LIMIT)).decode("utf-8", "replace").strip()
            raise kubelet_error(head.status, text, subject)
        raise kubelet_error(head.status, "", subject)
    return await _answer(backend, head, "text/plain", [], has_body=True)


async def _send(
    method: str, endpoint: Endpoint, target: str, headers: list[tuple[str, str]], body: bytes, *, wait: float | None
) -> tuple[Connection, Head]:
    backend = await dial(endpoint)
    with read_through(backend):
        await backend.send(method, target, endpoint.authority, [*headers, CLOSE], body)
        head = await backend.read_head(wait)
        if head.status == 101:
            raise BackendError("it changes protocols unasked")
        return backend, head


async def _answer(
    backend: Connection, head: Head, content_type: str, headers: list[tuple[str, str]], *, has_body: bool
) -> Answer:
    length = head.header("content-length")
    if not has_body or (length.isdigit() and int(length) <= SMALL):
        with contextlib.closing(backend):
            try:
                body = await backend.read_text(head, SMALL) if has_body else b""
            except BackendError as error:
                raise errors.internal(f"error reading from backend: {error}") from error
        return Response(head.status, body, content_type, headers)

    return StreamResponse(head.status, _rest(backend, backend.body(head)), content_type, headers)


async def _page(backend: Connection, head: Head, headers: list[tuple[str, str]], back: Back) -> Answer:
    """A page with its links led back; one that is too long for that, or in a coding of its own, goes on as it is."""
    parts, content_type = backend.body(head), head.header("content-type")
    begun = bytearray()
    try:
        async for part in parts:
            begun += part
            if len(begun) > PAGE_LIMIT:
                return StreamResponse(head.status, _rest(backend, parts, bytes(begun)), content_type, headers)
    except BaseException as error:
        backend.close()
        if isinstance(error, BackendError):
            raise errors.internal(f"error reading from backend: {error}") from error
        raise
    backend.close()
    page = unpacked(bytes(begun), head.header("content-encoding"), PAGE_LIMIT)
    if page is None:
        return Response(head.status, bytes(begun), content_type, headers)
    headers = [(name, value) for name, value in headers if name.lower() != "content-encoding"]
    return Response(head.status, back.page(page), content_type, headers)


def _rest(
    backend: Connection, parts: AsyncIterator[bytes], begun: bytes = b""
) -> Callable[[StreamWriter], Awaitable[None]]:
    async def run(writer: StreamWriter) -> None:
        # A backend that breaks off ends the client's stream too: its status is sent already.
        with contextlib.closing(backend), contextlib.suppress(BackendError):
            writer.write(begun)
            async for part in parts:
                writer.write(part)
                await writer.drain()

    return run


def kubelet_error(status: int, text: str, subject: Subject) -> errors.StatusError:
    """What a kubelet's refusal becomes (upstream's GenericHttpResponseChecker)."""
    if status == 500:
        return errors.internal(text)
    if status == 400:
        return errors.bad_request(text)
    words = {
        401: ("Unauthorized", "the server has asked for the client to provide credentials"),
        403: ("Forbidden", "the server does not allow access to the requested resource"),
        404: ("NotFound", "the server could not find the requested resource"),
        503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    }
    reason, message = words.get(status, ("Unknown", f"the server responded with the status code {status}"))
    causes = [{"reason": "UnexpectedServerResponse", "message": text}]
    details = {"name": subject.name, "kind": subject.resource, "causes": causes}
    return errors.StatusError(status, reason, f"{message} ( {subject.resource} {subject.name})", details)
