"""Plain requests, forwarded: the answer is streamed as it comes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from pybernetes.api import errors
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response, StreamResponse, StreamWriter
from pybernetes.apiserver.kubelets.connection import BackendError, Connection, Head, dial
from pybernetes.apiserver.kubelets.headers import forwarded
from pybernetes.apiserver.kubelets.kubelets import Endpoint

ERROR_LIMIT = 64 << 10
SMALL = 256 << 10
CLOSE = ("Connection", "close")


@dataclass(frozen=True, slots=True)
class Subject:
    """What the request is about, for the words of errors."""

    resource: str
    name: str


async def forward(
    ctx: RequestContext, endpoint: Endpoint, target: str, *, headers: list[tuple[str, str]], prefix: str = ""
) -> Answer:
    """Send the request on to path and query `target`; redirects within the backend stay below `prefix`.

    Raises StatusError if the backend cannot be reached or breaks off before its answer.
    """
    body = await ctx.request.body()
    backend, head = await _send(ctx.request.method, endpoint, target, headers, body, wait=None)
    kept = [(name, value) for name, value in forwarded(head.headers) if name.lower() != "content-type"]
    if prefix:
        kept = [(name, _below(prefix, value) if name.lower() == "location" else value) for name, value in kept]
    has_body = ctx.request.method != "HEAD" and head.status not in (204, 304)
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
    try:
        await backend.send(method, target, endpoint.authority, [*headers, CLOSE], body)
        head = await backend.read_head(wait)
        if head.status == 101:
            raise BackendError("it changes protocols unasked")
        return backend, head
    except BackendError as error:
        backend.close()
        raise errors.internal(f"error reading from backend: {error}") from error
    except BaseException:
        backend.close()
        raise


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

    async def run(writer: StreamWriter) -> None:
        # A backend that breaks off ends the client's stream too: its status is sent already.
        with contextlib.closing(backend), contextlib.suppress(BackendError):
            async for part in backend.body(head):
                writer.write(part)
                await writer.drain()

    return StreamResponse(head.status, run, content_type, headers)


def _below(prefix: str, location: str) -> str:
    """A redirect as the client can follow it: paths of the backend are below the proxy's path."""
    return f"{prefix}{location}" if location.startswith("/") else location


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
