"""HTTP GET against a container, for probes and hooks. Certificates are not checked, as upstream does not."""

import asyncio
import ssl
from dataclasses import dataclass, field
from functools import cache

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.probes.network import dial_error, join
from pybernetes.kubelet.probes.outcome import ActionError, Outcome

MAX_BODY = 10 * 1024
MAX_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """A resolved httpGet: where it goes and with which headers."""

    scheme: str
    host: str
    port: int
    path: str
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)

    @property
    def url(self) -> str:
        path = self.path if self.path.startswith("/") else f"/{self.path}"
        return f"{self.scheme}://{join(self.host, self.port)}{path}"


def target_of(action: v1.HTTPGetAction, pod_ip: str, port: int, user_agent: str) -> HttpTarget:
    """Headers of the action win over the kubelet's own."""
    headers: CIMultiDict[str] = CIMultiDict()
    for header in action.http_headers:
        headers.add(header.name, header.value)
    headers.setdefault("User-Agent", user_agent)
    headers.setdefault("Accept", "*/*")
    return HttpTarget((action.scheme or "HTTP").lower(), action.host or pod_ip, port, action.path or "/", headers)


async def get(target: HttpTarget, seconds: float | None) -> Outcome:
    """Success is any status from 200 to 399; redirects are followed on the same host only."""
    connector = aiohttp.TCPConnector(ssl=_unverified() if target.scheme == "https" else False, force_close=True)
    url = URL(target.url, encoded=True)
    try:
        async with asyncio.timeout(seconds), aiohttp.ClientSession(connector=connector) as session:
            return await _follow(session, url, target)
    except TimeoutError:
        words = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Outcome(False, f'Get "{target.url}": {words}')
    except aiohttp.ClientConnectorError as error:
        return Outcome(False, f'Get "{target.url}": {dial_error(target.host, target.port, error.os_error)}')
    except aiohttp.ServerDisconnectedError:
        return Outcome(False, f'Get "{target.url}": EOF')
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Outcome(False, f'Get "{target.url}": {error}')


@cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _follow(session: aiohttp.ClientSession, url: URL, target: HttpTarget) -> Outcome:
    for _ in range(MAX_REDIRECTS):
        async with session.get(url, headers=target.headers, allow_redirects=False) as answer:
            body = (await answer.content.read(MAX_BODY)).decode(errors="replace")
            if answer.status not in (301, 302, 303, 307, 308) or "Location" not in answer.headers:
                return _outcome(answer.status, body)
            following = url.join(URL(answer.headers["Location"], encoded=True))
            if following.host != url.host:
                return Outcome(True, body)
            url = following
    return Outcome(False, f'Get "{target.url}": stopped after 10 redirects')


def _outcome(status: int, body: str) -> Outcome:
    if 200 <= status < 400:
        return Outcome(True, body)
    return Outcome(False, f"HTTP probe failed with statuscode: {status}")


def port_number(port: int | str, container: v1.Container | v1.EphemeralContainer) -> int:
    """A number, or the container's port of that name. Raises ActionError."""
    if isinstance(port, int):
        return port
    for declared in container.ports:
        if declared.name == port:
            return declared.container_port
    if port.isdigit():
        return int(port)
    raise ActionError(f'couldn\'t find port: "{port}" in container {container.name}')
