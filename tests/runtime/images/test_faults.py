"""What a kill, a damaged file or a full disk leaves of the image store."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.images import NGINX_VERSIONS, busybox, digest_of, nginx
from tests.races import Held
from tests.registries import Registry
from tests.runtime.images.conftest import OpenImages

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError, PullError
from pybernetes.cri.service import PullProgress
from pybernetes.runtime.building.roots import open_root
from pybernetes.runtime.images import index
from pybernetes.runtime.images.content import Content, Ingest
from pybernetes.runtime.images.door import Library
from pybernetes.runtime.images.pull import WRITE_BYTES
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.snapshots.layers import Layers
from pybernetes.runtime.snapshots.unpack import Limits

PULL_ALL = """
import asyncio, sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.service import Images

async def main(root, mirror, *names):
    images = Images(Path(root), RegistryOptions(mirrors={"docker.io": (mirror,)}))
    await images.start()
    print("started", flush=True)
    for name in names:
        await images.pull(name)
        print(name, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_kill_at_any_moment_loses_no_image_that_was_pulled(
    open_images: OpenImages, registry: Registry, tmp_path: Path
) -> None:
    names = ["busybox", *(f"nginx:{version}" for version in NGINX_VERSIONS)]
    ids = {"busybox": busybox().id, **{f"nginx:{version}": nginx(version).id for version in NGINX_VERSIONS}}
    delays = random.Random(7)
    acknowledged: set[str] = set()
    for _ in range(5):
        command = [sys.executable, "-c", PULL_ALL, str(tmp_path / "runtime"), registry.url, *names]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "started\n"
            try:
                process.wait(delays.uniform(0, 0.4))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            acknowledged |= set(process.stdout.read().split())
        async with open_images() as images:
            for name in acknowledged:
                assert images.resolve(name) == ids[name]
                root = await images.snapshots.mount(ids[name], "check")
                assert (root / "etc/passwd").stat().st_size > 0
                await images.snapshots.remove("check")
    async with open_images() as images:
        for name in names:
            assert await images.pull(name) == ids[name]
    assert os.listdir(tmp_path / "runtime/ingest") == os.listdir(tmp_path / "runtime/snapshots/staging") == []


async def test_a_lost_layer_is_unpacked_again_from_its_blob(open_images: OpenImages, tmp_path: Path) -> None:
    async with open_images() as images:
        await images.pull("busybox")
    layer = busybox().layers[0].diff_id.removeprefix("sha256:")
    (tmp_path / "runtime/snapshots/layers" / layer / "layer.json").write_bytes(b"\0" * 40)
    async with open_images(RegistryOptions()) as images:
        root = await images.snapshots.mount(images.resolve("busybox"), "c1")
        assert (root / "bin/sh").exists()
        await images.snapshots.remove("c1")


async def test_an_image_whose_blobs_are_lost_too_is_pulled_again(open_images: OpenImages, tmp_path: Path) -> None:
    async with open_images() as images:
        await images.pull("busybox")
    for directory in ("snapshots/layers", "blobs/sha256"):
        for entry in (tmp_path / "runtime" / directory).iterdir():
            entry.rename(tmp_path / f"lost-{entry.name}-{directory[:3]}")
    async with open_images() as images:
        assert await images.list_images() == []
        assert await images.pull("busybox") == busybox().id


async def test_a_damaged_index_is_set_aside(open_images: OpenImages, tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime/images.json").write_text('{"images": [{"id": 1}]}')
    async with open_images() as images:
        assert await images.list_images() == []
        assert await images.pull("busybox") == busybox().id
    assert (tmp_path / "runtime/images.damaged").exists()


async def test_what_no_image_needs_is_kept_for_a_day(open_images: OpenImages, tmp_path: Path) -> None:
    async with open_images() as images:
        await images.pull("busybox")
    (tmp_path / "runtime/images.json").unlink()
    async with open_images(RegistryOptions()):
        assert os.listdir(tmp_path / "runtime/snapshots/layers") == []
        assert len(os.listdir(tmp_path / "runtime/blobs/sha256")) == 3
    for blob in (tmp_path / "runtime/blobs/sha256").iterdir():
        os.utime(blob, (0, 0))
    async with open_images(RegistryOptions()):
        assert os.listdir(tmp_path / "runtime/blobs/sha256") == []


async def test_a_full_disk_is_named(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images._layers, "_limits", Limits(spare=1 << 60))
    with pytest.raises(PullError, match=r"failed to extract layer sha256:.*: no space left on device"):
        await images.pull("busybox")


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A file system of 1 MiB at the place, which is less than busybox takes."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


async def test_an_archive_for_which_there_is_no_room_leaves_nothing(open_images: OpenImages, tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    archive = busybox().write_archive(tmp_path / "archive.tar", "busybox:1")
    with small_disk(root):
        async with open_images(RegistryOptions(), "small/runtime") as images:
            with pytest.raises(InvalidError, match="no space left on device"):
                await Library(images).load_images(str(archive))
            assert await images.list_images() == []
            assert os.listdir(root / "runtime/snapshots/staging") == []


async def test_a_damaged_archive_leaves_nothing(images: Images, tmp_path: Path) -> None:
    image = busybox()
    layout = image.write_layout(tmp_path / "layout", "busybox:1")
    layer = layout / "blobs/sha256" / digest_of(image.layers[0].blob).removeprefix("sha256:")
    layer.write_bytes(layer.read_bytes()[:-1] + b"x")
    with pytest.raises(InvalidError, match=f"content has digest sha256:.*, expected sha256:{layer.name}"):
        await images.load(layout)
    assert await images.list_images() == []


async def test_pushed_manifests_are_adopted_by_link(images: Images, tmp_path: Path) -> None:
    blobs = busybox().write_layout(tmp_path / "layout") / "blobs/sha256"
    name = "localhost:5000/team/busybox:1"
    assert await images.adopt(name, busybox().digest, blobs) == busybox().id
    assert (await images.record(name)).local == [name]
    layer = (await images.record(name)).layers[0]
    kept = tmp_path / "runtime/blobs/sha256" / layer.removeprefix("sha256:")
    assert kept.samefile(blobs / kept.name)
    with pytest.raises(InvalidError, match="there is no blob"):
        await images.adopt(name, f"sha256:{'0' * 64}", blobs)


async def test_a_cancelled_pull_can_be_repeated(images: Images, tmp_path: Path) -> None:
    pull = asyncio.ensure_future(images.pull("nginx:1.16.0"))
    await asyncio.sleep(0.02)
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull
    assert await images.pull("nginx:1.16.0") == nginx("1.16.0").id


async def test_a_pull_that_is_cancelled_while_it_writes_can_be_repeated(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being written then is written once, and its file stays open until that is done."""
    writes, begun, go_on = Ingest.write, asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def write(ingest: Ingest, data: bytes) -> None:
        if len(data) >= WRITE_BYTES and not go_on.is_set():
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(10)
        writes(ingest, data)

    monkeypatch.setattr(Ingest, "write", write)
    pull = asyncio.ensure_future(images.pull("nginx:1.16.0"))
    await asyncio.wait_for(begun.wait(), 10)
    pull.cancel()
    await asyncio.sleep(0.05)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await pull
    assert await images.pull("nginx:1.16.0") == nginx("1.16.0").id


async def test_state_is_for_root_only(images: Images, tmp_path: Path) -> None:
    await images.pull("busybox")
    assert (tmp_path / "runtime").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "runtime/images.json").stat().st_mode & 0o777 == 0o600


async def test_a_pull_that_is_cancelled_while_it_unpacks_leaves_nothing(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, Layers, "stage")
    pull = asyncio.ensure_future(images.pull("nginx:1.16.0"))
    await asyncio.wait_for(held.begun.wait(), 10)
    pull.cancel()
    await asyncio.wait([pull])
    held.let_go()
    await images.pull("busybox")
    await images.close()
    assert os.listdir(tmp_path / "runtime/snapshots/staging") == []


async def test_whoever_waits_for_a_blob_is_its_only_writer(images: Images) -> None:
    """Also when the first, for whom it waited, has failed, and another comes just then."""
    assembler, inside = images._assembler, list[int]()

    async def write(number: int) -> None:
        async with assembler.alone("sha256:x"):
            inside.append(number)
            assert len(inside) == 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            inside.remove(number)

    async def fail() -> None:
        async with assembler.alone("sha256:x"):
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    first, second = asyncio.ensure_future(fail()), asyncio.ensure_future(write(2))
    await first
    await asyncio.gather(second, write(3))


async def test_what_comes_while_others_are_collected_is_kept(
    images: Images, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await images.pull("busybox")
    held = Held(monkeypatch, Content, "collect")
    removal = asyncio.ensure_future(images.remove_image(t.ImageSpec(image="busybox")))
    await asyncio.wait_for(held.begun.wait(), 10)
    archive = nginx("1.16.0").write_archive(tmp_path / "archive.tar", "nginx:1")
    loading = asyncio.ensure_future(images.load(archive))
    await asyncio.wait([loading], timeout=0.5)
    held.let_go()
    await asyncio.gather(removal, loading)
    assert (await images.record("nginx:1")).layers
    root = await images.snapshots.mount(images.resolve("nginx:1"), "c1")
    assert (root / "etc/nginx").is_dir()
    await images.snapshots.remove("c1")


async def test_an_image_that_is_removed_while_it_is_pushed_is_pushed_and_stays_removed(
    images: Images, registry: Registry
) -> None:
    await images.pull("busybox")
    name = f"{registry.host}/pushed/busybox:1"
    await images.tag("busybox", name)
    removed = asyncio.Event()

    def on_progress(progress: PullProgress) -> None:
        if not removed.is_set():
            removed.set()
            removing.append(asyncio.ensure_future(images.remove_image(t.ImageSpec(image="busybox"))))

    removing: list[asyncio.Future[None]] = []
    assert await images.push(name, progress=on_progress) == busybox().digest
    await asyncio.gather(*removing)
    assert await images.list_images() == []
    assert await images.pull(name) == busybox().id


async def test_images_are_listed_while_they_are_removed(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    await images.pull("busybox")
    await images.pull("nginx:1.16.0")
    held = Held(monkeypatch, Content, "read")
    listing = asyncio.ensure_future(images.records())
    await asyncio.wait_for(held.begun.wait(), 10)
    await images.remove_image(t.ImageSpec(image="busybox"))
    held.let_go()
    assert [record.tags for record in await listing] == [["docker.io/library/nginx:1.16.0"]]


async def test_a_change_of_the_index_that_is_cancelled_is_made_or_not_made(
    images: Images, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And what is changed next is changed after it, on the disk too."""
    await images.pull("busybox")
    saves, loop = index.save, asyncio.get_running_loop()
    begun, go_on, saved = asyncio.Event(), threading.Event(), threading.Event()

    def save(path: Path, changed: index.Images) -> None:
        if not begun.is_set():
            loop.call_soon_threadsafe(begun.set)
            assert go_on.wait(10)
            saves(path, changed)
            saved.set()
        else:
            saves(path, changed)

    monkeypatch.setattr(index, "save", save)
    first = asyncio.ensure_future(images.tag("busybox", "first"))
    await asyncio.wait_for(begun.wait(), 10)
    first.cancel()
    second = asyncio.ensure_future(images.tag("busybox", "second"))
    await asyncio.wait([second], timeout=0.2)
    go_on.set()
    await asyncio.wait([first, second])
    assert await asyncio.to_thread(saved.wait, 10)
    [record] = await images.records()
    assert index.load(tmp_path / "runtime/images.json").images[0].tags == tuple(record.tags)
    assert "docker.io/library/second:latest" in record.tags


async def test_archives_that_nobody_empties_hold_up_no_pull(images: Images) -> None:
    await images.pull("nginx:1.16.0")
    pipes = [os.pipe() for _ in range(8)]
    saving = [
        asyncio.ensure_future(Library(images).save_images(["nginx:1.16.0"], f"/proc/self/fd/{write}"))
        for _, write in pipes
    ]
    await asyncio.wait_for(images.pull("busybox"), 10)
    for read, write in pipes:
        os.close(read)
        os.close(write)
    for ended in await asyncio.gather(*saving, return_exceptions=True):
        assert isinstance(ended, InvalidError)


async def test_a_root_whose_mount_is_cancelled_is_not_left_mounted(
    images: Images, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await images.pull("busybox")
    chain = (await images.base("busybox")).filesystem.chain
    held = Held(monkeypatch, Layers, "stack")

    async def build() -> None:
        async with open_root(images.snapshots, chain, "step"):
            raise AssertionError

    building = asyncio.ensure_future(build())
    await asyncio.wait_for(held.begun.wait(), 10)
    building.cancel()
    await asyncio.wait([building], timeout=0.1)
    held.let_go()
    await asyncio.wait([building])
    assert building.cancelled()
    assert f"{tmp_path}/runtime" not in Path("/proc/self/mountinfo").read_text()
    assert images.snapshots.containers() == os.listdir(tmp_path / "runtime/snapshots/staging") == []
