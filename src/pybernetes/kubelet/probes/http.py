"""HTTP GET against a container, for probes and hooks. Certificates are not checked, as upstream does not."""

import asyncio
import ssl
from functools import cache
from urllib.parse import SplitResult, urljoin, urlsplit

from msgspec import Struct, field

from pybernetes.aio.http.answer import Answer
from pybernetes.aio.http.client import HTTPClient, open_client
from pybernetes.aio.http.errors import ConnectError, DisconnectedError, HTTPError
from pybernetes.aio.http.request import Origin
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.probes.outcome import ActionError, Outcome
from pybernetes.wire.dialing import dial_error, join
from pybernetes.wire.numbers import parse_number

MAX_BODY = 10 * 1024
MAX_REDIRECTS = 10
CONNECT_SECONDS = 30.0
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE")
"""What OpenSSL says of an answer in plain HTTP."""


class HttpTarget(Struct, frozen=True):
    """A resolved httpGet: where it goes and with which headers."""

    scheme: str
    host: str
    port: int
    path: str
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        path = self.path if self.path.startswith("/") else f"/{self.path}"
        return f"{self.scheme}://{join(self.host, self.port)}{path}"


def target_of(action: v1.HTTPGetAction, pod_ip: str, port: int, user_agent: str) -> HttpTarget:
    """Headers of the action win over the kubelet's own."""
    headers = [(header.name, header.value) for header in action.http_headers]
    given = {name.lower() for name, _ in headers}
    # Each probe shall see a connection of its own, as a client that comes anew does.
    own = [("User-Agent", user_agent), ("Accept", "*/*"), ("Connection", "close")]
    headers += [(name, value) for name, value in own if name.lower() not in given]
    return HttpTarget((action.scheme or "HTTP").lower(), action.host or pod_ip, port, action.path or "/", headers)


async def get(target: HttpTarget, seconds: float | None) -> Outcome:
    """Success is any status from 200 to 399; redirects are followed on the same host only."""
    try:
        async with asyncio.timeout(seconds), open_client() as client:
            return await _follow(client, target)
    except TimeoutError:
        words = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Outcome(False, f'Get "{target.url}": {words}')
    except ConnectError as error:
        if isinstance(error.__cause__, ssl.SSLError) and error.__cause__.reason in _NO_TLS:
            return Outcome(False, f'Get "{target.url}": http: server gave HTTP response to HTTPS client')
        return Outcome(False, f'Get "{target.url}": {dial_error(target.host, target.port, error.__cause__ or error)}')
    except DisconnectedError:
        return Outcome(False, f'Get "{target.url}": EOF')
    except (HTTPError, OSError, ValueError) as error:
        return Outcome(False, f'Get "{target.url}": {error}')


@cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _follow(client: HTTPClient, target: HttpTarget) -> Outcome:
    url = urlsplit(target.url)
    for _ in range(MAX_REDIRECTS):
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        answer = await client.send(_origin(url), "GET", path, target.headers, connect_seconds=CONNECT_SECONDS)
        body = (await _beginning(answer)).decode(errors="replace")
        location = answer.headers.get("location")
        if answer.status not in (301, 302, 303, 307, 308) or not location:
            return _outcome(answer.status, body)
        following = urlsplit(urljoin(url.geturl(), location))
        if following.hostname != url.hostname:
            return _outcome(answer.status, body)
        url = following
    return Outcome(False, f'Get "{target.url}": stopped after 10 redirects')


def _origin(url: SplitResult) -> Origin:
    is_tls = url.scheme == "https"
    return Origin(url.hostname or "", url.port or (443 if is_tls else 80), _unverified() if is_tls else None)


async def _beginning(answer: Answer) -> bytes:
    """As much of the body as a probe looks at."""
    body = b""
    while len(body) < MAX_BODY and (part := await answer.part()):
        body += part
    answer.close()
    return body[:MAX_BODY]


def _outcome(status: int, body: str) -> Outcome:
    if 200 <= status < 300:
        return Outcome(True, body)
    if 300 <= status < 400:
        return Outcome(True, f"Probe terminated redirects, Response body: {body}", warning=True)
    return Outcome(False, f"HTTP probe failed with statuscode: {status}")


def port_number(port: int | str, container: v1.Container | v1.EphemeralContainer) -> int:
    """A number, or the container's port of that name. Raises ActionError."""
    if isinstance(port, int):
        return port
    for declared in container.ports:
        if declared.name == port:
            return declared.container_port
    if (number := parse_number(port)) is not None:
        return number
    raise ActionError(f'couldn\'t find port: "{port}" in container {container.name}')
