"""Blobs: HEAD, GET (also a range), DELETE."""

import asyncio

from aiohttp import web

from pybernetes.registry import names
from pybernetes.registry.service import is_trusted, repository, service


async def get(request: web.Request) -> web.StreamResponse:
    digest = names.digest(request.match_info["digest"])
    storage, name = service(request).storage, repository(request)
    path = await asyncio.to_thread(storage.blob, name, digest, trusted=is_trusted(request))
    headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
    return web.FileResponse(path, chunk_size=1 << 20, headers=headers)


async def delete(request: web.Request) -> web.StreamResponse:
    digest = names.digest(request.match_info["digest"])
    await asyncio.to_thread(service(request).storage.remove_blob, repository(request), digest)
    return web.Response(status=202)
