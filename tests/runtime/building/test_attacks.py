"""A hostile context, stage or Dockerfile against the host: canaries outside must stay as they are, and unread."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.images import Tree
from tests.runtime.building.conftest import Bench

from pybernetes.cri.building import (
    BindMount,
    CacheMount,
    Copy,
    Exited,
    FileMount,
    Filesystem,
    MakeDirectory,
    Source,
    TmpfsMount,
)
from pybernetes.cri.errors import CRIError, InvalidError, NotFoundError

SECRET = "the host's own"


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host with a file in it, outside every root."""
    directory = tmp_path / "host"
    directory.mkdir()
    (directory / "file").write_text(SECRET)
    yield directory
    assert sorted(path.name for path in directory.iterdir()) == ["file"]
    assert (directory / "file").read_text() == SECRET


LINKS = ("{0}/file", "{0}", "../../../../../../../../../../../../{0}/file", "/proc/1/root{0}/file", "/proc/self/cwd", "/proc/self/root/etc/shadow")  # fmt: skip


@pytest.mark.parametrize("link", LINKS)
async def test_links_of_a_context_lead_nowhere(bench: Bench, canary: Path, link: str) -> None:
    """COPY of a link, of what is below one, by wildcard, as Dockerfile; and as source of a bind mount."""
    os.symlink(link.format(canary), bench.context / "link")
    source = Source(str(bench.context))
    for pattern in ("link", "link/file", "l*", "l*/f*", "../link", "./x/../link"):
        try:
            await bench.door.digest_files(source, [pattern])
            made, _ = await bench.do(Copy(source, (pattern,), "/out/"))
        except CRIError:
            continue
        assert isinstance(made, Filesystem)
        assert SECRET not in (await bench.sh("cat $(find /out -type f) </dev/null", made))[1]
    assert await bench.door.read_context_file(str(bench.context), "link") is None
    for path in ("/link", "/link/file"):
        with pytest.raises(NotFoundError):
            await bench.sh("cat /m /m/*", mounts=(BindMount("/m", source, path, writable=True),))


@pytest.mark.parametrize("path", ["../host/file", "../../host", "/../host/file", "x/../../host/file"])
async def test_dots_lead_nowhere(bench: Bench, canary: Path, path: str) -> None:
    """CVE-2024-23651's relatives: the source of a copy, of a bind mount and of a cache mount."""
    source = Source(str(bench.context))
    with pytest.raises(NotFoundError):
        await bench.do(Copy(source, (path,), "/out/"))
    with pytest.raises(NotFoundError):
        await bench.sh("cat /m", mounts=(BindMount("/m", source, path),))
    _, printed = await bench.sh("find /m", mounts=(CacheMount("/m", "c", path=path),))
    assert printed == "/m\n"


async def test_links_of_a_stage_lead_nowhere(bench: Bench, canary: Path) -> None:
    """COPY --from, and the target of a COPY, through links that a step has made."""
    stage, _ = await bench.sh(
        f"ln -s {canary} /out; ln -s {canary}/file /f; ln -s /proc/1/root{canary} /p; ln -s {canary} /deep"
    )
    assert isinstance(stage, Filesystem)
    for pattern in ("/f", "/out/file", "/p/file"):
        with pytest.raises(NotFoundError):
            await bench.do(Copy(Source(chain=stage.chain), (pattern,), "/x/"))
    (bench.context / "file").write_text("attack")
    source = Source(str(bench.context))
    for target in ("/out/", "/out/file", "/f", "/deep/new/"):
        made, _ = await bench.do(Copy(source, ("file",), target), stage)
        assert isinstance(made, Filesystem)
    made, _ = await bench.do(MakeDirectory("/deep/made"), stage)
    assert isinstance(made, Filesystem)


async def test_mount_targets_that_are_links_lead_nowhere(bench: Bench, canary: Path) -> None:
    """CVE-2024-23652: mount points are made for a step and gone after it; nothing of the host is."""
    (bench.context / "f").write_text("x")
    stage, _ = await bench.sh(
        f"ln -s {canary} /d; ln -s {canary}/file /f; ln -s {canary}/new /n; ln -s /proc/1/root{canary} /p"
    )
    assert isinstance(stage, Filesystem)
    for target in ("/d", "/d/sub", "/n", "/p/x"):
        for mount in (
            TmpfsMount(target),
            CacheMount(target, "c"),
            BindMount(target, Source(str(bench.context)), writable=True),
        ):
            try:
                await bench.sh("rm -rf /d/* /n/* 2>/dev/null; true", stage, mounts=(mount,))
            except CRIError:
                continue
    for target in ("/f", "/n", "/d/file"):
        try:
            await bench.sh("true", stage, mounts=(FileMount(target, b"x"),))
        except CRIError:
            continue


async def test_names_of_caches_are_no_paths(bench: Bench, canary: Path) -> None:
    for name in (str(canary), f"../../../../../..{canary}", "..", "/", "a/../../b"):
        _, printed = await bench.sh("ls -A /c; touch /c/x", mounts=(CacheMount("/c", name),))
        assert printed == ""
    caches = bench.root / "runtime/build-caches"
    assert all(len(path.name) == 64 for path in caches.iterdir())


async def test_a_link_in_a_cache_leads_nowhere(bench: Bench, canary: Path) -> None:
    """CVE-2024-23651: one step puts a link into a cache, the next mounts what is behind it."""
    await bench.sh(f"ln -s {canary} /c/way; ln -s /proc/1/root /c/root", mounts=(CacheMount("/c", "shared"),))
    for path in ("/way", f"/root{canary}"):
        try:
            made, printed = await bench.sh("ls /m; rm -rf /m/*", mounts=(CacheMount("/m", "shared", path=path),))
        except CRIError:
            continue
        assert "file" not in printed.splitlines()
        assert not isinstance(made, Exited)


async def test_a_cache_raced_by_another_step(bench: Bench, canary: Path) -> None:
    """The same with a step that swaps a directory and a link all the time, while others mount below it."""
    swap = f"cd /c; i=0; while [ $i -lt 300 ]; do rm -rf x; ln -s {canary} x; rm -f x; mkdir x; i=$((i+1)); done"

    async def mount() -> None:
        for _ in range(10):
            try:
                _, printed = await bench.sh("ls /m; touch /m/new", mounts=(CacheMount("/m", "race", path="/x"),))
            except CRIError:
                continue
            assert "file" not in printed.splitlines()

    async with asyncio.TaskGroup() as group:
        group.create_task(bench.sh(swap, mounts=(CacheMount("/c", "race"),)))
        group.create_task(mount())


async def test_devices_and_sockets_of_a_context(bench: Bench) -> None:
    os.mknod(bench.context / "disk", 0o666 | stat.S_IFBLK, os.makedev(8, 0))
    (bench.context / "d").mkdir()
    os.mknod(bench.context / "d/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    with pytest.raises(CRIError):
        await bench.do(Copy(Source(str(bench.context)), ("disk",), "/out/"))
    with pytest.raises(InvalidError, match='"/d/null" is a device'):
        await bench.do(Copy(Source(str(bench.context)), ("d",), "/out/"))
    os.mkfifo(bench.context / "pipe")
    with pytest.raises(InvalidError, match='"/pipe" is neither a file nor a directory'):
        await bench.do(Copy(Source(str(bench.context)), ("pipe",), "/out/"))


async def test_a_device_of_a_stage_opens_nothing(bench: Bench) -> None:
    """It is copied, as layers may have devices; the step's cgroup keeps it shut."""
    stage, _ = await bench.sh("mkdir /d; mknod /d/disk b 254 0")
    assert isinstance(stage, Filesystem)
    made, _ = await bench.do(Copy(Source(chain=stage.chain), ("/d",), "/out/"))
    assert isinstance(made, Filesystem)
    ended, printed = await bench.sh("head -c 16 /out/disk", made)
    assert ended == Exited(1)
    assert "Operation not permitted" in printed


@pytest.mark.parametrize(
    "hostile",
    [
        lambda canary: Tree().file("../../../host/file", "attack"),
        lambda canary: Tree().file(f"/..{canary}/file", "attack"),
        lambda canary: Tree().symlink("way", str(canary)).file("way/file", "attack"),
        lambda canary: Tree().hardlink("hard", f"../../../../../..{canary}/file"),
    ],
    ids=["dots", "absolute", "link", "hardlink"],
)
async def test_archives_of_add(bench: Bench, canary: Path, hostile: Callable[[Path], Tree]) -> None:
    (bench.context / "a.tar").write_bytes(hostile(canary).tar())
    with pytest.raises(InvalidError, match=r'failed to extract "/a\.tar"'):
        await bench.do(Copy(Source(str(bench.context)), ("a.tar",), "/out/", unpack=True))


async def test_a_step_has_no_more_rights_than_a_pod(bench: Bench, canary: Path) -> None:
    """No mounting, no modules, no host devices, no host processes, no writable /proc/sys (CVE-2024-23653's aim)."""
    script = f"""
    mount -t tmpfs x /mnt 2>/dev/null && echo mounts
    grep CapEff /proc/self/status | grep -q 00000000a80425fb || echo capabilities
    echo 1 2>/dev/null > /proc/sys/kernel/panic && echo sysctl
    [ $(ls -d /proc/[0-9]* | wc -l) -lt 6 ] || echo processes
    ls {canary} 2>/dev/null
    [ -e /dev/vda ] && echo disk
    true
    """
    _, printed = await bench.sh(script)
    assert printed == ""
