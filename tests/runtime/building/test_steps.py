"""Single steps over a real runtime: processes, copies, mounts."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
import os
import stat
import threading
from pathlib import Path

import pytest
from tests.images import Tree
from tests.races import Held
from tests.runtime.building.conftest import Bench
from tests.runtime.snapshots.test_unpack import CAPABILITY

from pybernetes.cri.building import (
    BindMount,
    CacheMount,
    Copy,
    Exited,
    FileMount,
    Filesystem,
    InlineFile,
    MakeDirectory,
    Source,
    TmpfsMount,
)
from pybernetes.cri.errors import InvalidError, NotFoundError, StartError
from pybernetes.runtime.building.copying import Copier
from pybernetes.runtime.building.roots import Root
from pybernetes.runtime.images.service import Images


async def test_a_process_writes_a_layer(bench: Bench) -> None:
    made, printed = await bench.sh("echo hello; echo there >&2; echo data > /file; rm /etc/group")
    assert isinstance(made, Filesystem)
    assert sorted(printed.split()) == ["hello", "there"]
    assert len(made.layers) == len(bench.base.layers) + 1
    _, printed = await bench.sh("cat /file; ls /etc/group 2>&1; mount | grep -c resolv.conf; cat /etc/hostname", made)
    assert printed.splitlines() == ["data", "ls: /etc/group: No such file or directory", "1", "buildkitsandbox"]


async def test_nothing_written_is_no_layer(bench: Bench) -> None:
    """Mount points that the base lacks (/etc/hosts, /mnt/deep) are made outside the layer."""
    made, _ = await bench.sh("true", mounts=(TmpfsMount("/mnt/deep"),))
    assert made == bench.base


async def test_a_failing_process_keeps_nothing(bench: Bench) -> None:
    made, printed = await bench.sh("echo last words; exit 7")
    assert made == Exited(7)
    assert printed == "last words\n"


async def test_a_command_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(StartError, match="no such file or directory"):
        await bench.do(bench.run("/missing"))


async def test_the_network_of_a_process(bench: Bench) -> None:
    """That of pods, with a name server; or none but the loopback."""
    _, printed = await bench.sh(
        "ip -o -4 addr show dev eth0 | grep -o '10.244.0[.0-9]*' | head -1; grep -c nameserver /etc/resolv.conf"
    )
    address, servers = printed.split()
    assert address.startswith("10.244.0.")
    assert int(servers) > 0
    _, printed = await bench.sh("ip -o link | grep -vc @NONE; ping -c1 127.0.0.1 >/dev/null && echo lo", network="none")
    assert printed.split() == ["1", "lo"]


async def test_everything_that_a_layer_can_hold(bench: Bench) -> None:
    """Hard links, links, pipes, modes, owners, replaced directories: as they were, seen from the next step."""
    script = """
    mkdir -p /t/old && echo 1 > /t/a && ln /t/a /t/b && ln -s a /t/link && mkfifo /t/pipe
    chown 12:34 /t/b; chmod 4711 /t/a; touch -d @1000000000 /t/old; rm -rf /home; mkdir /home; echo new > /home/file
    """
    made, _ = await bench.sh(script)
    assert isinstance(made, Filesystem)
    show = "stat -c '%n %f %u:%g %h %Y' /t/a /t/link /t/pipe /t/old | sed 's/ [0-9]*$//'; stat -c %Y /t/old; ls /home; stat -c %i /t/a /t/b | uniq | wc -l"  # fmt: skip
    _, printed = await bench.sh(show, made)
    assert printed.splitlines() == [
        "/t/a 89c9 12:34 2",
        "/t/link a1ff 0:0 1",
        "/t/pipe 11a4 0:0 1",
        "/t/old 41ed 0:0 2",
        "1000000000",
        "file",
        "1",
    ]


# Copies


@pytest.mark.parametrize(
    ("patterns", "target", "found"),
    [
        (["a.txt"], "/out/", "./a.txt"),
        (["a.txt"], "/out/b", "./b"),
        (["/a.txt"], "/out/deep/er/", "./deep ./deep/er ./deep/er/a.txt"),
        (["dir"], "/out", "./b.txt ./link ./sub ./sub/c.txt"),
        (["dir/"], "/out/x", "./x ./x/b.txt ./x/link ./x/sub ./x/sub/c.txt"),
        (["a.txt", "dir/sub"], "/out/", "./a.txt ./c.txt"),
        (["*.txt"], "/out/", "./a.txt ./z.txt"),
        (["d*/s*/*.txt"], "/out/", "./c.txt"),
        (["dir/link"], "/out/", "./link"),
        (["nothing*"], "/out/", ""),
        (["../../a.txt"], "/out/", "./a.txt"),
    ],
)
async def test_copies(bench: Bench, patterns: list[str], target: str, found: str) -> None:
    (bench.context / "dir/sub").mkdir(parents=True)
    for name in ("a.txt", "z.txt", "dir/b.txt", "dir/sub/c.txt"):
        (bench.context / name).write_text(name)
    os.symlink("b.txt", bench.context / "dir/link")
    printed = await bench.copied(*patterns, target=target, show="mkdir -p /out; cd /out; find . | sort")
    assert printed.split() == [".", *found.split()]


async def test_what_copies_carry(bench: Bench) -> None:
    """A context's files are root's, with their modes and times; `owner` and `mode` change that."""
    path = bench.context / "tool"
    path.write_text("x")
    path.chmod(0o750)
    os.chown(path, 33, 33)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    show = "stat -c '%a %u:%g %Y' /out/tool"
    assert await bench.copied("tool", show=show) == "750 0:0 1000000000\n"
    assert await bench.copied("tool", show=show, owner="www-data", mode="u=rw,go=r") == "644 33:33 1000000000\n"
    assert await bench.copied("tool", show=show, owner="7", mode="4755") == "4755 7:7 1000000000\n"
    assert await bench.copied("tool", show=show, owner="root:www-data") == "750 0:33 1000000000\n"
    with pytest.raises(InvalidError, match="unable to find user nobody-here"):
        await bench.copied("tool", owner="nobody-here")
    with pytest.raises(InvalidError, match="invalid chmod parameter: 'rwx'"):
        await bench.copied("tool", mode="rwx")


async def test_what_is_ignored_is_not_there(bench: Bench) -> None:
    for name in ("keep.txt", "skip.log", "dir/skip.log", "dir/keep.log"):
        (bench.context / name).parent.mkdir(exist_ok=True)
        (bench.context / name).write_text(name)
    source = Source(str(bench.context), excludes=("**/*.log", "!dir/keep.log", "secret"))
    made, _ = await bench.do(Copy(source, (".",), "/out/"))
    assert isinstance(made, Filesystem)
    assert (await bench.sh("cd /out; find . -type f | sort", made))[1].split() == ["./dir/keep.log", "./keep.txt"]
    with pytest.raises(NotFoundError, match=r'^"/skip.log": not found \(it is excluded by .dockerignore\)$'):
        await bench.door.digest_files(source, ["skip.log"])


async def test_copies_of_layers_keep_owners(bench: Bench) -> None:
    first, _ = await bench.sh("mkdir /d; echo x > /d/f; chown 5:6 /d/f; ln -s /d/f /l")
    assert isinstance(first, Filesystem)
    made, _ = await bench.do(Copy(Source(chain=first.chain), ("/d", "/l"), "/out/"))
    assert isinstance(made, Filesystem)
    _, printed = await bench.sh("stat -c '%n %u:%g' /out/f; cat /out/l", made)
    assert printed.splitlines() == ["/out/f 5:6", "x"]


async def test_here_documents(bench: Bench) -> None:
    inline = (InlineFile("one", b"1\n"), InlineFile("two", b"2\n"))
    made, _ = await bench.do(Copy(Source(str(bench.context)), (), "/out/", inline))
    assert isinstance(made, Filesystem)
    assert (await bench.sh("cat /out/one /out/two; stat -c %a /out/one", made))[1].split() == ["1", "2", "644"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "bz2", "xz"])
async def test_archives_are_unpacked(bench: Bench, pack: object) -> None:
    tree = Tree().directory("d").file("d/f", "content", 0o640, uid=3, gid=4).symlink("d/l", "f").tar()
    (bench.context / "archive").write_bytes(pack(tree))  # type: ignore[operator]
    (bench.context / "plain.tar").write_text("not an archive")
    show = "cd /out; cat d/l; stat -c ' %a %u:%g' d/f; cat plain.tar"
    printed = await bench.copied("archive", "plain.tar", unpack=True, show=show)
    assert printed == "content 640 3:4\nnot an archive"
    assert await bench.copied("archive", show="ls /out") == "archive\n"


async def test_files_give_way_and_directories_do_not(bench: Bench) -> None:
    (bench.context / "f").write_text("new")
    (bench.context / "d").mkdir()
    (bench.context / "d/x").mkdir()
    before, _ = await bench.sh(
        "mkdir -p /out/f2; echo old > /out/f; ln -s /etc/passwd /out/l; echo file > /out/x; mkdir /real; ln -s /real /to"
    )
    assert isinstance(before, Filesystem)
    source = Source(str(bench.context))
    after, _ = await bench.do(Copy(source, ("f",), "/out/f"), before)
    linked, _ = await bench.do(Copy(source, ("f",), "/out/l"), before)
    through, _ = await bench.do(Copy(source, ("f",), "/to/"), before)
    assert isinstance(after, Filesystem)
    assert isinstance(linked, Filesystem)
    assert isinstance(through, Filesystem)
    assert (await bench.sh("cat /out/f", after))[1] == "new"
    assert (await bench.sh("cat /out/l; grep -c root /etc/passwd", linked))[1] == "new1\n"
    assert (await bench.sh("cat /real/f", through))[1] == "new"
    with pytest.raises(InvalidError, match='cannot copy directory "/d/x" over a file'):
        await bench.do(Copy(source, ("d",), "/out"), before)


async def test_directories_are_made(bench: Bench) -> None:
    made, _ = await bench.do(MakeDirectory("/a/b", "www-data"))
    assert isinstance(made, Filesystem)
    assert (await bench.sh("stat -c '%n %a %U' /a /a/b", made))[1].splitlines() == [
        "/a 755 www-data",
        "/a/b 755 www-data",
    ]
    assert (await bench.do(MakeDirectory("/a/b"), made))[0] == made


# Mounts


async def test_bind_mounts(bench: Bench) -> None:
    """Of the context without what is ignored, and of layers; what is written there is not kept."""
    (bench.context / "f").write_text("from the context")
    (bench.context / "secret").write_text("x")
    source = Source(str(bench.context), excludes=("secret",))
    made, printed = await bench.sh("cat /c/f; ls /c; touch /c/new", mounts=(BindMount("/c", source),))
    assert printed == "from the contextf\ntouch: /c/new: Read-only file system\n"
    assert made == Exited(1)
    made, _ = await bench.sh("echo changed > /c/f", mounts=(BindMount("/c", source, writable=True),))
    assert made == bench.base
    assert (bench.context / "f").read_text() == "from the context"
    first, _ = await bench.sh("echo layer > /f")
    assert isinstance(first, Filesystem)
    _, printed = await bench.sh("cat /m", mounts=(BindMount("/m", Source(chain=first.chain), "/f"),))
    assert printed == "layer\n"


async def test_cache_mounts_outlive_steps(bench: Bench) -> None:
    cache = CacheMount("/cache", "one", "locked")
    made, _ = await bench.sh("echo kept > /cache/f", mounts=(cache,))
    assert made == bench.base
    assert (await bench.sh("cat /cache/f", mounts=(cache,)))[1] == "kept\n"
    _, printed = await bench.sh(
        "ls /cache; stat -c '%a %u' /cache", mounts=(CacheMount("/cache", "two", uid=5, mode=0o700),)
    )
    assert printed == "700 5\n"


async def test_cache_mounts_begin_with_files_of_a_filesystem(bench: Bench) -> None:
    first, _ = await bench.sh(
        "mkdir -p /deps/x && echo one > /deps/x/f && chown 7 /deps && chmod 750 /deps && touch /loose"
    )
    other, _ = await bench.sh("mkdir /deps && echo two > /deps/g")
    assert isinstance(first, Filesystem)
    assert isinstance(other, Filesystem)
    cache = CacheMount("/c", "one", base=Source(chain=first.chain), path="/deps")
    made, printed = await bench.sh("stat -c '%u %a' /c; cat /c/x/f; rm /c/x/f; echo kept > /c/x/h", mounts=(cache,))
    assert (made, printed) == (bench.base, "7 750\none\n")
    assert (await bench.sh("ls /c/x", mounts=(cache,)))[1] == "h\n"
    others = (
        CacheMount("/c", "one"),
        CacheMount("/d", "one", base=Source(chain=other.chain), path="/deps"),
        CacheMount("/e", "two", base=Source(chain=first.chain), path="/deps"),
    )
    assert (await bench.sh("ls /c /d /e/x", mounts=others))[1] == "/c:\n\n/d:\ng\n\n/e/x:\nf\n"
    with pytest.raises(InvalidError, match='a cache cannot begin with "/loose": it is no directory'):
        await bench.sh("", mounts=(CacheMount("/c", "three", base=Source(chain=first.chain), path="/loose"),))
    with pytest.raises(NotFoundError, match='"/nope": not found'):
        await bench.sh("", mounts=(CacheMount("/c", "three", base=Source(chain=first.chain), path="/nope"),))
    async with asyncio.TaskGroup() as group:
        side = CacheMount("/c", "side", base=Source(chain=first.chain), path="/deps")
        steps = [group.create_task(bench.sh("cat /c/x/f", mounts=(side,))) for _ in range(3)]
    assert [step.result()[1] for step in steps] == ["one\n"] * 3
    assert len(os.listdir(bench.root / "runtime/build-caches")) == 5


async def test_secrets_are_in_memory_and_nowhere_else(bench: Bench) -> None:
    secret = FileMount("/run/secrets/s", b"hush-hush", uid=7)
    made, printed = await bench.sh("stat -c '%a %u' /run/secrets/s; cat /run/secrets/s", mounts=(secret,))
    assert printed == "400 7\nhush-hush"
    assert made == bench.base
    found = [path for path in bench.root.rglob("*") if path.is_file() and b"hush-hush" in path.read_bytes()]
    assert found == []


async def test_memory_mounts(bench: Bench) -> None:
    mounts = (TmpfsMount("/t", 1 << 20),)
    made, printed = await bench.sh("df -k /t | awk 'NR==2 {print $2}'; touch /t/x", mounts=mounts)
    assert printed == "1024\n"
    assert made == bench.base


@pytest.mark.parametrize("oci_runtime", ["runc"])
async def test_steps_by_another_runtime(bench: Bench) -> None:
    """All kinds of mounts, output, exit codes and layers are the same."""
    (bench.context / "f").write_text("context\n")
    mounts = (
        BindMount("/c", Source(str(bench.context))),
        CacheMount("/cache", "one"),
        TmpfsMount("/t"),
        FileMount("/run/secrets/s", b"secret\n"),
    )
    made, printed = await bench.sh("cat /c/f /run/secrets/s; touch /cache/x /t/x; echo kept > /kept", mounts=mounts)
    assert isinstance(made, Filesystem)
    assert printed == "context\nsecret\n"
    assert (await bench.sh("cat /kept; ls -d /c /t /cache 2>/dev/null; exit 3", made)) == (Exited(3), "kept\n")
    with pytest.raises(StartError, match="no such file or directory"):
        await bench.do(bench.run("/missing"))


# Digests


async def test_a_digest_is_of_names_modes_and_contents(bench: Bench) -> None:
    path = bench.context / "dir" / "f"
    path.parent.mkdir()
    path.write_text("one")
    source = Source(str(bench.context))

    async def digest() -> str:
        return await bench.door.digest_files(source, ["dir"])

    first = await digest()
    os.utime(path, (1, 1))
    assert await digest() == first
    path.write_text("two")
    second = await digest()
    path.chmod(0o600)
    third = await digest()
    path.rename(path.with_name("g"))
    fourth = await digest()
    os.symlink("g", path)
    fifth = await digest()
    assert len({first, second, third, fourth, fifth}) == 5
    with pytest.raises(NotFoundError, match=r'^"/nope": not found$'):
        await bench.door.digest_files(source, ["nope"])


async def test_a_digest_is_of_attributes_and_of_where_a_match_lies(bench: Bench) -> None:
    """Capabilities are copied, and so is the path with `--parents`."""
    path = bench.context / "a" / "f"
    path.parent.mkdir()
    path.write_text("same")
    source = Source(str(bench.context))
    plain = await bench.door.digest_files(source, ["*/f"])
    path.parent.rename(bench.context / "b")
    moved = await bench.door.digest_files(source, ["*/f"])
    os.setxattr(bench.context / "b/f", "security.capability", CAPABILITY)
    assert len({plain, moved, await bench.door.digest_files(source, ["*/f"])}) == 3


async def test_a_copy_that_is_cancelled_ends_before_its_root(
    bench: Bench, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its descriptors may be others' by then (the fixture looks for leftovers)."""
    (bench.context / "f").write_text("x")
    held = Held(monkeypatch, Copier, "copy")
    copying = asyncio.ensure_future(bench.do(Copy(Source(str(bench.context)), ("f",), "/f")))
    await asyncio.wait_for(held.begun.wait(), 10)
    [step] = images.snapshots.containers()
    copying.cancel()
    await asyncio.wait([copying], timeout=0.1)
    assert images.snapshots.containers() == [step]
    held.let_go()
    await asyncio.wait([copying])
    assert copying.cancelled()


def test_modes() -> None:
    from pybernetes.runtime.building.modes import change_mode, is_mode

    table = [
        ("644", 0o777, False, 0o644),
        ("+x", 0o644, False, 0o755),
        ("go-rwx", 0o755, False, 0o700),
        ("u=rwX,go=rX", 0o600, False, 0o644),
        ("u=rwX,go=rX", 0o600, True, 0o755),
        ("a=r,u+w", 0o777, False, 0o644),
        ("u+s,+t", 0o755, False, 0o5755),
        ("g=u", 0o740, False, 0o770),
    ]
    assert [(text, change_mode(text, mode, directory)) for text, mode, directory, _ in table] == [
        (text, made) for text, _, _, made in table
    ]
    assert not any(map(is_mode, ("", "9", "u", "rwx", "u=q", "12345")))


def test_the_resolver_of_steps() -> None:
    from pybernetes.runtime.building.resolver import PUBLIC, step_resolver

    assert step_resolver("nameserver 10.0.0.1\nsearch a b\noptions ndots:2\n", "").servers == ["10.0.0.1"]
    stub = step_resolver("nameserver 127.0.0.53\n", "nameserver 192.0.2.1\n# c\nsearch x\n")
    assert (stub.servers, stub.searches) == (["192.0.2.1"], ["x"])
    assert step_resolver("nameserver ::1\nsearch a\n", "").servers == list(PUBLIC)


def test_nothing_but_times_of_making_differs(tmp_path: Path) -> None:
    """The same files give the same archive, whatever the order in which they came."""
    from pybernetes.runtime.snapshots.pack import pack

    digests = set()
    for number, names in enumerate((("a", "b"), ("b", "a"))):
        root = tmp_path / str(number)
        root.mkdir()
        for name in names:
            (root / name).write_text(name)
            os.utime(root / name, (5, 5))
        fd = os.open(root, os.O_RDONLY)
        with (tmp_path / f"{number}.tar.gz").open("wb", buffering=0) as target:
            packed = pack(fd, target.fileno())
        os.close(fd)
        digests.add(packed.diff_id)
        assert stat.S_ISREG((root / "a").stat().st_mode)
        assert (packed.members, packed.inodes, packed.size) == (2, 2, 2)
    assert len(digests) == 1


async def test_a_copy_that_is_given_up_keeps_its_root_until_it_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were its descriptor closed below it, it would write to whatever is opened next."""
    begun, go_on, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()
    roots: list[str] = []

    def copy(tree: object, root: Root, operation: Copy, staging: Path) -> None:
        descriptor = root.fd
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        roots.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr("pybernetes.runtime.building.service._copy", copy)
    (bench.context / "file").write_text("content")
    step = asyncio.ensure_future(bench.do(Copy(Source(str(bench.context)), ("file",), "/")))
    await asyncio.wait_for(begun.wait(), 10)
    step.cancel()
    for _ in range(100):
        await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert [Path(root).name for root in roots] == ["rootfs"]
