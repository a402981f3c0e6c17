"""Plain requests, forwarded: the answer is streamed as it comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp
from yarl import URL

from pybernetes.api import errors
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response, StreamResponse, StreamWriter
from pybernetes.apiserver.kubelets.headers import forwarded
from pybernetes.apiserver.kubelets.kubelets import Endpoint

CHUNK = 64 << 10
ERROR_LIMIT = 64 << 10
SMALL = 256 << 10


@dataclass(frozen=True, slots=True)
class Subject:
    """What the request is about, for the words of errors."""

    resource: str
    name: str


async def forward(
    ctx: RequestContext, endpoint: Endpoint, target: str, *, headers: list[tuple[str, str]], prefix: str = ""
) -> Answer:
    """Send the request on to path and query `target`; redirects within the backend stay below `prefix`.

    Raises StatusError if the backend cannot be reached.
    """
    body = await ctx.request.body()
    answer = await _send(ctx, ctx.request.method, endpoint, target, headers, body)
    kept = [(name, value) for name, value in forwarded(answer.headers.items()) if name.lower() != "content-type"]
    if prefix:
        kept = [(name, _below(prefix, value) if name.lower() == "location" else value) for name, value in kept]
    return await _answer(answer, answer.headers.get("content-type", ""), kept)


async def fetch(ctx: RequestContext, endpoint: Endpoint, target: str, subject: Subject) -> Answer:
    """GET from a kubelet on the server's own behalf, streamed; its errors as upstream tells them."""
    answer = await _send(ctx, "GET", endpoint, target, [], b"")
    if answer.status >= 300:
        text = (await answer.content.read(ERROR_LIMIT)).decode("utf-8", "replace").strip()
        answer.release()
        raise kubelet_error(answer.status, text, subject)
    return await _answer(answer, "text/plain", [])


async def _send(
    ctx: RequestContext, method: str, endpoint: Endpoint, target: str, headers: list[tuple[str, str]], body: bytes
) -> aiohttp.ClientResponse:
    url = URL(f"{endpoint.scheme}://{endpoint.authority}{target}", encoded=True)
    try:
        return await ctx.services.kubelets.session.request(
            method, url, headers=headers, data=body or None, ssl=endpoint.tls or False, allow_redirects=False
        )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise errors.internal(f'{method.capitalize()} "{url}": dial tcp {endpoint.authority}: {error}') from error


async def _answer(answer: aiohttp.ClientResponse, content_type: str, headers: list[tuple[str, str]]) -> Answer:
    length = answer.content_length
    if length is not None and length <= SMALL:
        body = await answer.read()
        return Response(answer.status, body, content_type, headers)

    async def run(writer: StreamWriter) -> None:
        try:
            async for chunk in answer.content.iter_any():
                writer.write(chunk)
                await writer.drain()
        except (aiohttp.ClientError, asyncio.IncompleteReadError):
            return  # the backend went away: so does the client's stream
        finally:
            answer.close()

    return StreamResponse(answer.status, run, content_type, headers)


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
