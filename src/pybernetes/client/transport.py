"""HTTP to one of the API servers: credentials, fail-over, retries that the server asks for, errors as StatusError."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from pybernetes.aio.clock import Clock
from pybernetes.api import errors
from pybernetes.client.config import Config
from pybernetes.client.credentials import Credentials

MAX_RETRIES = 10
CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `query` values that are empty are left out."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"

    def url(self, server: str) -> URL:
        query = urlencode([(name, value) for name, value in self.query.items() if value])
        return URL(f"{server}{self.path}{'?' + query if query else ''}", encoded=True)


@dataclass(frozen=True, slots=True)
class Response:
    """A successful answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends requests. Every failure is a StatusError; a lost or refused connection has reason ServiceUnavailable."""

    def __init__(self, session: aiohttp.ClientSession, config: Config, user_agent: str, clock: Clock) -> None:
        self._session, self._config, self._clock = session, config, clock
        self._credentials = Credentials(config, clock)
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", **dict(config.headers)}
        self._current = 0

    async def request(self, request: Request, seconds: float = REQUEST_SECONDS) -> Response:
        """Send and read the whole answer; a server that answers with Retry-After is asked again, up to ten times."""
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        for _ in range(MAX_RETRIES):
            async with self._open(request, timeout) as answer:
                body = await _read(answer)
                if answer.status < 400:
                    return Response(answer.status, answer.headers, body)
                wait = _retry_after(answer)
                if wait is None:
                    raise _failure(answer.status, body)
            await self._clock.sleep(wait)
        raise _failure(answer.status, body)

    @asynccontextmanager
    async def stream(self, request: Request, idle_seconds: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's body in chunks as they arrive; silence for longer than `idle_seconds` is a lost connection."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=idle_seconds)
        async with self._open(request, timeout) as answer:
            if answer.status >= 400:
                raise _failure(answer.status, await _read(answer))
            yield _chunks(answer)

    @asynccontextmanager
    async def _open(self, request: Request, timeout: aiohttp.ClientTimeout) -> AsyncIterator[aiohttp.ClientResponse]:
        answer = await self._send(request, timeout)
        try:
            yield answer
        finally:
            # A connection whose answer was read to its end has gone back to the pool already.
            answer.close()

    async def _send(self, request: Request, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """Try each server once, from the one that worked last; only requests that were not sent move on."""
        servers = self._config.servers
        for attempt in range(len(servers)):
            server = servers[self._current % len(servers)]
            try:
                return await self._send_to(server, request, timeout)
            except aiohttp.ClientConnectorError as error:
                self._current += 1
                if attempt == len(servers) - 1:
                    raise _unreachable(server, error) from error
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                self._current += 1
                raise _unreachable(server, error) from error
        raise errors.service_unavailable("no API server is configured")

    async def _send_to(self, server: str, request: Request, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = {**self._headers, "Accept": request.accept}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if token := self._credentials.token():
            headers["Authorization"] = f"Bearer {token}"
        return await self._session.request(
            request.method,
            request.url(server),
            data=request.body,
            headers=headers,
            ssl=self._credentials.tls() or True,
            server_hostname=self._config.tls_server_name or None,
            timeout=timeout,
            allow_redirects=False,
        )


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    try:
        return await answer.read()
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise _unreachable(str(answer.url.origin()), error) from error


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise _unreachable(str(answer.url.origin()), error) from error


def _retry_after(answer: aiohttp.ClientResponse) -> float | None:
    """Seconds after which the server wants to be asked again; None if it does not."""
    if answer.status != 429 and answer.status < 500:
        return None
    value = answer.headers.get("Retry-After", "")
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
