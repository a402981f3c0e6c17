"""Uploads of blobs: in one request, in one stream, in chunks; or mounted from another repository."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from aiohttp import web

from pybernetes.registry import names
from pybernetes.registry.errors import RegistryError
from pybernetes.registry.service import is_trusted, repository, service
from pybernetes.registry.uploads import Upload

_RANGE = re.compile(r"(?:bytes[ =])?(\d+)-(\d+)(?:/(?:\d+|\*))?")
_READ = 1 << 20


async def begin(request: web.Request) -> web.StreamResponse:
    """POST: with `mount` perhaps done at once, with `digest` in this request, else the beginning of an upload."""
    name = repository(request)
    if mount := request.query.get("mount"):
        with suppress(RegistryError):
            return await _mount(request, name, names.digest(mount))
    digest = request.query.get("digest")
    if digest is not None:
        names.digest(digest)
    id, upload = service(request).uploads.begin()
    return _accepted(name, id, upload) if digest is None else await _take(request, name, id, upload, digest)


async def _mount(request: web.Request, name: str, digest: str) -> web.StreamResponse:
    storage, trusted = service(request).storage, is_trusted(request)
    source = request.query.get("from")
    await asyncio.to_thread(storage.blob, names.repository(source) if source else name, digest, trusted=trusted)
    await asyncio.to_thread(storage.add_blob, name, digest)
    return _created(name, digest)


async def state(request: web.Request) -> web.StreamResponse:
    """GET: how far the upload is."""
    name, id = repository(request), names.upload(request.match_info["upload"])
    upload = await service(request).uploads.find(id)
    return web.Response(status=204, headers=_progress(name, id, upload))


async def append(request: web.Request) -> web.StreamResponse:
    """PATCH: the next bytes; those of a chunk have to begin where the last ended."""
    name, id = repository(request), names.upload(request.match_info["upload"])
    upload = await service(request).uploads.find(id)
    async with upload.lock:
        await _append(request, name, id, upload)
    return _accepted(name, id, upload)


async def finish(request: web.Request) -> web.StreamResponse:
    """PUT: the last bytes, if there are any, and the digest of the whole."""
    name, id = repository(request), names.upload(request.match_info["upload"])
    digest = names.digest(request.query.get("digest", ""))
    return await _take(request, name, id, await service(request).uploads.find(id), digest)


async def cancel(request: web.Request) -> web.StreamResponse:
    repository(request)
    id = names.upload(request.match_info["upload"])
    await service(request).uploads.find(id)
    service(request).uploads.cancel(id)
    return web.Response(status=204)


async def _take(request: web.Request, name: str, id: str, upload: Upload, digest: str) -> web.StreamResponse:
    async with upload.lock:
        await _append(request, name, id, upload)
        await service(request).uploads.finish(id, upload, name, digest)
    return _created(name, digest)


async def _append(request: web.Request, name: str, id: str, upload: Upload) -> None:
    """What the request brings. Raises RegistryError, also for an upload that has ended before or meanwhile."""
    uploads = service(request).uploads
    uploads.check(id, upload)
    _check_range(request, name, id, upload)
    await upload.append(request.content.iter_chunked(_READ))
    uploads.check(id, upload)


def _check_range(request: web.Request, name: str, id: str, upload: Upload) -> None:
    """Raises RegistryError, whose answer says where to go on."""
    said = request.headers.get("Content-Range")
    if said is None:
        return
    found = _RANGE.fullmatch(said)
    length = request.content_length
    if found is None or int(found[1]) != upload.offset or (length and length != int(found[2]) - int(found[1]) + 1):
        raise RegistryError("RANGE_INVALID", {"range": said}, _progress(name, id, upload))


def _progress(name: str, id: str, upload: Upload) -> dict[str, str]:
    return {
        "Location": f"/v2/{name}/blobs/uploads/{id}",
        "Range": f"0-{max(0, upload.offset - 1)}",
        "Docker-Upload-UUID": id,
    }


def _accepted(name: str, id: str, upload: Upload) -> web.StreamResponse:
    return web.Response(status=202, headers=_progress(name, id, upload))


def _created(name: str, digest: str) -> web.StreamResponse:
    headers = {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest}
    return web.Response(status=201, headers=headers)
