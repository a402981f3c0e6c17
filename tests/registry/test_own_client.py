"""The project's own client and its registry: pushed by one image store, pulled by another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.images import busybox
from tests.mounts import enter_private_mounts
from tests.registry.conftest import Served

from pybernetes.cri.errors import ImageNotFoundError
from pybernetes.cri.service import PullProgress
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.service import Images


@pytest.fixture(scope="module", autouse=True)
def private_mounts() -> None:
    enter_private_mounts()


@asynccontextmanager
async def store(root: Path) -> AsyncIterator[Images]:
    images = Images(root, RegistryOptions())
    await images.start()
    try:
        yield images
    finally:
        await images.close()


async def test_what_one_store_pushes_another_pulls(registry: Served, tmp_path: Path) -> None:
    name, steps = f"{registry.host}/team/busybox:1", list[PullProgress]()
    async with store(tmp_path / "one") as one, store(tmp_path / "two") as two:
        await one.load(busybox().write_layout(tmp_path / "layout", name))
        with pytest.raises(ImageNotFoundError, match="not found"):
            await two.pull(name)
        assert await one.push(name, progress=steps.append) == busybox().digest
        assert registry.images == {"team/busybox:1": busybox().digest}
        assert await two.pull(name) == busybox().id
    for blob in busybox().blobs[1:]:
        told = [step.done for step in steps if step.digest == blob["digest"]]
        assert (told[0], told[-1]) == (0, blob["size"])


async def test_a_push_of_what_the_machine_has_sends_nothing(registry: Served, tmp_path: Path) -> None:
    name = f"{registry.host}/team/busybox:1"
    async with store(tmp_path / "one") as one:
        await one.load(busybox().write_layout(tmp_path / "layout", name))
        for blob in (tmp_path / "one/blobs/sha256").iterdir():
            (registry.shared / blob.name).hardlink_to(blob)
        await one.push(name)
    layer = busybox().blobs[-1]["digest"]
    assert registry.storage.path(str(layer)).samefile(
        tmp_path / "one/blobs/sha256" / str(layer).removeprefix("sha256:")
    )
