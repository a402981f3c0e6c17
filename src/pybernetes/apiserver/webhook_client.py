"""Calls to webhooks: where they are, TLS to them, one request and its answer within its time.

Redirects are followed as Go's client does: only 307 and 308 send the review once more.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from pybernetes.aio.http.answer import Answer
from pybernetes.aio.http.client import HTTPClient, open_client
from pybernetes.aio.http.errors import ConnectError, DisconnectedError, HTTPError
from pybernetes.aio.http.request import Origin
from pybernetes.aio.tasks import Scope
from pybernetes.aio.trust import client_context
from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.api.validation.authorities import bundle_complaint
from pybernetes.apiserver.stages.objects import Objects
from pybernetes.apiserver.webhook_answer import CallError, read_answer
from pybernetes.wire.dialing import dial_error

MAX_ANSWER_BYTES = 16 << 20
MAX_REDIRECTS = 10
REDIRECTS = frozenset((301, 302, 303, 307, 308))

_UNTRUSTED = frozenset((18, 19, 20, 21))
"""OpenSSL's codes of certificates that nobody who is trusted has signed."""

__all__ = ["CallError", "WebhookClient"]


class Target(Struct, frozen=True):
    """Where a webhook listens, and how its URL reads in messages."""

    origin: Origin
    url: str


class WebhookClient:
    """One for all webhooks of the server; its connections live as long as the scope that it is first used in."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._client: HTTPClient | None = None

    async def post(self, scope: Scope, config: Tree, body: Tree, seconds: float) -> Any:
        """The answer's JSON. Raises CallError."""
        target = self._target(config, seconds)
        client = await self._connected(scope)
        url, method, data = f"{target.url}?timeout={seconds:g}s", "POST", json.dumps(body).encode()
        try:
            async with asyncio.timeout(seconds):
                answer = await _sent(client, target.origin, method, url, data)
                for _ in range(MAX_REDIRECTS):
                    if answer.status not in REDIRECTS:
                        break
                    url, method = _redirected(url, answer), method if answer.status in (307, 308) else "GET"
                    parts = urlsplit(url)
                    origin = Origin(parts.hostname or "", parts.port or 443, target.origin.tls)
                    answer = await _sent(client, origin, method, url, data if method == "POST" else b"")
                else:
                    raise CallError(f"Post {quote(url)}: stopped after {MAX_REDIRECTS} redirects")
                found = await _bounded(answer)
        except TimeoutError as error:
            raise CallError(f"Post {quote(url)}: context deadline exceeded") from error
        except ConnectError as error:
            raise CallError(f"Post {quote(url)}: {_connect_words(target, error)}") from error
        except DisconnectedError as error:
            raise CallError(f"Post {quote(url)}: EOF") from error
        except HTTPError as error:
            raise CallError(f"Post {quote(url)}: {error}") from error
        return read_answer(answer.status, answer.headers.get("content-type", ""), found)

    async def _connected(self, scope: Scope) -> HTTPClient:
        if self._client is None:
            ready: asyncio.Future[HTTPClient] = asyncio.get_running_loop().create_future()
            scope.spawn(_hold(ready), "webhook-connections")
            self._client = await ready
        return self._client

    def _target(self, config: Tree, seconds: float) -> Target:
        tls = _context(config.get("caBundle") or "")
        if config.get("url"):
            try:
                parts = urlsplit(config["url"])
                origin = Origin(parts.hostname or "", parts.port or 443, tls)
            except ValueError as error:
                raise CallError(f"parse {quote(config['url'])}: {error}") from error
            return Target(origin, f"https://{parts.netloc}{parts.path.rstrip('/') or '/'}")
        reference = config["service"]
        namespace, name, port = reference["namespace"], reference["name"], reference.get("port", 443)
        path = "/" + (reference.get("path") or "").strip("/")
        host = f"{name}.{namespace}.svc"
        url = f"https://{host}:{port}{path}"
        try:
            origin = Origin(self._address(namespace, name, port), port, tls, server_name=host)
        except CallError as error:
            raise CallError(f"Post {quote(f'{url}?timeout={seconds:g}s')}: {error}") from error
        return Target(origin, url)

    def _address(self, namespace: str, name: str, port: int) -> str:
        service = self._objects.get("", "services", namespace, name)
        if service is None:
            raise CallError(f'service "{name}" not found')
        spec = service.get("spec") or {}
        if all(each["port"] != port for each in spec.get("ports") or ()):
            raise CallError(f'no service port {port} found for service "{name}"')
        if spec.get("type") == "ExternalName":
            return str(spec["externalName"])
        address = spec.get("clusterIP", "")
        if address in ("", "None"):
            raise CallError(f"cannot route to service with ClusterIP {quote(address)}")
        return str(address)


async def _sent(client: HTTPClient, origin: Origin, method: str, url: str, body: bytes) -> Answer:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [("Content-Type", "application/json"), ("Accept", "application/json, */*")]
    return await client.send(origin, method, path, headers, body)


def _redirected(url: str, answer: Answer) -> str:
    location = answer.headers.get("location", "")
    answer.close()
    if not location:
        raise CallError(f"Post {quote(url)}: {answer.status} response missing Location header")
    return urljoin(url, location)


async def _bounded(answer: Answer) -> bytes:
    """The body. Raises CallError for one that has no end, HTTPError."""
    data = bytearray()
    while part := await answer.part():
        data += part
        if len(data) > MAX_ANSWER_BYTES:
            answer.close()
            raise CallError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(data)


async def _hold(ready: asyncio.Future[HTTPClient]) -> None:
    """A client for as long as the task lives."""
    async with open_client() as client:
        ready.set_result(client)
        await asyncio.get_running_loop().create_future()


@lru_cache(maxsize=64)
def _context(bundle: str) -> ssl.SSLContext:
    """TLS that trusts the bundle (base64 of PEM), or without one what this machine trusts."""
    try:
        authorities = base64.b64decode(bundle).decode() if bundle else None
        return client_context(authorities)
    except (ValueError, ssl.SSLError) as error:
        message = (
            bundle_complaint(bundle) or "unable to load root certificates: no valid certificate authority data seen"
        )
        raise CallError(message) from error


def _connect_words(target: Target, error: ConnectError) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        words = "certificate signed by unknown authority" if cause.verify_code in _UNTRUSTED else cause.verify_message
        return f"tls: failed to verify certificate: x509: {words}"
    return dial_error(target.origin.host, target.origin.port, cause or error)
