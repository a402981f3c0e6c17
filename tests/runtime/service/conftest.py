"""A runtime on the test's own root, cgroup, mounts and network, with busybox as its only image; nothing may be left."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.images import busybox
from tests.isolation import isolate_network
from tests.mounts import enter_private_mounts

from pybernetes.cri.testsuite import Lab, Pod, remove_all
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.network.bridge import remove_bridge
from pybernetes.runtime.options import Options, bridge_config
from pybernetes.runtime.service.runtime import open_runtime

BRIDGE = bridge_config("p8s9", "10.244.0.0/24", "10.244.0.0/16", "10.96.0.0/12")
IMAGE = "busybox:latest"
CANARY = "untouched"

OpenLab = Callable[[], AbstractAsyncContextManager[Lab]]


@pytest.fixture(scope="session", autouse=True)
def _isolated() -> None:
    isolate_network()
    enter_private_mounts()


@pytest.fixture(scope="session")
def image_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture
async def images(image_root: Path, tmp_path: Path) -> AsyncIterator[Images]:
    service = Images(image_root)
    await service.start()
    try:
        if not await service.list_images():
            await service.load(busybox().write_archive(tmp_path / "busybox.tar", IMAGE))
        yield service
    finally:
        await service.close()


@pytest.fixture
def cgroup() -> Iterator[str]:
    path = f"/p8s-test-{os.getpid()}"
    yield path
    Cgroup(path).kill()
    Cgroup(path).remove()


@pytest.fixture(params=["builtin", "runc"])
def oci_runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_lab(tmp_path: Path, images: Images, cgroup: str, oci_runtime: str) -> OpenLab:
    """Opens the runtime on the test's state, as often as a test likes."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Lab]:
        options = Options(
            root=tmp_path / "runtime",
            oci_runtime=oci_runtime,
            bridge=BRIDGE,
            cgroup=cgroup,
            streaming=str(tmp_path / "streaming.sock"),
        )
        async with open_runtime(options, images) as runtime:
            yield Lab(runtime, IMAGE, tmp_path / "logs", cgroup)

    return opened


@pytest.fixture
async def lab(open_lab: OpenLab, tmp_path: Path) -> AsyncIterator[Lab]:
    async with open_lab() as made:
        try:
            yield made
        finally:
            await remove_all(made.runtime)
    remove_bridge(BRIDGE)
    leftovers = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(tmp_path) in line]  # fmt: skip
    assert leftovers == []


@pytest.fixture
async def pod(lab: Lab) -> Pod:
    return await lab.run_pod()


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host with a file, and a program that would leave another; all is as it was when the test has ended."""
    directory = tmp_path / "canary"
    directory.mkdir()
    (directory / "file").write_text(CANARY)
    (directory / "program").write_text(f"#!/bin/sh\necho x > {directory}/made\n")
    (directory / "program").chmod(0o755)
    yield directory
    assert sorted(path.name for path in directory.iterdir()) == ["file", "program"]
    assert (directory / "file").read_text() == CANARY
    assert str(directory) not in Path("/proc/self/mountinfo").read_text()
