"""The images of a machine and what stands on them, through clients of its runtimes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from msgspec import Struct

from pybernetes.aio.tasks import open_scope
from pybernetes.cri import types as t
from pybernetes.cri.errors import NotFoundError
from pybernetes.cri.library import ImageRecord
from pybernetes.cri.socket import Client
from pybernetes.wire.images.reference import InvalidReferenceError, parse

PATIENCE = 5.0
"""Seconds without an answer after which a runtime is asked whether it is there at all."""


class Removed(Struct, frozen=True):
    """What a removal did: names that were taken away, and the id of the image if it is gone."""

    untagged: list[str]
    deleted: str


class ImageInUseError(Exception):
    """The image has several names, or `container` stands on it; the text says so. `asked` is how it was asked for."""

    def __init__(self, text: str, asked: str, record: ImageRecord, container: t.Container | None = None) -> None:
        super().__init__(text)
        self.asked, self.record, self.container = asked, record, container


class Door:
    """Clients of the runtimes of a profile. `library` is the one to ask about images.

    `sockets` are asked for at each question about containers: nodes come and go.
    """

    def __init__(self, sockets: Callable[[], Iterable[Path]], client_of: Callable[[Path], Client]) -> None:
        self._sockets, self._client_of = sockets, client_of
        self._known: dict[Path, Client] = {}
        self.library = self._clients[0]

    @property
    def _clients(self) -> list[Client]:
        self._known = {path: self._known.get(path) or self._client_of(path) for path in self._sockets()}
        return list(self._known.values())

    async def containers(self) -> list[t.Container]:
        """Of all nodes."""
        return [container for client in self._clients for container in await client.list_containers()]

    async def remove(self, name: str, *, force: bool = False) -> Removed:
        """Take away the name; with its last name (or asked for by its id) the image goes.

        As docker: an image by its id with several names, or one that a container uses, needs `force`.
        Raises ImageNotFoundError, ImageInUseError.
        """
        record = await self.library.image_record(name)
        named = [full for full in _full(name) if full in record.tags or full in record.digests]
        if named and any(tag not in named for tag in record.tags):
            await self.library.untag_image(named[0])
            return Removed(named, "")
        if not named and len(record.tags) > 1 and not force:
            text = f"image {short(record.id)} has several names: {', '.join(record.tags)}"
            raise ImageInUseError(text, name, record)
        if not force and (container := await self.user_of(record)):
            text = f"image {short(record.id)} is used by {described(container)}"
            raise ImageInUseError(text, name, record, container)
        await self.library.remove_image(t.ImageSpec(image=record.id))
        return Removed([*record.tags, *record.digests], record.id)

    async def user_of(self, record: ImageRecord) -> t.Container | None:
        """A container that stands on the image, a running one if there is any."""
        refs = (record.id, *record.digests)
        found = [each for each in await self.containers() if each.image_id == record.id or each.image_ref in refs]
        found.sort(key=lambda each: each.state != t.ContainerState.CONTAINER_RUNNING)
        return found[0] if found else None

    async def container_status(self, container_id: str) -> t.ContainerStatus:
        """Of whichever node has it. Raises NotFoundError."""
        *others, last = self._clients
        for client in others:
            with suppress(NotFoundError):
                return await client.container_status(container_id)
        return await last.container_status(container_id)


def described(container: t.Container) -> str:
    """A container as a user knows it."""
    labels = container.labels
    pod = f"{labels.get('io.kubernetes.pod.namespace', '')}/{labels.get('io.kubernetes.pod.name', '')}"
    state = "running" if container.state == t.ContainerState.CONTAINER_RUNNING else "ended"
    return f"the {state} container {labels.get('io.kubernetes.container.name', container.id[:12])!r} of pod {pod}"


def short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]


def familiar(name: str) -> str:
    """A full name as users write it: without docker.io and library."""
    return name.removeprefix("docker.io/").removeprefix("library/") if name.startswith("docker.io/") else name


def _full(name: str) -> list[str]:
    try:
        return [str(parse(name))]
    except InvalidReferenceError:
        return []


@asynccontextmanager
async def open_door(sockets: Callable[[], Iterable[Path]]) -> AsyncIterator[Door]:
    """A door over the runtimes at these sockets, the one to ask about images first. One that hangs is not waited for."""
    async with open_scope("images") as scope:
        yield Door(sockets, lambda path: Client(path, scope, PATIENCE))
