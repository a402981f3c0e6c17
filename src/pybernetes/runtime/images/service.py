"""CRI's ImageService over the content store, with what the runtime, the command line and the builder need besides.

A name that was given on this machine (loaded, built, tagged) counts as present at its registry: `pull_image` of it
returns that image and asks nobody, so that `imagePullPolicy: Always` finds an image that was never pushed, no outage
delays it, and no stranger's image of the same name replaces it. It ends when the name is removed, when the image is
pushed (from then on the registry has it), or when somebody pulls the name explicitly (`pull` with `force`).
"""

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import BinaryIO

import msgspec

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import Scope
from pybernetes.aio.threads import Worker
from pybernetes.cri import types as t
from pybernetes.cri.building import BaseImage, NewImage
from pybernetes.cri.errors import ImageNotFoundError, InvalidError
from pybernetes.cri.library import ImageRecord
from pybernetes.runtime.images import config
from pybernetes.runtime.images.archive.load import Loader
from pybernetes.runtime.images.archive.save import Saved, save_archive
from pybernetes.runtime.images.assemble import Assembler, ExtractError
from pybernetes.runtime.images.config import ImageConfig
from pybernetes.runtime.images.content import Content
from pybernetes.runtime.images.errors import parse_name, translated_archive, translated_pull, translated_push
from pybernetes.runtime.images.flight import Flights, Progress
from pybernetes.runtime.images.index import Record
from pybernetes.runtime.images.library import Library
from pybernetes.runtime.images.pull import Puller
from pybernetes.runtime.images.push import Pusher
from pybernetes.runtime.images.registry.credentials import Credential, from_auth_config, from_docker_config
from pybernetes.runtime.images.registry.http import Http
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.results import Results
from pybernetes.runtime.images.views import as_cri, described
from pybernetes.runtime.images.workshop import Workshop
from pybernetes.runtime.snapshots.layers import Layers
from pybernetes.runtime.snapshots.service import Snapshots
from pybernetes.wire.images.documents import Descriptor
from pybernetes.wire.images.reference import Reference, is_digest

log = logging.getLogger(__name__)

_THREADS = 4


class Images:
    """The image service. `start` before use, `close` after; the state below `root` is its alone."""

    def __init__(self, root: Path, registry: RegistryOptions | None = None, clock: Clock | None = None) -> None:
        self._root = root
        self._clock = clock or SystemClock()
        self._options = options = registry or RegistryOptions()
        self._worker = worker = Worker("images", _THREADS)
        self._mounts = Worker("snapshots", _THREADS)
        # A pipe that nobody fills or empties holds up its archive, and no pull.
        self._archives = Worker("archives", _THREADS)
        self._scope = Scope("images")
        self.http = Http(options.ca_file)
        self._content = content = Content(root)
        self._layers = Layers(root / "snapshots")
        self._results = Results(root / "results")
        self._library = Library(root, content, worker, self._results)
        self._assembler = assembler = Assembler(content, self._layers, worker)
        self._puller = Puller(content, assembler, worker, self.http, options, self._clock)
        self._pusher = Pusher(content, worker, self.http, options)
        self._loader = Loader(content, assembler, self._archives, self._layers.staging)
        self._flights = Flights(self._scope)
        self._configs: dict[str, ImageConfig] = {}
        self.users: list[Callable[[], Collection[str]]] = []
        self.snapshots = Snapshots(root / "snapshots", self._layers, self._chain, self._mounts)
        self.workshop = Workshop(content, self._layers, self._library, self._results, self.snapshots)

    async def start(self) -> None:
        """Load the index, sweep what a kill left, and unpack again what a loss of power took."""
        await self._worker.run(self._open)
        for record in self._library.records:
            if not self._layers.has(record.chain):
                await self._restore(record)
        await self._library.sweep(self.snapshots)
        self._scope.spawn(self._worker.run(self._layers.sync), "sync")

    async def close(self) -> None:
        """End pulls and release threads and connections; images and mounts stay."""
        await self._scope.close()
        await self.http.close()
        await self._worker.close()
        await self._mounts.close()
        await self._archives.close()
        await self.workshop.close()

    # cri.service.ImageService

    async def list_images(self, filter: t.ImageFilter | None = None) -> list[t.Image]:
        """All images, or the one that the filter names. Pinned, which no kubelet collects, are those in use (no node
        knows what others run) and those whose names were given on this machine: no registry may have them.
        """
        if filter is not None and filter.image is not None and filter.image.image:
            image = await self.image_status(filter.image)
            return [image] if image else []
        used = {image_id for used_by in self.users for image_id in used_by()}
        images = [as_cri(record, self.config(record.id)) for record in self._library.records]
        given = {record.id for record in self._library.records if record.local}
        return [msgspec.structs.replace(image, pinned=image.id in used | given) for image in images]

    async def image_status(self, image: t.ImageSpec) -> t.Image | None:
        """By tag, repo digest or id. None if it is not here."""
        record = self._library.find(image.image)
        return as_cri(record, self.config(record.id)) if record else None

    async def pull_image(
        self, image: t.ImageSpec, auth: t.AuthConfig | None = None, sandbox_config: t.PodSandboxConfig | None = None
    ) -> str:
        """As `pull`, without `force`: a name that was given on this machine stands for what it was given to."""
        return await self.pull(image.image, auth)

    async def remove_image(self, image: t.ImageSpec) -> None:
        """Remove the image with all its names; containers that use it keep their layers."""
        if record := self._library.find(image.image):
            await self._library.remove(record.id)
            self._configs.pop(record.id, None)
            await self._library.collect(self.snapshots)

    async def image_fs_info(self) -> t.ImageFsInfoResponse:
        """What blobs and unpacked layers take; writable layers are on the same file system."""
        return await self._worker.run(self._fs_info)

    # What the runtime asks

    def resolve(self, name: str) -> str:
        """The id of the image that a tag, repo digest or id stands for. Raises ImageNotFoundError."""
        return self._find(name).id

    def config(self, image_id: str) -> ImageConfig:
        """How the image wants to be run. Raises ImageNotFoundError."""
        known = self._configs.get(image_id)
        if known is None:
            known = self._configs[image_id] = config.decode(self._content.read(self._find(image_id).id))
        return known

    def image_ref(self, image_id: str) -> str:
        """What a container's status names: a repo digest, or the id of an image that no registry has."""
        record = self._find(image_id)
        return record.digests[0] if record.digests else record.id

    # What the command line and the builder ask

    async def pull(
        self, name: str, auth: t.AuthConfig | None = None, *, progress: Progress | None = None, force: bool = False
    ) -> str:
        """Pull by tag or digest and return the image's id; the same pull by several callers is done once.

        With `force` the registry decides even about a name that was given on this machine.
        Raises InvalidError, ImageNotFoundError, PullError.
        """
        reference = parse_name(name)
        record = self._library.find(str(reference))
        if record and not force and str(reference) in record.local:
            return record.id
        with translated_pull(reference):
            credential = await self._credential(reference, auth)
            return await self._flights.join(
                (reference, credential), lambda report: self._pull(reference, credential, report), progress
            )

    async def load(self, source: BinaryIO | Path, *, name: str = "") -> list[str]:
        """Load an OCI layout (directory or tar) or a `docker save` archive, compressed or not.

        Returns the names that were given, or the id of an image without one; `name` replaces the archive's own.
        Raises InvalidError.
        """
        chosen = (parse_name(name),) if name else ()
        loaded: list[str] = []
        async with self._library.adding(self.snapshots):
            with translated_archive("archive"):
                found = await self._loader.load(source)
            for record, names in found:
                for reference in chosen or names or (None,):
                    await self._library.add(record, reference, local=True)
                    loaded.append(str(reference or record.id))
        self._scope.spawn(self._worker.run(self._layers.sync), "sync")
        return loaded

    async def adopt(self, name: str, manifest: str, blobs: Path) -> str:
        """Make a manifest of directory `blobs` an image of this machine; see `cri.library`. Raises InvalidError."""
        reference = parse_name(name)
        if not is_digest(manifest):
            raise InvalidError(f"{manifest!r} is no digest")

        async def fetch(descriptor: Descriptor) -> None:
            await self._worker.run(self._content.link, blobs, descriptor.digest)

        async with self._library.adding(self.snapshots):
            with translated_archive("image"):
                await self._worker.run(self._content.link, blobs, manifest)
                record = await self._assembler.assemble(manifest, fetch)
            record = await self._library.add(record, reference, local=True)
        self._scope.spawn(self._worker.run(self._layers.sync), "sync")
        return record.id

    async def save(self, names: list[str], target: BinaryIO) -> None:
        """Write the images to a tar that every engine can load. Raises ImageNotFoundError, OSError."""
        images = [Saved(record, _names_for(name, record)) for name in names for record in (self._find(name),)]
        await self._archives.finish(save_archive, self._content, images, target)

    async def base(self, name: str, auth: t.AuthConfig | None = None, *, force: bool = False) -> BaseImage:
        """An image to build on: the one that is here, pulled if there is none; with `force` asked for in any case.

        Raises as `pull` does.
        """
        if force or self._library.find(name) is None:
            await self.pull(name, auth)
        return await self.workshop.describe(self._find(name))

    async def store(self, image: NewImage) -> str:
        """Keep a built image, under its names if it has any; returns its id. Raises InvalidError."""
        names = [parse_name(name) for name in image.names]
        async with self._library.adding(self.snapshots):
            with translated_archive("image"):
                manifest = await self.workshop.write_manifest(image.config, image.filesystem)
                record = await self._assembler.assemble(manifest, self._loader.require)
            for reference in names or (None,):
                await self._library.add(record, reference, local=True)
        self._scope.spawn(self._worker.run(self._layers.sync), "sync")
        return record.id

    async def forget_results(self) -> int:
        """Forget what builds have come to, and collect what only that has kept; returns the bytes that came free."""
        before = await self._worker.run(self._stored)
        await self._library.forget_results(self.snapshots)
        return max(0, before - await self._worker.run(self._stored))

    def _stored(self) -> int:
        return self._content.total()[0] + self._layers.total()[0]

    async def push(self, name: str, auth: t.AuthConfig | None = None, *, progress: Progress | None = None) -> str:
        """Upload the image to the registry of its name; returns the digest there.

        Raises ImageNotFoundError, InvalidError, PullError.
        """
        reference, record = parse_name(name), self._find(name)
        with translated_push(reference):
            credential = await self._credential(reference, auth)
            digest = await self._pusher.push(record, reference, credential, progress)
        await self._library.name(record.id, reference, local=False)
        return digest

    async def records(self) -> list[ImageRecord]:
        """Every image with its config and names."""
        found = [await self._described(record) for record in self._library.records]
        return [record for record in found if record is not None]

    async def record(self, name: str) -> ImageRecord:
        """The one that a name stands for. Raises ImageNotFoundError."""
        if found := await self._described(self._find(name)):
            return found
        raise ImageNotFoundError(f'image "{name}": not found')

    async def tag(self, source: str, target: str) -> None:
        """Give an image one more name, on this machine. Raises ImageNotFoundError, InvalidError."""
        if await self._library.name(self._find(source).id, parse_name(target), local=True) is None:
            raise ImageNotFoundError(f'image "{source}": not found')

    async def untag(self, name: str) -> None:
        """Take a name away; the image stays, by its id. Raises InvalidError."""
        await self._library.untag(parse_name(name))

    # Within

    def _open(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._content.start()
        self._layers.start()
        self._results.start()
        self._library.load()

    async def _restore(self, record: Record) -> None:
        try:
            await self._assembler.assemble(record.manifest, self._loader.require)
        except (ValueError, OSError, ExtractError) as error:
            log.warning("image dropped: its content is damaged image=%s error=%r", record.id, str(error))
            await self._library.remove(record.id)

    async def _pull(self, reference: Reference, credential: Credential | None, progress: Progress) -> str:
        async with self._library.adding(self.snapshots):
            resolved = await self._puller.resolve(reference, credential)
            record = self._library.find_target(reference.repository, resolved.digest)
            if record is None or not self._layers.has(record.chain):
                record = await self._puller.pull(resolved, progress)
            record = await self._library.add(record, reference, local=False)
        self._scope.spawn(self._worker.run(self._layers.sync), "sync")
        return record.id

    async def _credential(self, reference: Reference, auth: t.AuthConfig | None) -> Credential | None:
        path = self._options.credentials
        if (given := from_auth_config(auth)) or path is None:
            return given
        return await self._worker.run(from_docker_config, path, reference.domain, reference.path)

    async def _described(self, record: Record) -> ImageRecord | None:
        """None if the image has been removed meanwhile."""
        try:
            return await self._worker.run(described, record, self._content)
        except FileNotFoundError:
            if self._library.find(record.id) is not None:
                raise
            return None

    def _find(self, name: str) -> Record:
        if record := self._library.find(name):
            return record
        raise ImageNotFoundError(f'image "{name}": not found')

    def _chain(self, image_id: str) -> str:
        return self._find(image_id).chain

    def _fs_info(self) -> t.ImageFsInfoResponse:
        blobs, layers = self._content.total(), self._layers.total()
        usage = t.FilesystemUsage(
            timestamp=int(self._clock.now().timestamp() * 1e9),
            fs_id=t.FilesystemIdentifier(mountpoint=str(self._root)),
            used_bytes=t.UInt64Value(value=blobs[0] + layers[0]),
            inodes_used=t.UInt64Value(value=blobs[1] + layers[1]),
        )
        return t.ImageFsInfoResponse(image_filesystems=[usage], container_filesystems=[usage])


def _names_for(name: str, record: Record) -> tuple[Reference, ...]:
    """The name that was asked for; all of its tags if the image was asked for by its id."""
    if name.startswith("sha256:") or str(parse_name(name)) not in record.tags:
        return tuple(parse_name(tag) for tag in record.tags)
    return (parse_name(name),)
