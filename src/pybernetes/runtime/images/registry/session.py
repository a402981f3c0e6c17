"""The thin shell around aiohttp: one request, one bounded answer, errors in the project's words."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp

from pybernetes.aio.trust import client_context
from pybernetes.runtime.images.registry.causes import network_error
from pybernetes.runtime.images.registry.errors import NetworkError, RegistryError

_READ_SECONDS = 30.0
_CHUNK = 256 << 10
_REDIRECTS = 5
_FAILURES = (aiohttp.ClientError, OSError, asyncio.TimeoutError, ValueError)


class Answer:
    """The answer to a request; leave the `async with` block to give its connection back."""

    def __init__(self, method: str, response: aiohttp.ClientResponse) -> None:
        self._method = method
        self._response = response
        self.status = response.status
        self.headers = response.headers
        self.url = str(response.url)
        self.reason = f"{response.status} {response.reason}"

    @property
    def what(self) -> str:
        """`GET request to https://…`, without the query (it may hold a signature)."""
        return f"{self._method} request to {self.url.partition('?')[0]}"

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises RegistryError if it is longer than `limit` bytes."""
        data = bytearray()
        async for chunk in self.chunks():
            data += chunk
            if len(data) > limit:
                raise RegistryError(f"answer to {self.what} is longer than {limit} bytes")
        return bytes(data)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises NetworkError."""
        try:
            async for chunk in self._response.content.iter_chunked(_CHUNK):
                yield chunk
        except _FAILURES as error:
            raise network_error(self._method, self.url, error) from error

    async def __aenter__(self) -> "Answer":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        # After a failure nobody knows what is still to come on the connection.
        if kind is None:
            self._response.release()
        else:
            self._response.close()


class Session:
    """A pool of connections on the running loop; closed by `close`."""

    def __init__(self, ca_file: Path | None = None) -> None:
        self._ca_file = ca_file
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=32), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        self._tls: ssl.SSLContext | None = None

    async def close(self) -> None:
        await self._session.close()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        connect_seconds: float,
    ) -> Answer:
        """Send a request and return its answer, whatever the status. Redirects are followed for GET and HEAD.

        A redirect to another origin loses the Authorization header; one from TLS to plain text is refused.
        Raises NetworkError.
        """
        headers = {"Accept-Encoding": "identity", **(headers or {})}
        for _ in range(_REDIRECTS):
            data = form or (io.BytesIO(body) if body else None)
            response = await self._send(method, url, headers, query, data, connect_seconds)
            target = response.headers.get("Location", "")
            if method not in ("GET", "HEAD") or response.status not in (301, 302, 303, 307, 308) or not target:
                return Answer(method, response)
            response.release()
            target, query = urljoin(str(response.url), target), None
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise NetworkError(method, url, "redirect from https to plain http refused")
            if _origin(target) != _origin(url):
                headers.pop("Authorization", None)
            url = target
        raise NetworkError(method, url, f"stopped after {_REDIRECTS} redirects")

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None,
        data: Mapping[str, str] | io.BytesIO | None,
        connect_seconds: float,
    ) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=None, connect=connect_seconds, sock_read=_READ_SECONDS)
        if self._tls is None and urlsplit(url).scheme == "https":
            # Reading all of the system's CAs takes long enough to be felt by others.
            self._tls = await asyncio.to_thread(self._load_tls)
        try:
            return await self._session.request(
                method,
                url,
                headers=headers,
                params=query,
                data=data,
                timeout=timeout,
                allow_redirects=False,
                ssl=self._tls or True,
                proxy=_proxy(url),
            )
        except _FAILURES as error:
            raise network_error(method, url, error) from error

    def _load_tls(self) -> ssl.SSLContext:
        context = client_context()
        if self._ca_file is not None:
            context.load_verify_locations(self._ca_file)
        return context


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _proxy(url: str) -> str | None:
    """The proxy of the environment for this URL."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies_environment().get(parts.scheme)
