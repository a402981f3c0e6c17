"""A tiny API server whose failures a test can order: the client must live with all of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from pybernetes.client.config import Config
from pybernetes.client.rest import Client, connect

Tree = dict[str, Any]


class FakeServer:
    """Objects by URL path, one revision counter, and a log of events that watches read."""

    def __init__(self) -> None:
        self.objects: dict[str, Tree] = {}
        self.log: list[tuple[int, str, str, Tree]] = []
        self.revision = 1
        self.compacted = 0
        self.requests: list[web.Request] = []
        self.answers: list[tuple[int, Tree, dict[str, str]]] = []
        self.streams_initial_events = True
        self.url = ""
        self._changed = asyncio.Condition()
        self._connections: set[web.StreamResponse] = set()

    def fail_next(self, code: int, reason: str, headers: dict[str, str] | None = None) -> None:
        """Answer the next request with this failure."""
        status = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": f"{reason} ordered"}
        self.answers.append((code, status, headers or {}))

    async def put(self, path: str, obj: Tree) -> Tree:
        """Store an object as another client would."""
        known = self.objects.get(path)
        self.revision += 1
        uid = known["metadata"]["uid"] if known else f"uid-{self.revision}"
        meta = {"uid": uid, **obj.get("metadata", {}), "resourceVersion": str(self.revision)}
        meta.setdefault("name", path.rpartition("/")[2])
        if "/namespaces/" in path:
            meta.setdefault("namespace", path.split("/namespaces/")[1].split("/")[0])
        stored = self.objects[path] = {**obj, "metadata": meta}
        await self._append("MODIFIED" if known else "ADDED", path, stored)
        return stored

    async def remove(self, path: str) -> Tree:
        self.revision += 1
        gone = self.objects.pop(path)
        gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.revision)}}
        await self._append("DELETED", path, gone)
        return gone

    def compact(self) -> None:
        """Forget the past: watches from older revisions are answered with 410."""
        self.compacted = self.revision

    def drop_connections(self) -> None:
        """Cut every open watch in the middle."""
        for response in self._connections:
            transport = response._req.transport if response._req else None
            if transport is not None:
                transport.abort()  # type: ignore[attr-defined]

    async def _append(self, kind: str, path: str, obj: Tree) -> None:
        async with self._changed:
            self.log.append((self.revision, kind, path, obj))
            self._changed.notify_all()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.answers:
            code, status, headers = self.answers.pop(0)
            return web.json_response(status, status=code, headers=headers)
        body = await request.read()
        if request.method == "GET" and request.query.get("watch"):
            return await self._watch(request)
        return await getattr(self, f"_{request.method.lower()}")(request, json.loads(body) if body else {})

    async def _get(self, request: web.Request, _: Tree) -> web.Response:
        if request.path in self.objects:
            return web.json_response(self.objects[request.path])
        if request.path.rpartition("/")[2] in ("pods", "events", "leases"):
            items = list(self._below(request.path).values())
            start, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 0)) or len(items)
            token = str(start + limit) if start + limit < len(items) else ""
            meta = {"resourceVersion": str(self.revision), "continue": token}
            return web.json_response({"kind": "List", "metadata": meta, "items": items[start : start + limit] or None})
        return web.json_response({"kind": "Status", "code": 404, "reason": "NotFound", "message": "gone"}, status=404)

    async def _post(self, request: web.Request, body: Tree) -> web.Response:
        path = f"{request.path}/{body['metadata']['name']}"
        if path in self.objects:
            return web.json_response({"kind": "Status", "code": 409, "reason": "AlreadyExists"}, status=409)
        return web.json_response(await self.put(path, body), status=201)

    async def _put(self, request: web.Request, body: Tree) -> web.Response:
        given = body["metadata"].get("resourceVersion")
        if given and given != self.objects[request.path]["metadata"]["resourceVersion"]:
            return web.json_response({"kind": "Status", "code": 409, "reason": "Conflict"}, status=409)
        return web.json_response(await self.put(request.path, body))

    async def _patch(self, request: web.Request, body: Tree) -> web.Response:
        if request.path not in self.objects:
            return await self._get(request, body)
        return web.json_response(await self.put(request.path, {**self.objects[request.path], **body}))

    async def _delete(self, request: web.Request, _: Tree) -> web.Response:
        return web.json_response(await self.remove(request.path))

    def _below(self, collection: str) -> dict[str, Tree]:
        return {path: obj for path, obj in self.objects.items() if _is_in(path, collection)}

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        initial = request.query.get("sendInitialEvents") == "true"
        if initial and not self.streams_initial_events:
            return web.json_response({"kind": "Status", "code": 422, "reason": "Invalid"}, status=422)
        since = int(request.query.get("resourceVersion") or 0)
        if not initial and since < self.compacted:
            return web.json_response({"kind": "Status", "code": 410, "reason": "Expired"}, status=410)
        response = web.StreamResponse()
        await response.prepare(request)
        self._connections.add(response)
        try:
            if initial:
                since = self.revision
                await self._send_initial(request.path, response)
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: self.log and self.log[-1][0] > since)  # noqa: B023
                    batch = [entry for entry in self.log if entry[0] > since]
                    since = batch[-1][0]
                for _, kind, path, obj in batch:
                    if _is_in(path, request.path):
                        await response.write(_line(kind, obj))
        finally:
            self._connections.discard(response)

    async def _send_initial(self, collection: str, response: web.StreamResponse) -> None:
        for obj in self._below(collection).values():
            await response.write(_line("ADDED", obj))
        annotations = {"k8s.io/initial-events-end": "true"}
        bookmark = {"kind": "Pod", "metadata": {"resourceVersion": str(self.revision), "annotations": annotations}}
        await response.write(_line("BOOKMARK", bookmark))


def _line(kind: str, obj: Tree) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def _is_in(path: str, collection: str) -> bool:
    """Whether an object's path belongs to a collection, of one namespace or of all."""
    parent, plural = path.rpartition("/")[0], collection.rpartition("/")[2]
    return parent == collection or (
        "/namespaces/" not in collection
        and parent.endswith(f"/{plural}")
        and parent.startswith(collection.rpartition("/")[0])
    )


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    fake.drop_connections()
    await runner.cleanup()


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    async with connect(Config(servers=(server.url,)), user_agent="test") as client:
        yield client
