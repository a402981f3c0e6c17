"""ImageLibrary (`cri/library.py`) over the image service: what goes through the runtime's socket besides CRI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pybernetes.aio.tasks import open_scope
from pybernetes.cri.errors import CRIError, InvalidError
from pybernetes.cri.library import ImageRecord, ImageStep
from pybernetes.cri.service import PullProgress
from pybernetes.cri.types import AuthConfig
from pybernetes.runtime.images.flight import Progress
from pybernetes.runtime.images.service import Images

if TYPE_CHECKING:
    from collections.abc import Iterator


class Library:
    """The image service as its callers on the socket see it."""

    def __init__(self, images: Images) -> None:
        self._images = images

    async def image_records(self) -> list[ImageRecord]:
        return await self._images.records()

    async def image_record(self, name: str) -> ImageRecord:
        return await self._images.record(name)

    def fetch_image(self, name: str, auth: AuthConfig | None = None) -> AsyncIterator[ImageStep]:
        return _steps(lambda report: self._images.pull(name, auth, progress=report, force=True))

    def push_image(self, name: str, auth: AuthConfig | None = None) -> AsyncIterator[ImageStep]:
        return _steps(lambda report: self._images.push(name, auth, progress=report))

    async def load_images(self, path: str) -> list[str]:
        with _opened(path):
            return await self._images.load(Path(path))

    async def adopt_image(self, name: str, manifest: str, blobs: str) -> str:
        with _opened(blobs):
            return await self._images.adopt(name, manifest, Path(blobs))

    async def save_images(self, names: list[str], path: str) -> None:
        for name in names:
            self._images.resolve(name)
        with _opened(path):
            target = await asyncio.to_thread(open, path, "wb")
            try:
                await self._images.save(names, target)
            finally:
                await asyncio.to_thread(target.close)

    async def tag_image(self, source: str, target: str) -> None:
        await self._images.tag(source, target)

    async def untag_image(self, name: str) -> None:
        await self._images.untag(name)


async def _steps(work: Callable[[Progress], Awaitable[str]]) -> AsyncIterator[ImageStep]:
    """What the work reports, then its result or its error. A slow reader misses steps, never the last of a blob."""
    waiting: dict[str, PullProgress] = {}
    news = asyncio.Event()

    def report(progress: PullProgress) -> None:
        waiting[progress.digest] = progress
        news.set()

    async def run() -> str | CRIError:
        try:
            return await work(report)
        except CRIError as error:
            return error
        finally:
            news.set()

    async with open_scope("image transfer") as scope:
        task = scope.spawn(run(), "work")
        while not task.done() or waiting:
            await news.wait()
            news.clear()
            while waiting:
                step = waiting.pop(next(iter(waiting)))
                yield ImageStep(step.digest, step.done, step.total)
        result: str | CRIError = await task
    if isinstance(result, CRIError):
        raise result
    yield ImageStep(result=result)


@contextmanager
def _opened(path: str) -> Iterator[None]:
    """A file of the caller's that cannot be read or written is the caller's to mend."""
    try:
        yield
    except OSError as error:
        raise InvalidError(f"{error.filename or path}: {(error.strerror or str(error)).lower()}") from error
