"""What a pod may write is led elsewhere, before the kubelet looks and while it does; canaries on the host stay."""

import itertools
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.races import racing

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.containers.mounts import ContainerFiles, container_mounts
from pybernetes.kubelet.logs.follow import read_log
from pybernetes.kubelet.logs.reader import Selection
from pybernetes.kubelet.logs.record import open_log
from pybernetes.kubelet.logs.rotate import remove_log
from pybernetes.kubelet.logs.tail import last_lines
from pybernetes.kubelet.volumes import atomic, hostpath, mounting, ownership, subpath
from pybernetes.kubelet.volumes.files import File, VolumeError
from pybernetes.kubelet.volumes.podvolumes import remove_directory

from .world import InlineWorker, World, a_container, a_pod

CANARY = "2026-01-01T00:00:00.000000001Z stdout F secret of the host\n"


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host; it and what lies in it are as they were when the test has ended."""
    directory = tmp_path / "canary"
    directory.mkdir(mode=0o750)
    (directory / "file").write_text(CANARY)
    (directory / "file").chmod(0o600)
    (directory / "0.log").write_text(CANARY)
    before = {path: path.lstat() for path in (directory, *directory.iterdir())}
    yield directory
    assert set(directory.iterdir()) == before.keys() - {directory}
    for path, was in before.items():
        now = path.lstat()
        assert (now.st_mode, now.st_uid, now.st_gid, now.st_ino) == (was.st_mode, was.st_uid, was.st_gid, was.st_ino)
    assert (directory / "file").read_text() == (directory / "0.log").read_text() == CANARY


# Volumes whose files the kubelet replaces


@pytest.mark.parametrize(
    "source",
    [
        {"config_map": v1.ConfigMapVolumeSource(name="c", optional=True)},
        {"secret": v1.SecretVolumeSource(secret_name="s", optional=True)},
        {"projected": v1.ProjectedVolumeSource(sources=[])},
        {"downward_api": v1.DownwardAPIVolumeSource(items=[])},
    ],
    ids=lambda source: next(iter(source)),
)
@pytest.mark.parametrize("part", [None, "new"], ids=["whole", "subPath"])
async def test_no_container_writes_what_the_kubelet_replaces(
    world: World, source: dict[str, object], part: str | None
) -> None:
    mount = v1.VolumeMount(name="v", mount_path="/v", read_only=False, sub_path=part)
    pod = a_pod(volumes=[v1.Volume(name="v", **source)], containers=[a_container(volume_mounts=[mount])])  # type: ignore[arg-type]
    await world.apply(pod)
    (config,) = world.runtime.configs.values()
    assert [m.readonly for m in config.mounts if m.container_path == "/v"] == [True]


@pytest.mark.parametrize("target", ["{canary}", "../canary", "..", "."])
def test_a_link_that_leads_away_is_replaced_and_its_target_spared(tmp_path: Path, canary: Path, target: str) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    atomic.write(volume, {"key": File(b"old", 0o644)})
    (volume / "..data").unlink()
    (volume / "..data").symlink_to(target.format(canary=canary))
    assert atomic.write(volume, {"key": File(b"new", 0o644)})
    assert (volume / "key").read_text() == "new"
    assert (tmp_path / "canary/file").exists()


def test_files_replaced_by_links_and_pipes_are_written_again(tmp_path: Path, canary: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    wanted = {"a": File(CANARY.encode(), 0o600), "b": File(b"b", 0o644)}
    atomic.write(volume, wanted)
    (volume / "..data/a").unlink()
    (volume / "..data/a").symlink_to(canary / "file")
    (volume / "..data/b").unlink()
    os.mkfifo(volume / "..data/b")
    assert atomic.write(volume, wanted)
    assert not (volume / "..data/a").is_symlink()
    assert (volume / "b").read_text() == "b"


# Directories that a pod fills, and that the kubelet walks through


def test_sub_path_while_a_link_comes_and_goes(tmp_path: Path, canary: Path) -> None:
    """CVE-2017-1002101, CVE-2021-25741: what is bound is of the volume, whenever it was looked at."""
    volume, target = tmp_path / "volume", tmp_path / "target"
    volume.mkdir()
    bound = 0
    with racing(volume, str(canary)):
        # On a busy machine the racer may hold still with its link in place for all of the first tries.
        for number in itertools.count():
            if number >= 400 and bound:
                break
            try:
                subpath.bind(volume, "dir/sub" if number % 2 else "dir", target)
            except VolumeError:
                continue
            finally:
                seen = [path.name for path in target.iterdir()] if target.is_dir() else []
                mounting.unmount(str(target))
            assert "file" not in seen
            bound += 1
    assert bound


def test_ownership_while_a_link_comes_and_goes(tmp_path: Path, canary: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    with racing(volume, str(canary)):
        for _ in range(400):
            ownership.own(volume, 4242)
    assert volume.stat().st_gid == 4242


def test_ownership_opens_no_device(tmp_path: Path) -> None:
    """To open a device is to act on it: a watchdog begins to count, a tape is wound back."""
    os.mknod(tmp_path / "device", stat.S_IFCHR | 0o600, os.makedev(10, 255))
    with pytest.raises(OSError, match=r"No such device|not permitted"):
        (tmp_path / "device").open("rb")
    os.mkfifo(tmp_path / "pipe", 0o600)
    ownership.own(tmp_path, 4242)
    for name in ("device", "pipe"):
        found = (tmp_path / name).stat()
        assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (4242, 0o660)


def test_removal_while_a_link_comes_and_goes(tmp_path: Path, canary: Path) -> None:
    for number in range(30):
        volume = tmp_path / f"pods/{number}/volumes/v"
        (volume / "deep/er").mkdir(parents=True)
        with racing(volume, str(canary)):
            for _ in range(20):
                try:
                    remove_directory(volume.parents[1])
                except OSError:
                    continue
        remove_directory(volume.parents[1])
        assert not volume.exists()


def test_a_directory_of_the_host_that_is_made_where_a_pod_writes(tmp_path: Path, canary: Path) -> None:
    """Its parent is another pod's to write: a link that comes in between is neither followed nor opened up."""
    shared = tmp_path / "shared"
    shared.mkdir()
    stop = threading.Event()

    def race() -> None:
        while not stop.is_set():
            for step in (lambda: (shared / "new").symlink_to(canary), lambda: (shared / "new").unlink()):
                try:
                    step()
                except OSError:
                    try:
                        (shared / "new").rmdir()
                    except OSError:
                        continue

    racer = threading.Thread(target=race)
    racer.start()
    try:
        for _ in range(2000):
            try:
                hostpath.make_directory(shared / "new")
            except OSError:
                continue
    finally:
        stop.set()
        racer.join()


def test_a_hosts_file_that_a_container_has_filled(tmp_path: Path) -> None:
    files = ContainerFiles(tmp_path / "pod", 0, "127.0.0.1\tlocalhost\n")
    container_mounts(a_container(), {}, {}, files)
    for spoilt in (b"\xff" * len(files.hosts), b"x"):
        (tmp_path / "pod/etc-hosts").write_bytes(spoilt)
        if spoilt == b"x":
            os.truncate(tmp_path / "pod/etc-hosts", 1 << 40)
        container_mounts(a_container(), {}, {}, files)
        assert (tmp_path / "pod/etc-hosts").read_text() == files.hosts


# Logs, where a pod has a hostPath to the directory of logs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "pods/default_p_uid/c/0.log"
    path.parent.mkdir(parents=True)
    path.write_text(CANARY.replace("secret of the host", "own"))
    return path


async def text_of(path: Path, **selection: object) -> str:
    pieces = read_log(path, Selection(**selection), InlineWorker())  # type: ignore[arg-type]
    return b"".join([piece async for piece in pieces]).decode()


def lead_file(log: Path, canary: Path) -> None:
    log.unlink()
    log.symlink_to(canary / "file")


def lead_part(log: Path, canary: Path) -> None:
    log.unlink()
    log.with_name("0.log.20260101-000000").symlink_to(canary / "file")


def lead_container(log: Path, canary: Path) -> None:
    log.unlink()
    log.parent.rmdir()
    log.parent.symlink_to(canary)


def lead_pod(log: Path, canary: Path) -> None:
    log.parents[1].rename(log.parents[1].with_name("moved"))
    log.parents[1].symlink_to(canary.parent)
    (canary.parent / "c").symlink_to(canary)


@pytest.mark.parametrize("lead", [lead_file, lead_part, lead_container, lead_pod])
async def test_logs_that_lead_elsewhere_are_not_read_and_not_removed(log: Path, canary: Path, lead) -> None:  # type: ignore[no-untyped-def]
    assert await text_of(log) == last_lines(log, 10, 1000) == "own\n"
    lead(log, canary)
    assert await text_of(log) == ""
    assert await text_of(log, tail_lines=5) == ""
    assert last_lines(log, 10, 1000) == ""
    remove_log(log)


async def test_a_pipe_in_place_of_a_log_holds_nobody_up(log: Path) -> None:
    log.unlink()
    os.mkfifo(log)
    assert await text_of(log) == await text_of(log, tail_lines=1) == ""
    with pytest.raises(OSError, match="not a regular file"):
        open_log(log)
