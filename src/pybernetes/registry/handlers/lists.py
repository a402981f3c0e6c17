"""Lists: the tags of a repository, the repositories, what refers to a manifest."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from urllib.parse import quote

import msgspec
from aiohttp import web

from pybernetes.registry import names
from pybernetes.registry.errors import RegistryError
from pybernetes.registry.service import repository, service
from pybernetes.wire.images.documents import OCI_INDEX

_CATALOG_LIMIT = 1000


async def tags(request: web.Request) -> web.StreamResponse:
    name = repository(request)
    found = await asyncio.to_thread(service(request).storage.tags, name)
    page, headers = _page(request, found, len(found))
    return web.json_response({"name": name, "tags": page}, headers=headers)


async def catalog(request: web.Request) -> web.StreamResponse:
    found = await asyncio.to_thread(service(request).storage.repositories)
    page, headers = _page(request, found, _CATALOG_LIMIT)
    return web.json_response({"repositories": page}, headers=headers)


async def referrers(request: web.Request) -> web.StreamResponse:
    """An index of the manifests whose subject is the digest; an empty one if nothing is known of it."""
    name, digest = repository(request), names.digest(request.match_info["digest"])
    wanted = request.query.get("artifactType") or None
    known = await asyncio.to_thread(lambda: list(service(request).storage.manifests(name)))
    entries = [
        {
            "mediaType": manifest.media_type,
            "digest": own,
            "size": manifest.size,
            **({"artifactType": manifest.artifact_type} if manifest.artifact_type else {}),
            **({"annotations": manifest.annotations} if manifest.annotations else {}),
        }
        for own, manifest in known
        if manifest.subject == digest and wanted in (None, manifest.artifact_type)
    ]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    headers = {"OCI-Filters-Applied": "artifactType"} if wanted else {}
    return web.Response(body=msgspec.json.encode(index), content_type=OCI_INDEX, headers=headers)


def _page(request: web.Request, found: list[str], limit: int) -> tuple[list[str], dict[str, str]]:
    """At most `n` names after `last`, and the way to the next ones. Raises RegistryError."""
    said = request.query.get("n")
    try:
        count = limit if said is None else int(said)
    except ValueError:
        count = -1
    if count < 0:
        raise RegistryError("PAGINATION_NUMBER_INVALID", {"n": said})
    begin = bisect_right(found, request.query.get("last", ""))
    page = found[begin : begin + count]
    if not page or begin + count >= len(found):
        return page, {}
    return page, {"Link": f'<{request.path}?n={count}&last={quote(page[-1])}>; rel="next"'}
