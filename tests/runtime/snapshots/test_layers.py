"""Layers once each, and the roots of containers above them."""

import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.images import Tree, digest_of

from pybernetes.aio.threads import Worker
from pybernetes.cri.errors import InvalidError, NotFoundError
from pybernetes.runtime.snapshots import layers as layers_module
from pybernetes.runtime.snapshots.files import sweep_trees
from pybernetes.runtime.snapshots.layers import Layers, chain_ids
from pybernetes.runtime.snapshots.service import Snapshots
from pybernetes.runtime.snapshots.unpack import LayerError
from pybernetes.runtime.syscalls import open_in_root


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    store = Layers(tmp_path)
    store.start()
    return store


@contextmanager
def blob(tree: Tree, directory: Path) -> Iterator[tuple[int, str]]:
    data = tree.tar()
    path = directory / "blob"
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd, digest_of(data)
    finally:
        os.close(fd)


def add(layers: Layers, tree: Tree, parent: str, directory: Path) -> str:
    with blob(tree, directory) as (fd, diff_id):
        return layers.commit(layers.stage(fd, diff_id), parent)


@pytest.fixture
async def snapshots(tmp_path: Path, layers: Layers) -> AsyncIterator[Snapshots]:
    """Container roots, where an image's id is its chain id."""
    worker = Worker("test")
    service = Snapshots(tmp_path, layers, str, worker)
    yield service
    for name in service.containers():
        await service.remove(name)
    await worker.close()


def test_chain_ids_are_those_of_the_image_specification() -> None:
    diff_ids = ["sha256:" + digit * 64 for digit in "123"]
    chains = chain_ids(diff_ids)
    assert chains[0] == diff_ids[0]
    assert chains[1] == digest_of(f"{diff_ids[0]} {diff_ids[1]}".encode())
    assert chains[2] == digest_of(f"{chains[1]} {diff_ids[2]}".encode())


def test_a_layer_is_found_again(layers: Layers, tmp_path: Path) -> None:
    low = add(layers, Tree().file("a", "1"), "", tmp_path)
    high = add(layers, Tree().file("b", "22"), low, tmp_path)
    assert add(layers, Tree().file("b", "22"), low, tmp_path) == high

    again = Layers(tmp_path)
    again.start()
    assert again.has(high)
    assert [os.listdir(path) for path in again.stack(high)] == [["b"], ["a"]]
    assert again.usage(high) == again.total() == (3, 2)
    assert os.listdir(tmp_path / "staging") == []


def test_a_layer_that_is_not_its_diff_id_is_refused(layers: Layers, tmp_path: Path) -> None:
    with blob(Tree().file("a", "1"), tmp_path) as (fd, _), pytest.raises(LayerError, match="wrong diff id calculated"):
        layers.stage(fd, digest_of(b"other"))
    assert os.listdir(tmp_path / "staging") == os.listdir(tmp_path / "layers") == []


def test_undescribed_directories_take_after_those_below(layers: Layers, tmp_path: Path) -> None:
    tree = Tree().directory(".", mode=0o711).directory("tmp", mode=0o1777, uid=5, gid=6).directory("gone", mode=0o700)
    low = add(layers, tree, "", tmp_path)
    middle = add(layers, Tree().file(".wh.gone"), low, tmp_path)
    high = add(layers, Tree().file("tmp/f").file("gone/f"), middle, tmp_path)

    top = layers.stack(high)[0]
    assert stat.S_IMODE(top.stat().st_mode) == 0o711
    assert stat.S_IMODE((top / "tmp").stat().st_mode) == 0o1777
    assert ((top / "tmp").stat().st_uid, (top / "tmp").stat().st_gid) == (5, 6)
    assert stat.S_IMODE((top / "gone").stat().st_mode) == 0o755


def test_what_a_kill_leaves_is_swept(layers: Layers, tmp_path: Path) -> None:
    with blob(Tree().file("a", "1"), tmp_path) as (fd, diff_id):
        layers.stage(fd, diff_id)
    assert len(os.listdir(tmp_path / "staging")) == 1
    Layers(tmp_path).start()
    assert os.listdir(tmp_path / "staging") == []


def test_a_layer_that_was_not_on_the_disk_at_a_power_loss_is_dropped(
    layers: Layers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = add(layers, Tree().file("a", "1"), "", tmp_path)
    layers.sync()
    lost = add(layers, Tree().file("b", "1"), synced, tmp_path)
    Layers(tmp_path).start()
    assert layers.has(lost)

    monkeypatch.setattr(layers_module, "_boot_id", lambda: "another boot")
    Layers(tmp_path).start()
    assert layers.has(synced)
    assert not layers.has(lost)


def test_a_layer_without_its_parent_is_not_there(layers: Layers, tmp_path: Path) -> None:
    low = add(layers, Tree().file("a", "1"), "", tmp_path)
    high = add(layers, Tree().file("b", "1"), low, tmp_path)
    (tmp_path / "layers" / low.removeprefix("sha256:")).rename(tmp_path / "elsewhere")
    assert not layers.has(high)


async def test_a_root_shows_all_layers_and_keeps_what_is_written(
    layers: Layers, snapshots: Snapshots, tmp_path: Path
) -> None:
    low = add(layers, Tree().directory("d").file("d/old", "1").file("a", "low").file("b", "low"), "", tmp_path)
    high = add(layers, Tree().file("a", "high").file(".wh.b").directory("d").file("d/.wh..wh..opq"), low, tmp_path)

    root = await snapshots.mount(high, "c1")
    assert sorted(os.listdir(root)) == ["a", "d"]
    assert os.listdir(root / "d") == []
    assert (root / "a").read_text() == "high"
    (root / "a").write_text("written" * 1000)
    (root / "new").mkdir()
    assert await snapshots.mount(high, "c1") == root
    usage = await snapshots.usage("c1")
    assert usage.inodes == 2
    assert 7000 <= usage.bytes <= 32768

    other = await snapshots.mount(high, "c2")
    assert (other / "a").read_text() == "high"


async def test_a_root_is_mounted_again_as_it_was_left(layers: Layers, snapshots: Snapshots, tmp_path: Path) -> None:
    chain = add(layers, Tree().directory(".", mode=0o711).file("a", "1"), "", tmp_path)
    root = await snapshots.mount(chain, "c1")
    assert stat.S_IMODE(root.stat().st_mode) == 0o711
    (root / "a").write_text("2")
    root.chmod(0o750)
    await snapshots.unmount("c1")
    await snapshots.unmount("c1")
    assert os.listdir(root) == []

    await snapshots.mount("another image", "c1")
    assert (root / "a").read_text() == "2"
    assert stat.S_IMODE(root.stat().st_mode) == 0o750


async def test_removal_leaves_nothing(layers: Layers, snapshots: Snapshots, tmp_path: Path) -> None:
    chain = add(layers, Tree().file("a", "1"), "", tmp_path)
    root = await snapshots.mount(chain, "c1")
    (root / "link").symlink_to(tmp_path)
    (root / "d").mkdir(mode=0)
    await snapshots.remove("c1")
    await snapshots.remove("c1")

    assert os.listdir(tmp_path / "containers") == os.listdir(tmp_path / "staging") == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert layers.has(chain)
    with pytest.raises(NotFoundError):
        await snapshots.usage("c1")


async def test_layers_are_kept_for_containers_and_images(layers: Layers, snapshots: Snapshots, tmp_path: Path) -> None:
    used = add(layers, Tree().file("a", "1"), "", tmp_path)
    named = add(layers, Tree().file("b", "1"), used, tmp_path)
    loose = add(layers, Tree().file("c", "1"), named, tmp_path)
    await snapshots.mount(used, "c1")

    sweep_trees(snapshots.detach_layers(lambda: {named}))
    assert (layers.has(used), layers.has(named), layers.has(loose)) == (True, True, False)
    sweep_trees(snapshots.detach_layers(set))
    assert (layers.has(used), layers.has(named)) == (True, False)
    assert os.listdir(tmp_path / "staging") == []


async def test_an_image_may_have_127_layers_or_none(layers: Layers, snapshots: Snapshots, tmp_path: Path) -> None:
    chain = ""
    for number in range(127):
        chain = add(layers, Tree().file(f"f{number}", str(number)), chain, tmp_path)
    assert len(os.listdir(await snapshots.mount(chain, "deep"))) == 127
    assert os.listdir(await snapshots.mount("", "empty")) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\0", "-x", "x" * 200])
async def test_a_container_id_is_one_name(snapshots: Snapshots, name: str) -> None:
    with pytest.raises(InvalidError):
        await snapshots.mount("", name)


async def test_a_damaged_record_is_written_again(layers: Layers, snapshots: Snapshots, tmp_path: Path) -> None:
    chain = add(layers, Tree().file("a", "1"), "", tmp_path)
    (tmp_path / "containers/c1").mkdir(parents=True)
    (tmp_path / "containers/c1/snapshot.json").write_bytes(b"")
    root = await snapshots.mount(chain, "c1")
    assert (root / "a").exists()
    assert msgspec.json.decode((tmp_path / "containers/c1/snapshot.json").read_bytes())["chain"] == chain


def test_a_path_is_resolved_inside_its_root(tmp_path: Path) -> None:
    inside = tmp_path / "root"
    (inside / "etc").mkdir(parents=True)
    (inside / "etc/passwd").write_text("inside")
    (inside / "absolute").symlink_to("/etc")
    (inside / "up").symlink_to("../../../etc")
    (inside / "magic").symlink_to("/proc/self/root")
    root = os.open(inside, os.O_PATH)
    try:
        for path in ("etc/passwd", "/etc/passwd", "absolute/passwd", "up/passwd", "../../etc/passwd"):
            fd = open_in_root(root, path, os.O_RDONLY)
            assert os.read(fd, 100) == b"inside"
            assert not os.get_inheritable(fd)
            os.close(fd)
        with pytest.raises(OSError, match="Too many levels"):
            open_in_root(root, "absolute/passwd", os.O_RDONLY, symlinks=False)
        with pytest.raises(FileNotFoundError):
            open_in_root(root, "magic", os.O_RDONLY)
    finally:
        os.close(root)
