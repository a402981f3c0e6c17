"""The CRI services over a unix socket, with a stand-in behind the server."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from pybernetes.aio.tasks import open_scope
from pybernetes.cri import socket as cri_socket
from pybernetes.cri import types as t
from pybernetes.cri.errors import DeadlineError, InvalidError, NotFoundError, UnavailableError
from pybernetes.cri.service import ImageService, RuntimeService
from pybernetes.cri.socket.client import Client


class Fake:
    """Some methods of both services; the others answer that there is nothing."""

    def __init__(self) -> None:
        self.reading = 0
        self.release = asyncio.Event()
        self.versions = 0

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)

        async def missing(*arguments: object) -> None:
            raise NotFoundError(f"{name} of {arguments[0]}")

        return missing

    async def version(self) -> t.VersionResponse:
        self.versions += 1
        if self.versions == 3:
            self.release.set()
        return t.VersionResponse(runtime_name="fake")

    async def exec_sync(self, container_id: str, cmd: list[str], timeout: int) -> t.ExecSyncResponse:
        await self.release.wait()
        return t.ExecSyncResponse(stdout=" ".join(cmd).encode(), exit_code=timeout)

    async def run_pod_sandbox(self, config: t.PodSandboxConfig, runtime_handler: str) -> str:
        assert config.metadata is not None
        return f"{config.metadata.name}/{runtime_handler}"

    async def image_status(self, image: t.ImageSpec) -> t.Image | None:
        return t.Image(id="sha256:1", repo_tags=[image.image]) if image.image == "here" else None

    async def stop_container(self, container_id: str, timeout: int) -> None:
        raise RuntimeError("a defect")

    async def start_container(self, container_id: str) -> None:
        raise DeadlineError("too late")

    async def get_container_events(self) -> AsyncIterator[t.ContainerEventResponse]:
        self.reading += 1
        try:
            yield t.ContainerEventResponse(container_id="one")
            yield t.ContainerEventResponse(container_id="two")
            await asyncio.Event().wait()
        finally:
            self.reading -= 1


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
async def client(fake: Fake, tmp_path: Path) -> AsyncIterator[cri_socket.Client]:
    path = tmp_path / "runtime.sock"
    async with (
        cri_socket.serve(path, cast(RuntimeService, fake), cast(ImageService, fake)),
        cri_socket.connect(path) as client,
    ):
        assert path.stat().st_mode & 0o777 == 0o600
        yield client


async def test_calls_and_answers(client: cri_socket.Client) -> None:
    assert (await client.version()).runtime_name == "fake"
    config = t.PodSandboxConfig(metadata=t.PodSandboxMetadata(name="p"))
    assert await client.run_pod_sandbox(config, "runc") == "p/runc"
    found = await client.image_status(t.ImageSpec(image="here"))
    assert found is not None
    assert found.repo_tags == ["here"]
    assert await client.image_status(t.ImageSpec(image="away")) is None


async def test_calls_overtake_one_another(client: cri_socket.Client, fake: Fake) -> None:
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(client.exec_sync("c", ["a", "b"], 3))
        await client.version()
        assert not slow.done()
        fake.release.set()
    assert slow.result() == t.ExecSyncResponse(stdout=b"a b", exit_code=3)


async def test_errors_keep_their_class(client: cri_socket.Client) -> None:
    with pytest.raises(NotFoundError, match="container_status of c"):
        await client.container_status("c")
    with pytest.raises(DeadlineError, match="too late"):
        await client.start_container("c")
    with pytest.raises(InvalidError):
        await client.remove_container(cast(str, 5))


async def test_a_defect_is_told_and_ends_nothing(client: cri_socket.Client, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Exception, match="RuntimeError: a defect"):
        await client.stop_container("c", 1)
    assert (await client.version()).runtime_name == "fake"


async def test_event_stream_ends_with_its_reader(client: cri_socket.Client, fake: Fake) -> None:
    seen = []
    stream = client.get_container_events()
    async for event in stream:
        seen.append(event.container_id)
        if len(seen) == 2:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    for _ in range(100):
        await asyncio.sleep(0)
        if not fake.reading:
            break
    await client.version()
    assert (seen, fake.reading) == (["one", "two"], 0)


async def test_an_absent_runtime_is_unavailable(tmp_path: Path) -> None:
    async with cri_socket.connect(tmp_path / "none.sock") as client:
        with pytest.raises(UnavailableError):
            await client.version()


async def test_a_client_outlives_the_server(fake: Fake, tmp_path: Path) -> None:
    path = tmp_path / "runtime.sock"
    async with cri_socket.connect(path) as client:
        for _ in range(2):
            async with cri_socket.serve(path, cast(RuntimeService, fake), cast(ImageService, fake)):
                for _ in range(100):
                    try:
                        assert (await client.version()).runtime_name == "fake"
                        break
                    except UnavailableError:
                        await asyncio.sleep(0.01)
                else:
                    pytest.fail("the client did not connect again")


async def test_a_runtime_that_was_stopped_in_its_tracks_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "cri.sock"))
        listening.listen()  # the kernel takes connections and requests, and nobody answers
        async with open_scope("test") as scope:
            client = Client(tmp_path / "cri.sock", scope, patience=0.05)
            with pytest.raises(UnavailableError, match="no answer within"):
                await client.list_images()


async def test_what_takes_long_is_waited_for_as_long_as_the_runtime_is_there(tmp_path: Path) -> None:
    fake = Fake()
    services = cast(RuntimeService, fake), cast(ImageService, fake)
    async with cri_socket.serve(tmp_path / "cri.sock", *services), open_scope("test") as scope:
        client = Client(tmp_path / "cri.sock", scope, patience=0.05)
        answer = await client.exec_sync("a", ["made"], 0)
        assert (answer.stdout, fake.versions) == (b"made", 3)
