"""POST /build: docker's classic builder, over the project's own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from pybernetes.aio.tasks import open_scope
from pybernetes.aio.threads import finish
from pybernetes.builder.build import build as build_image
from pybernetes.builder.errors import BuildError
from pybernetes.builder.progress import Event, StepDone, StepFailed, StepOutput, StepsCounted, StepStarted, Warned
from pybernetes.builder.request import BuildRequest
from pybernetes.cri.door import familiar, short
from pybernetes.docker import auth, platforms
from pybernetes.docker.errors import DockerError
from pybernetes.docker.handlers.refused import buildkit
from pybernetes.docker.service import flag, service
from pybernetes.docker.stream import Messages, streamed
from pybernetes.runtime.snapshots import files
from pybernetes.runtime.snapshots.unpack import LayerError, unpack
from pybernetes.wire.images.reference import InvalidReferenceError, parse

_READ = 1 << 20
LIMITS = (
    "cgroupparent",
    "cpuperiod",
    "cpuquota",
    "cpusetcpus",
    "cpusetmems",
    "cpushares",
    "memory",
    "memswap",
    "shmsize",
    "ulimits",
)
_NUMBERED = re.compile(r"\[(\d+)/(\d+)\] (.*)", re.DOTALL)


async def prune(request: web.Request) -> web.StreamResponse:
    """`docker builder prune`: all that builds have left. It cannot be told what each step took."""
    freed = await service(request).door.library.forget_builds()
    return web.json_response({"CachesDeleted": None, "SpaceReclaimed": freed})


async def build(request: web.Request) -> web.StreamResponse:
    """The body is the context, a tar; the answer tells each step, then the image's id, or the error."""
    if request.query.get("version") == "2":
        return await buildkit(request)
    if remote := request.query.get("remote"):
        raise DockerError(501, f"pybernetes fetches no context from {remote}; clone it and build the directory")
    wanted = _wanted(request)

    async def work(messages: Messages) -> None:
        for name in _without_effect(request):
            await messages.text(f"[Warning] {name} has no effect: pybernetes does not limit builds\n")
        async with _context(request) as context:
            await _build(request, replace(wanted, context=str(context)), messages)

    return await streamed(request, work)


def _wanted(request: web.Request) -> BuildRequest:
    """What the query and the headers say of it. Raises DockerError."""
    query = request.query
    platforms.check(query.get("platform", ""))
    tags = [tag for tag in query.getall("t", []) if tag]
    for tag in tags:
        try:
            parse(tag)
        except InvalidReferenceError as error:
            raise DockerError(400, f'invalid argument "{tag}" for "-t, --tag" flag: {error}') from error
    return BuildRequest(
        dockerfile=query.get("dockerfile") or "Dockerfile",
        tags=tags,
        build_args=_pairs(query.get("buildargs", "")),
        target=query.get("target", ""),
        labels={key: value or "" for key, value in _pairs(query.get("labels", "")).items()},
        network=_network(query.get("networkmode", "")),
        hosts=[host.replace("=", ":", 1) for host in query.getall("extrahosts", [])],
        no_cache=flag(request, "nocache"),
        pull=flag(request, "pull"),
        auth=auth.for_build(request.headers.get("X-Registry-Config", "")),
    )


def _pairs(text: str) -> Mapping[str, str | None]:
    try:
        found = json.loads(text or "{}") or {}
        return {str(key): None if value is None else str(value) for key, value in found.items()}
    except (ValueError, AttributeError) as error:
        raise DockerError(400, f"error reading build args: {error}") from error


def _network(mode: str) -> str:
    """The network of pods is docker's bridge here."""
    return "default" if mode in ("", "default", "bridge") else mode


def _without_effect(request: web.Request) -> list[str]:
    """What is asked for and not done: it changes how a build goes, and not what comes of it."""
    return sorted(name for name in LIMITS if request.query.get(name, "") not in ("", "0", "null", "[]"))


@asynccontextmanager
async def _context(request: web.Request) -> AsyncIterator[Path]:
    """The body, unpacked; gone with the block. Raises DockerError."""
    scratch = service(request).scratch
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="context-", dir=scratch))
    try:
        archive, root = place / "archive", place / "root"
        root.mkdir()
        with archive.open("xb") as file:
            async for chunk in request.content.iter_chunked(_READ):
                await finish(asyncio.to_thread(file.write, chunk))
        await finish(asyncio.to_thread(_unpack, archive, root))
        yield root
    finally:
        await asyncio.to_thread(files.sweep_tree, place)


def _unpack(archive: Path, root: Path) -> None:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with archive.open("rb") as file:
            unpack(file.fileno(), descriptor)
    except LayerError as error:
        raise DockerError(400, f"build context is no archive: {error}") from error
    finally:
        os.close(descriptor)
    archive.unlink()


async def _build(request: web.Request, wanted: BuildRequest, messages: Messages) -> None:
    """Build, and tell the events in order while it goes on; a client that goes away ends it."""
    quiet = flag(request, "q")
    events: asyncio.Queue[Event | None] = asyncio.Queue()

    async def run() -> str | BuildError:
        try:
            built = await build_image(wanted, service(request).door.library, events.put_nowait)
            return built.id
        except BuildError as error:
            return error
        finally:
            events.put_nowait(None)

    async with open_scope("docker build") as scope:
        building = scope.spawn(run(), "build")
        while (event := await events.get()) is not None:
            for text in () if quiet else told(event):
                await messages.text(text)
        result = await building
    if isinstance(result, BuildError):
        await messages.error(str(result), code=1)
        return
    if quiet:
        await messages.text(f"{result}\n")
        return
    await messages.send(aux={"ID": result})
    await messages.text(f"Successfully built {short(result)}\n")
    for tag in wanted.tags:
        await messages.text(f"Successfully tagged {familiar(str(parse(tag)))}\n")


def told(event: Event) -> list[str]:
    """What the classic builder's client shows of an event."""
    match event:
        case StepStarted(name=name):
            numbered = _NUMBERED.fullmatch(name)
            return [f"Step {numbered[1]}/{numbered[2]} : {numbered[3]}\n" if numbered else f"{name}\n"]
        case StepOutput(data=data):
            return [data.decode(errors="replace")]
        case StepDone(cached=True):
            return [" ---> Using cache\n"]
        case Warned(message=message):
            return [f"[Warning] {message}\n"]
        case StepsCounted() | StepFailed() | StepDone():
            return []
