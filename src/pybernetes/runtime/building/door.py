"""The BuildService that a runtime offers: what it takes to build is imported by the first who builds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pybernetes.cri import building as b
from pybernetes.cri.types import AuthConfig
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.service.core import Core

if TYPE_CHECKING:
    from pybernetes.runtime.building.service import Building


class BuildDoor:
    """See cri/building.py for the methods."""

    def __init__(self, core: Core, images: Images) -> None:
        self._core = core
        self._images = images
        self._made: Building | None = None

    def _service(self) -> Building:
        if self._made is None:
            from pybernetes.runtime.building.service import Building

            self._made = Building(self._core, self._images)
        return self._made

    async def close(self) -> None:
        if self._made is not None:
            await self._made.close()

    async def find_image(self, name: str, pull: bool, auth: AuthConfig | None = None) -> b.BaseImage:
        return await self._service().find_image(name, pull, auth)

    async def read_context_file(self, context: str, path: str) -> bytes | None:
        return await self._service().read_context_file(context, path)

    async def digest_files(self, source: b.Source, patterns: list[str]) -> str:
        return await self._service().digest_files(source, patterns)

    async def fetch_files(self, files: list[b.RemoteFile]) -> b.Source:
        return await self._service().fetch_files(files)

    async def fetch_repository(self, repository: b.RemoteRepository) -> b.Source:
        return await self._service().fetch_repository(repository)

    async def find_result(self, key: str) -> b.Result | None:
        return await self._service().find_result(key)

    def run_step(self, step: b.Step) -> AsyncGenerator[b.StepEvent, None]:
        return self._service().run_step(step)

    async def store_image(self, image: b.NewImage) -> str:
        return await self._service().store_image(image)

    async def forget_builds(self) -> int:
        return await self._service().forget_builds()


@asynccontextmanager
async def open_door(core: Core, images: Images) -> AsyncIterator[BuildDoor]:
    """The door of a runtime; close whatever serves it first."""
    door = BuildDoor(core, images)
    try:
        yield door
    finally:
        await door.close()
