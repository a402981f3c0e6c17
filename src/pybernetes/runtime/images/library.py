"""The images of this machine: the index in memory and on the disk, and what may be deleted for lack of a name."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pybernetes.aio.threads import Worker
from pybernetes.runtime.images import index
from pybernetes.runtime.images.content import UNUSED_SECONDS, Content
from pybernetes.runtime.images.index import Images, Record
from pybernetes.runtime.images.results import Results
from pybernetes.runtime.snapshots.files import sweep_trees
from pybernetes.runtime.snapshots.service import Snapshots
from pybernetes.wire.images.reference import InvalidReferenceError, Reference, parse

log = logging.getLogger(__name__)

_ID = re.compile(r"(?:sha256:)?([a-f0-9]{64})")
_SHORT_ID = re.compile(r"[a-f0-9]{4,63}")


class Library:
    """The only writer of the index. Lookups are in memory; changes are on the disk when they return.

    What `results` remembers of builds is kept as if it had a name.
    """

    def __init__(self, root: Path, content: Content, worker: Worker, results: Results) -> None:
        self._path = root / "images.json"
        self._content = content
        self._worker = worker
        self._images = Images()
        self._changing = asyncio.Lock()
        self._collecting = asyncio.Lock()
        self._busy = 0
        self._garbage = False
        self._results = results

    def load(self) -> None:
        """Read the index. A damaged one is set aside: what it named can be pulled again. Blocks."""
        try:
            self._images = index.load(self._path)
        except ValueError as error:
            aside = self._path.rename(self._path.with_suffix(".damaged"))
            log.error("image index set aside error=%r path=%s", str(error), aside)

    @property
    def records(self) -> tuple[Record, ...]:
        return self._images.images

    def find(self, name: str) -> Record | None:
        """By id (whole, or the beginning of one), tag or repo digest; short names get Docker's defaults."""
        if whole := _ID.fullmatch(name):
            return self._images.by_id(f"sha256:{whole[1]}")
        try:
            if record := self._images.by_name(str(parse(name))):
                return record
        except InvalidReferenceError:
            return None
        if _SHORT_ID.fullmatch(name):
            fitting = [record for record in self.records if record.id.startswith(f"sha256:{name}")]
            return fitting[0] if len(fitting) == 1 else None
        return None

    def find_target(self, repository: str, digest: str) -> Record | None:
        """The image that was pulled from this repository by this digest."""
        return self._images.by_target(repository, digest)

    async def add(self, record: Record, reference: Reference | None, *, local: bool) -> Record:
        """Add an image, or one more name of it; returns its record as it is now. Safe to repeat."""
        await self._change(lambda images: images.with_image(record, reference, local=local))
        return self._images.by_id(record.id) or record

    async def name(self, image_id: str, reference: Reference, *, local: bool) -> Record | None:
        """Give an image that is here one more name; None if it is not, or not any more. Safe to repeat."""

        def change(images: Images) -> Images:
            record = images.by_id(image_id)
            return images.with_image(record, reference, local=local) if record else images

        await self._change(change)
        return self._images.by_id(image_id)

    async def untag(self, reference: Reference) -> None:
        """Take away a name; the image stays, by its id."""
        await self._change(lambda images: images.without_name(str(reference)))

    async def remove(self, image_id: str) -> None:
        """Forget an image with all its names; nothing happens if it is not there."""
        self._garbage = True
        await self._change(lambda images: images.without_image(image_id))

    async def _change(self, change: Callable[[Images], Images]) -> None:
        async with self._changing:
            changed = change(self._images)
            if changed != self._images:
                await self._worker.finish(self._save, changed)

    def _save(self, changed: Images) -> None:
        """On the disk and in memory: whoever is cancelled meanwhile leaves them equal."""
        index.save(self._path, changed)
        self._images = changed

    @asynccontextmanager
    async def adding(self, snapshots: Snapshots) -> AsyncIterator[None]:
        """While an image is on its way in, its blobs and layers have no name yet: nothing is collected meanwhile.

        Waits for a collection under way, which could not know what comes.
        """
        async with self._collecting:
            self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            await asyncio.shield(self.collect(snapshots))

    async def collect(self, snapshots: Snapshots) -> None:
        """Delete the blobs and layers that no image and no container needs, now or when nothing is coming in."""
        async with self._collecting:
            if not self._garbage or self._busy:
                return
            self._garbage = False
            await self._worker.finish(self._collect_blobs, 0.0)
            doomed = await self._worker.finish(snapshots.detach_layers, self._chains)
        await self._worker.run(sweep_trees, doomed)

    async def forget_results(self, snapshots: Snapshots) -> None:
        """Builds begin anew; collect what only their results have kept."""
        await self._worker.run(self._results.clear)
        self._garbage = True
        await self.collect(snapshots)

    async def sweep(self, snapshots: Snapshots) -> None:
        """Delete what pulls that never ended have brought, once nobody seems to repeat them. Only at start."""
        await self._worker.run(self._collect_blobs, UNUSED_SECONDS)
        await self._worker.run(sweep_trees, await self._worker.run(snapshots.detach_layers, self._chains))

    def _collect_blobs(self, unused_seconds: float) -> None:
        self._content.collect(self._blobs(), unused_seconds=unused_seconds)

    def _blobs(self) -> set[str]:
        return self._results.blobs() | {digest for record in self.records for digest in record.blobs}

    def _chains(self) -> set[str]:
        return self._results.chains() | {record.chain for record in self.records}
