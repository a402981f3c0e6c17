"""HTTP to one of the API servers: credentials, fail-over, retries that the server asks for, errors as StatusError."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from time import perf_counter
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.aio.http.answer import Answer
from pybernetes.aio.http.client import HTTPClient
from pybernetes.aio.http.errors import ConnectError, HTTPError
from pybernetes.aio.http.request import Origin
from pybernetes.api import errors
from pybernetes.client.config import LOCAL, Config
from pybernetes.client.credentials import Credentials
from pybernetes.client.request_metrics import RequestTally

T = TypeVar("T")

MAX_RETRIES = 10
CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 60.0
CONCURRENCY = 32
"""Requests under way at a time, streams aside: as many connections as are kept, so that a burst opens no others, whose
handshakes would cost more than what is asked over them."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One call. `query` values that are empty are left out."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"

    def target(self, prefix: str) -> str:
        """Path and query, behind the path that the server's URL has."""
        if not self.query:
            return prefix + self.path
        query = urlencode([(name, value) for name, value in self.query.items() if value])
        return f"{prefix}{self.path}{'?' + query if query else ''}"


class Response(Struct):
    """A successful answer, read to its end."""

    _answer: Answer
    body: bytes

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        """By their names in lower case."""
        return self._answer.headers


class Transport:
    """Sends requests. Every failure is a StatusError; a lost or refused connection has reason ServiceUnavailable."""

    def __init__(self, http: HTTPClient, config: Config, user_agent: str, clock: Clock) -> None:
        self._http, self._config, self._clock = http, config, clock
        self._credentials = Credentials(config, clock)
        self._headers = [("User-Agent", user_agent), *config.headers]
        self._current = 0
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self.tally = RequestTally()

    async def request(self, request: Request, seconds: float = REQUEST_SECONDS) -> Response:
        """Send and read the whole answer; a server that answers with Retry-After is asked again, up to ten times."""
        for _ in range(MAX_RETRIES):
            async with self._slots:
                began = perf_counter()
                answer, body = await self._ask(request, seconds)
            self.tally.answered(request.method, answer.status, self._server, perf_counter() - began)
            if answer.status < 400:
                return Response(answer, body)
            wait = _retry_after(answer)
            if wait is None:
                raise _failure(answer.status, body)
            await self._clock.sleep(wait)
        raise _failure(answer.status, body)

    async def _ask(self, request: Request, seconds: float) -> tuple[Answer, bytes]:
        async def fetch(server: str) -> tuple[Answer, bytes]:
            origin, target, headers = self._prepared(server, request)
            return await self._http.fetch(
                origin, request.method, target, headers, request.body, seconds=seconds, connect_seconds=CONNECT_SECONDS
            )

        return await self._on_a_server(fetch)

    @asynccontextmanager
    async def stream(self, request: Request, idle_seconds: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's body in chunks as they arrive; silence for longer than `idle_seconds` is a lost connection."""
        try:
            async with asyncio.timeout(idle_seconds):
                answer = await self._send(request)
            self.tally.streamed(request.method, answer.status, self._server)
        except TimeoutError as error:
            silent, self._current = self._server, self._current + 1
            raise _unreachable(silent, error) from error
        try:
            if answer.status >= 400:
                raise _failure(answer.status, b"".join([part async for part in self._parts(answer, idle_seconds)]))
            yield self._parts(answer, idle_seconds)
        finally:
            # A connection whose answer was read to its end is kept for the next request.
            answer.close()

    async def _parts(self, answer: Answer, idle_seconds: float) -> AsyncIterator[bytes]:
        server = self._server
        try:
            while part := await answer.part(idle_seconds):
                yield part
        except HTTPError as error:
            raise _unreachable(server, error) from error

    @property
    def _server(self) -> str:
        """The server that worked last."""
        servers = self._config.servers
        return servers[self._current % len(servers)] if servers else ""

    async def _send(self, request: Request) -> Answer:
        async def send(server: str) -> Answer:
            origin, target, headers = self._prepared(server, request)
            return await self._http.send(
                origin, request.method, target, headers, request.body, connect_seconds=CONNECT_SECONDS
            )

        return await self._on_a_server(send)

    async def _on_a_server(self, call: Callable[[str], Awaitable[T]]) -> T:
        """Try each server once, from the one that worked last; only requests that were not sent move on."""
        for attempt in range(len(self._config.servers)):
            server = self._server
            try:
                return await call(server)
            except ConnectError as error:
                self._current += 1
                if attempt == len(self._config.servers) - 1:
                    raise _unreachable(server, error) from error
            except HTTPError as error:
                self._current += 1
                raise _unreachable(server, error) from error
        raise errors.service_unavailable("no API server is configured")

    def _prepared(self, server: str, request: Request) -> tuple[Origin, str, list[tuple[str, str]]]:
        """Where the request goes, its target there, and its headers."""
        headers = [*self._headers, ("Accept", request.accept)]
        if request.body is not None:
            headers.append(("Content-Type", request.content_type))
        if token := self._credentials.token():
            headers.append(("Authorization", f"Bearer {token}"))
        scheme, host, port, prefix = _parts_of(server)
        if scheme == LOCAL:
            return _socket(prefix), request.target(""), headers
        tls = self._credentials.tls() if scheme == "https" else None
        return Origin(host, port, tls, self._config.tls_server_name), request.target(prefix), headers


@cache
def _socket(path: str) -> Origin:
    return Origin("", 0, socket=path)


@cache
def _parts_of(server: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of a server's URL; of a socket's the path is all there is."""
    url = urlsplit(server)
    return url.scheme, url.hostname or "", url.port or (443 if url.scheme == "https" else 80), url.path.rstrip("/")


def _retry_after(answer: Answer) -> float | None:
    """Seconds after which the server wants to be asked again; None if it does not."""
    if answer.status != 429 and answer.status < 500:
        return None
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def _failure(code: int, body: bytes) -> errors.StatusError:
    """The error of an answer; one that carries no Status (from a proxy in between) gets one of its code."""
    try:
        tree = msgspec.json.decode(body)
    except msgspec.DecodeError:
        tree = None
    if isinstance(tree, dict) and tree.get("kind") == "Status":
        return errors.from_status(tree, code)
    return errors.StatusError(code, "", body.decode(errors="replace").strip() or f"the server answered with {code}")


def _unreachable(server: str, error: BaseException) -> errors.StatusError:
    return errors.service_unavailable(f"{server}: {error or type(error).__name__}")
