"""Images that come and go: pull, push, load, save."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from pybernetes.aio.tasks import open_scope
from pybernetes.aio.threads import Worker
from pybernetes.cri.door import familiar, short
from pybernetes.cri.errors import ImageNotFoundError
from pybernetes.cri.library import ImageRecord
from pybernetes.docker import auth, platforms
from pybernetes.docker.errors import DockerError
from pybernetes.docker.service import service
from pybernetes.docker.stream import Messages, streamed
from pybernetes.wire.images.reference import InvalidReferenceError, Reference, parse

_READ = 1 << 20


async def pull(request: web.Request) -> web.StreamResponse:
    """POST /images/create: by tag or digest. Without a tag all of a repository are meant, which is refused."""
    if request.query.get("fromSrc"):
        raise DockerError(501, "pybernetes does not import tarballs as images: build FROM scratch with ADD instead")
    reference = _named(request.query.get("fromImage", ""), request.query.get("tag", ""))
    platforms.check(request.query.get("platform", ""))
    credential = auth.decode(request.headers.get("X-Registry-Auth", ""))
    library = service(request).door.library

    async def work(messages: Messages) -> None:
        await messages.send(status=f"Pulling from {reference.path}", id=reference.object)
        before = await _id_of(request, str(reference))
        result = ""
        try:
            async for step in library.fetch_image(str(reference), credential):
                if step.result:
                    result = step.result
                else:
                    await messages.step(step, "Downloading", "Pull complete")
        except ImageNotFoundError as error:
            unknown = f"manifest for {familiar(str(reference))} not found: manifest unknown: manifest unknown"
            raise DockerError(404, unknown) from error
        record = await library.image_record(result)
        for digest in record.digests:
            if digest.startswith(f"{reference.repository}@"):
                await messages.send(status=f"Digest: {digest.rpartition('@')[2]}")
        news = "Image is up to date for" if before == result else "Downloaded newer image for"
        await messages.send(status=f"Status: {news} {familiar(str(reference))}")

    return await streamed(request, work)


async def push(request: web.Request) -> web.StreamResponse:
    """Without a tag all tags of the repository are pushed."""
    name, chosen = request.match_info["name"], request.query.get("tag", "")
    reference = _named(name, chosen)
    credential = auth.decode(request.headers.get("X-Registry-Auth", ""))
    library = service(request).door.library

    async def work(messages: Messages) -> None:
        await messages.send(status=f"The push refers to repository [{reference.repository}]")
        for each in [str(reference)] if chosen else await _tags_of(request, reference):
            await push_one(each, messages)

    async def push_one(full: str, messages: Messages) -> None:
        record = await _found(request, full)
        for layer in record.layers:
            await messages.send(status="Preparing", progressDetail={}, id=short(layer))
        async for step in library.push_image(full, credential):
            if step.digest in record.layers:
                await messages.step(step, "Pushing", "Pushed")
        tag = full.rpartition(":")[2]
        await messages.send(status=f"{tag}: digest: {record.manifest} size: {record.manifest_size}")
        about = {"Tag": tag, "Digest": record.manifest, "Size": record.manifest_size}
        await messages.send(progressDetail={}, aux=about)

    return await streamed(request, work)


async def load(request: web.Request) -> web.StreamResponse:
    """The archive goes through a pipe: nothing of it is kept here."""

    async def work(messages: Messages) -> None:
        async with _piped_in(request) as path:
            names = await service(request).door.library.load_images(path)
        for name in names:
            kind = " ID" if name.startswith("sha256:") else ""
            await messages.text(f"Loaded image{kind}: {familiar(name)}\n")

    return await streamed(request, work)


async def save(request: web.Request) -> web.StreamResponse:
    """GET /images/get?names=… and /images/NAME/get."""
    one = request.match_info.get("name")
    names = [one] if one else request.query.getall("names", [])
    library = service(request).door.library
    for name in names:
        await library.image_record(name)
    reader, writer = os.pipe()
    response = web.StreamResponse(headers={"Content-Type": "application/x-tar"})
    await response.prepare(request)

    async def fill() -> None:
        try:
            await library.save_images(names, f"/proc/{os.getpid()}/fd/{writer}")
        finally:
            os.close(writer)

    try:
        async with open_scope("docker save") as scope:
            filling = scope.spawn(fill(), "fill")
            # The runtime has its own end of the pipe; ours is closed when it has written, so that reading ends.
            while chunk := await asyncio.to_thread(os.read, reader, _READ):
                await response.write(chunk)
            await filling
    finally:
        os.close(reader)
    await response.write_eof()
    return response


@asynccontextmanager
async def _piped_in(request: web.Request) -> AsyncIterator[str]:
    """A path at which the body can be read while it arrives."""
    reader, writer = os.pipe()
    worker = Worker("docker load")

    async def feed() -> None:
        try:
            async for chunk in request.content.iter_chunked(_READ):
                await worker.run(_write_all, writer, chunk)
        finally:
            # On the same thread: no write can be under way, and none comes after.
            await worker.run(os.close, writer)

    try:
        async with open_scope("docker load") as scope:
            scope.spawn(feed(), "feed")
            try:
                yield f"/proc/{os.getpid()}/fd/{reader}"
            finally:
                os.close(reader)  # a write that waits is told that nobody reads any more
    finally:
        await worker.close()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    with suppress(BrokenPipeError):  # who reads has had enough, and says why
        while view:
            view = view[os.write(descriptor, view) :]


def _named(name: str, tag: str) -> Reference:
    """The reference; `tag` may be a digest. Raises DockerError."""
    if tag:
        name = f"{name}@{tag}" if tag.startswith("sha256:") else f"{name}:{tag}"
    try:
        return parse(name)
    except InvalidReferenceError as error:
        raise DockerError(400, str(error)) from error


async def _id_of(request: web.Request, name: str) -> str:
    try:
        return (await service(request).door.library.image_record(name)).id
    except ImageNotFoundError:
        return ""


async def _found(request: web.Request, full: str) -> ImageRecord:
    """The image to push. Raises DockerError in the words of `docker push`."""
    try:
        return await service(request).door.library.image_record(full)
    except ImageNotFoundError as error:
        name = familiar(full.rpartition(":")[0])
        raise DockerError(404, f"An image does not exist locally with the tag: {name}") from error


async def _tags_of(request: web.Request, reference: Reference) -> list[str]:
    records = await service(request).door.library.image_records()
    found = [tag for record in records for tag in record.tags if tag.rpartition(":")[0] == reference.repository]
    if not found:
        name = familiar(reference.repository)
        raise DockerError(404, f"An image does not exist locally with the tag: {name}")
    return found
