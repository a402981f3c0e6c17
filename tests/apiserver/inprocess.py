"""A whole API server without a socket: requests go straight into its chain."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.assembly import started
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.options import parse
from pybernetes.apiserver.server import APIServer
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.storage import open_backend

TOKENS = 'admin,admin,admin-uid,"system:masters"\nbob,bob,bob-uid\nnode,system:node:n1,n1-uid,"system:nodes"\n'
POD = {"spec": {"containers": [{"name": "c", "image": "i"}]}}


@dataclass(frozen=True)
class Reply:
    status: int
    tree: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.tree.get("message", ""))


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        return self._data


class Server:
    """`post("pods", {...})` and its like; `ns` is the namespace `default`."""

    def __init__(self, handler: APIServer, clock: FakeClock) -> None:
        self._handler = handler
        self.clock = clock

    @property
    def services(self) -> Services:
        """The server's parts."""
        return self._handler._services

    async def raw(
        self, method: str, path: str, body: Any = None, *, token: str = "admin", headers: dict[str, str] | None = None
    ) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        return await self.bytes(method, path, data, token=token, headers=headers)

    async def bytes(
        self, method: str, path: str, data: bytes, *, token: str = "admin", headers: dict[str, str] | None = None
    ) -> Answer:
        """As `raw`, with a body that may be no JSON."""
        url, _, query = path.partition("?")
        given = {"authorization": f"Bearer {token}"} if token else {}
        given |= headers or {}
        return await self._handler(Request(method, unquote(url), query, list(given.items()), _Body(data)))

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        answer = await self.raw(method, path, body, **more)
        assert isinstance(answer, Response), answer
        text = b"".join(answer.body) if isinstance(answer.body, list) else answer.body
        return Reply(answer.status, json.loads(text) if text else {})

    async def get(self, path: str, **more: Any) -> Reply:
        return await self.call("GET", path, **more)

    async def post(self, path: str, body: Any, **more: Any) -> Reply:
        return await self.call("POST", path, body, **more)

    async def merge(self, path: str, body: Any, **more: Any) -> Reply:
        headers = {"content-type": "application/merge-patch+json"} | more.pop("headers", {})
        return await self.call("PATCH", path, body, headers=headers, **more)

    async def delete(self, path: str, body: Any = None, **more: Any) -> Reply:
        return await self.call("DELETE", path, body, **more)

    async def pod(self, name: str, **spec: Any) -> Reply:
        """Make a pod in `default`."""
        body = {"metadata": {"name": name}, "spec": {**POD["spec"], **spec}}
        return await self.post("/api/v1/namespaces/default/pods", body)


async def metrics(api: Server) -> list[str]:
    """The lines of /metrics."""
    answer = await api.raw("GET", "/metrics")
    assert isinstance(answer, Response)
    assert isinstance(answer.body, bytes)
    return answer.body.decode().splitlines()


@asynccontextmanager
async def server(tmp_path: Path, *arguments: str) -> AsyncIterator[Server]:
    """A server with RBAC, its clock standing still, and the account `default` of the namespace `default`."""
    tokens = tmp_path / "tokens.csv"
    tokens.write_text(TOKENS)
    options = parse([f"--token-auth-file={tokens}", "--authorization-mode=Node,RBAC", "--secure-port=1", *arguments])
    backend = await open_backend(options.storage)
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    try:
        async with open_scope("test") as scope, started(options, backend, scope, clock) as handler:
            made = Server(handler, clock)
            await made.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
            yield made
    finally:
        await backend.close()
