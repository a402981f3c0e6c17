"""A registry with the images of the labs, and an image service that has it as its docker.io."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.mounts import enter_private_mounts
from tests.registries import Registry, fill, running_registry

from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.service import Images

OpenImages = Callable[..., AbstractAsyncContextManager[Images]]


@pytest.fixture(scope="session", autouse=True)
def private_mounts() -> None:
    enter_private_mounts()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        fill(registry)
        yield registry


@pytest.fixture
def open_images(tmp_path: Path, registry: Registry) -> OpenImages:
    """Opens the image service on the test's state; without options it has the registry as a mirror of docker.io."""

    @asynccontextmanager
    async def open_service(options: RegistryOptions | None = None, root: str = "runtime") -> AsyncIterator[Images]:
        service = Images(tmp_path / root, options or RegistryOptions(mirrors={"docker.io": (registry.url,)}))
        await service.start()
        try:
            yield service
        finally:
            await service.close()

    return open_service


@pytest.fixture
async def images(open_images: OpenImages) -> AsyncIterator[Images]:
    async with open_images() as service:
        yield service
