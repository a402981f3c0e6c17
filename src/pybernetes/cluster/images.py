"""The images of a cluster on this machine, through the sockets of its runtimes.

The nodes of a machine share one store of images, so that any runtime's socket will do to load, tag or pull; containers
are asked for of each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pybernetes.aio.tasks import open_scope
from pybernetes.cluster.profile import Profile
from pybernetes.cri import types as t
from pybernetes.cri.library import ImageRecord
from pybernetes.cri.socket import Client
from pybernetes.wire.images.reference import InvalidReferenceError, parse


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal did: names that were taken away, and the id of the image if it is gone."""

    untagged: list[str]
    deleted: str


class ImageInUseError(Exception):
    """A container stands on the image; the text names it."""


def sockets(profile: Profile) -> list[Path]:
    """Of the runtimes of the profile's nodes, the first node's first."""
    return [profile.run / f"{node.named('runtime')}.sock" for node in profile.nodes if not node.stopped]


class Door:
    """Clients of the runtimes of a profile. `library` is the one to ask about images."""

    def __init__(self, clients: list[Client]) -> None:
        self.library = clients[0]
        self._clients = clients

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
        if named and (others := [tag for tag in record.tags if tag not in named]):
            await self.library.untag_image(named[0])
            return Removed(named[:1], "") if others else Removed(named, "")
        if not named and len(record.tags) > 1 and not force:
            raise ImageInUseError(f"image {short(record.id)} has several names: {', '.join(record.tags)}")
        if not force:
            await self._refuse_used(record)
        await self.library.remove_image(t.ImageSpec(image=record.id))
        return Removed([*record.tags, *record.digests], record.id)

    async def _refuse_used(self, record: ImageRecord) -> None:
        for container in await self.containers():
            if container.image_id == record.id or container.image_ref in (record.id, *record.digests):
                raise ImageInUseError(f"image {short(record.id)} is used by {described(container)}")


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
async def open_door(profile: Profile) -> AsyncIterator[Door]:
    """Raises UnavailableError at the first call if the runtime does not answer."""
    async with open_scope("images") as scope:
        yield Door([Client(path, scope) for path in sockets(profile)])
