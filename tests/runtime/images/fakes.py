"""A registry whose every answer a test decides, for what a well-behaved one never does."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from tests.images import Image, digest_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Answer every request with the handler; yields host and port."""
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class FakeRegistry:
    """Serves one image under any name; a subclass or a test spoils it."""

    def __init__(self, image: Image) -> None:
        self.manifest = image.manifest
        self.blobs = {digest_of(blob): blob for blob in (image.config, *(layer.blob for layer in image.layers))}
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, dict(request.headers)))
        return await self.answer(request)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        last = request.path.rpartition("/")[2]
        if "/manifests/" in request.path:
            digest = {"Docker-Content-Digest": digest_of(self.manifest)}
            return web.Response(body=self.manifest, headers=digest)
        if last in self.blobs:
            return await self.blob(request, self.blobs[last])
        return web.Response(status=404)

    async def blob(self, request: web.Request, data: bytes) -> web.StreamResponse:
        return web.Response(body=data)
