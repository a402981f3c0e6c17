"""The containers of the cluster's pods, to look at."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from pybernetes.cri import types as t
from pybernetes.cri.errors import NotFoundError
from pybernetes.docker import filters, objects
from pybernetes.docker.errors import DockerError
from pybernetes.docker.service import flag, service

_FILTERS = frozenset({"ancestor", "id", "label", "name", "status"})


async def list_containers(request: web.Request) -> web.StreamResponse:
    wanted = filters.parse(request.query.get("filters", ""), _FILTERS)
    everything = flag(request, "all") or "status" in wanted
    found = [row for row in await rows(request) if (everything or row["State"] == "running") and _fits(row, wanted)]
    try:
        limit = int(request.query.get("limit") or 0)
    except ValueError as error:
        raise DockerError(400, f"invalid limit: {error}") from error
    return web.json_response(found[:limit] if limit > 0 else found)


async def rows(request: web.Request) -> list[objects.Json]:
    """All containers as `docker ps` has them, the newest first; one that ends to exist meanwhile is none."""
    door, now = service(request).door, service(request).now()
    names = {record.id: record.tags[0] for record in await door.library.image_records() if record.tags}
    found = []
    for container in await door.containers():
        with suppress(NotFoundError):
            found.append(objects.listed_container(await door.container_status(container.id), names, now))
    return sorted(found, key=lambda row: -int(row["Created"]))


def _fits(row: objects.Json, wanted: filters.Filters) -> bool:
    return (
        all(any(text in row["Names"][0] for text in wanted[key]) for key in ("name",) if key in wanted)
        and all(any(row["Id"].startswith(text) for text in wanted[key]) for key in ("id",) if key in wanted)
        and ("status" not in wanted or row["State"] in wanted["status"])
        and ("ancestor" not in wanted or filters.fits_reference([row["Image"]], wanted["ancestor"]))
        and filters.fits_labels(row["Labels"], wanted.get("label", []))
    )


async def inspect(request: web.Request) -> web.StreamResponse:
    container = await find(request, request.match_info["id"])
    return web.json_response(objects.inspected_container(await service(request).door.container_status(container.id)))


async def find(request: web.Request, name: str) -> t.Container:
    """By id, the beginning of one, or the name that `docker ps` shows. Raises DockerError."""
    for container in await service(request).door.containers():
        attempt = container.metadata.attempt if container.metadata else 0
        if container.id.startswith(name) or objects.container_name(container.labels, attempt) == f"/{name.lstrip('/')}":
            return container
    raise DockerError(404, f"No such container: {name}")
