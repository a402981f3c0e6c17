"""Manifests: HEAD, GET, PUT, DELETE, by tag or digest."""

from __future__ import annotations

import asyncio

from aiohttp import web

from pybernetes.registry import names
from pybernetes.registry.describe import SIZE_LIMIT, describe
from pybernetes.registry.errors import RegistryError
from pybernetes.registry.service import is_trusted, repository, service
from pybernetes.registry.storage import Manifest, Storage, digest_of


async def get(request: web.Request) -> web.StreamResponse:
    """The document as it was pushed, under the media type that it was pushed with."""
    storage = service(request).storage
    reference = names.reference(request.match_info["reference"])
    digest, manifest = await asyncio.to_thread(storage.manifest, repository(request), reference)
    body = b"" if request.method == "HEAD" else await asyncio.to_thread(storage.path(digest).read_bytes)
    headers = {
        "Content-Type": manifest.media_type,
        "Content-Length": str(manifest.size),
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
    }
    return web.Response(body=body, headers=headers)


async def put(request: web.Request) -> web.StreamResponse:
    """A tagged image is an image of the cluster when this is answered."""
    name, reference = repository(request), names.reference(request.match_info["reference"])
    data = await _body(request)
    manifest = describe(data, request.headers.get("Content-Type", "").partition(";")[0].strip())
    storage, digest = service(request).storage, digest_of(data)
    if ":" in reference and reference != digest:
        raise RegistryError("DIGEST_INVALID", {"digest": reference, "content": digest})
    await asyncio.to_thread(_check_blobs, storage, name, manifest, is_trusted(request))
    await asyncio.to_thread(storage.put_manifest, name, data, manifest)
    if ":" not in reference:
        await asyncio.to_thread(storage.tag, name, reference, digest)
        await service(request).add_image(f"{name}:{reference}", digest)
    headers = {"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest}
    if manifest.subject:
        headers["OCI-Subject"] = manifest.subject
    return web.Response(status=201, headers=headers)


async def delete(request: web.Request) -> web.StreamResponse:
    """A tag goes alone; a digest with all its tags."""
    name, reference = repository(request), names.reference(request.match_info["reference"])
    storage = service(request).storage
    if ":" in reference:
        tags = await asyncio.to_thread(storage.remove_manifest, name, reference)
    else:
        await asyncio.to_thread(storage.untag, name, reference)
        tags = [reference]
    for tag in tags:
        await service(request).forget_image(f"{name}:{tag}")
    return web.Response(status=202)


async def _body(request: web.Request) -> bytes:
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > SIZE_LIMIT:
            raise RegistryError("SIZE_INVALID", f"a manifest has at most {SIZE_LIMIT} bytes")
    return bytes(data)


def _check_blobs(storage: Storage, name: str, manifest: Manifest, trusted: bool) -> None:
    """All that the manifest needs has to be in the repository. Raises RegistryError."""
    for digest in manifest.blobs:
        try:
            storage.blob(name, digest, trusted=trusted)
        except RegistryError as error:
            raise RegistryError("MANIFEST_BLOB_UNKNOWN", {"digest": digest}) from error
    for digest in manifest.children:
        try:
            storage.manifest(name, digest)
        except RegistryError as error:
            raise RegistryError("MANIFEST_BLOB_UNKNOWN", {"digest": digest}) from error
