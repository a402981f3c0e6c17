"""Images: list, inspect, history, tag, remove, prune."""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from pybernetes.cri import types as t
from pybernetes.cri.door import familiar
from pybernetes.cri.library import ImageRecord
from pybernetes.docker import filters, objects
from pybernetes.docker.errors import DockerError
from pybernetes.docker.service import flag, service
from pybernetes.wire.images.reference import InvalidReferenceError, parse

_FILTERS = frozenset({"before", "dangling", "label", "reference", "since", "until"})


async def list_images(request: web.Request) -> web.StreamResponse:
    wanted = filters.parse(request.query.get("filters", ""), _FILTERS)
    door = service(request).door
    used = Counter(container.image_id for container in await door.containers())
    records = [record for record in await door.library.image_records() if _fits(record, wanted)]
    if before := wanted.get("before"):
        limit = objects.created(await door.library.image_record(before[0]))
        records = [record for record in records if objects.created(record) < limit]
    if since := wanted.get("since"):
        limit = objects.created(await door.library.image_record(since[0]))
        records = [record for record in records if objects.created(record) > limit]
    records.sort(key=objects.created, reverse=True)
    return web.json_response([objects.summary(record, used[record.id]) for record in records])


def _fits(record: ImageRecord, wanted: filters.Filters) -> bool:
    labels = (objects.config_of(record).get("config") or {}).get("Labels") or {}
    if (dangling := wanted.get("dangling")) and filters.is_true(dangling) == bool(record.tags):
        return False
    names = [familiar(tag) for tag in record.tags]
    return filters.fits_reference(names, wanted.get("reference", [])) and filters.fits_labels(
        labels, wanted.get("label", [])
    )


async def inspect(request: web.Request) -> web.StreamResponse:
    return web.json_response(objects.inspected(await _record(request)))


async def history(request: web.Request) -> web.StreamResponse:
    return web.json_response(objects.history(await _record(request)))


async def tag(request: web.Request) -> web.StreamResponse:
    record = await _record(request)
    target = request.query.get("repo", "")
    if chosen := request.query.get("tag"):
        target = f"{target}:{chosen}"
    try:
        reference = parse(target)
    except InvalidReferenceError as error:
        raise DockerError(400, str(error)) from error
    if reference.digest:
        raise DockerError(400, "refusing to create a tag with a digest reference")
    await service(request).door.library.tag_image(record.id, target)
    return web.Response(status=201)


async def remove(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    removed = await service(request).door.remove(name, force=flag(request, "force"))
    answer = [{"Untagged": familiar(each)} for each in removed.untagged]
    return web.json_response([*answer, *([{"Deleted": removed.deleted}] if removed.deleted else [])])


async def prune(request: web.Request) -> web.StreamResponse:
    """Images without a name, or with `dangling=false` all, that no container stands on."""
    wanted = filters.parse(request.query.get("filters", ""), frozenset({"dangling", "label", "label!", "until"}))
    if unserved := sorted(set(wanted) - {"dangling"}):
        raise DockerError(501, f"pybernetes does not prune by '{unserved[0]}'")
    everything = not filters.is_true(wanted.get("dangling", ["true"]))
    door, deleted, freed = service(request).door, [], 0
    for record in await door.library.image_records():
        if (everything or not record.tags) and await door.user_of(record) is None:
            await door.library.remove_image(t.ImageSpec(image=record.id))
            deleted += [*({"Untagged": familiar(name)} for name in record.tags), {"Deleted": record.id}]
            freed += record.size
    return web.json_response({"ImagesDeleted": deleted, "SpaceReclaimed": freed})


async def _record(request: web.Request) -> ImageRecord:
    return await service(request).door.library.image_record(request.match_info["name"])
