"""Layers to directories: what an honest archive becomes, and what a hostile one may not do."""

import gzip
import os
import stat
import struct
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from tests.images import Tree, digest_of

from pybernetes.runtime.snapshots.unpack import OPAQUE, Applied, LayerError, Limits, unpack

NO_LIMITS = Limits()
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def canary(tmp_path: Path) -> Path:
    """A file next to the root that no layer may change."""
    path = tmp_path / "canary"
    path.write_text("untouched")
    return path


def apply(root: Path, data: bytes, limits: Limits = NO_LIMITS) -> Applied:
    blob = root.parent / "blob"
    blob.write_bytes(data)
    blob_fd, root_fd = os.open(blob, os.O_RDONLY), os.open(root, os.O_RDONLY)
    try:
        return unpack(blob_fd, root_fd, limits)
    finally:
        os.close(blob_fd)
        os.close(root_fd)
        assert (root.parent / "canary").read_text() == "untouched"
        assert sorted(os.listdir(root.parent)) == ["blob", "canary", "root"]


def refused(root: Path, tree: Tree) -> str:
    with pytest.raises(LayerError) as error:
        apply(root, tree.tar())
    return str(error.value)


# Honest layers


def test_every_kind_of_member_is_made(root: Path) -> None:
    tree = (
        Tree().directory("d", mode=0o1777, uid=7, gid=8, mtime=1000).file("d/f", "text", 0o4755, uid=3, gid=4, mtime=5)
    )
    tree.symlink("link", "/etc/passwd").hardlink("again", "d/f")
    tree.add("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
    tree.add("disk", tarfile.BLKTYPE, devmajor=7, devminor=9).add("pipe", tarfile.FIFOTYPE, mode=0o600)

    applied = apply(root, tree.tar())

    directory, file = (root / "d").stat(), (root / "d/f").stat()
    assert (stat.S_IMODE(directory.st_mode), directory.st_uid, directory.st_gid, directory.st_mtime) == (
        0o1777,
        7,
        8,
        1000,
    )
    assert (stat.S_IMODE(file.st_mode), file.st_uid, file.st_gid, file.st_mtime) == (0o4755, 3, 4, 5)
    assert file.st_ino == (root / "again").stat().st_ino
    assert os.readlink(root / "link") == "/etc/passwd"
    assert (root / "null").stat().st_rdev == os.makedev(1, 3)
    assert (root / "disk").stat().st_rdev == os.makedev(7, 9)
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)
    assert (applied.size, applied.inodes, applied.implied) == (4, 6, {b""})


@pytest.mark.parametrize(
    "compress",
    [
        bytes,
        gzip.compress,
        zstandard.compress,
        lambda tar: gzip.compress(tar[:700]) + gzip.compress(tar[700:]),
        lambda tar: zstandard.compress(tar[:700]) + zstandard.compress(tar[700:]),
        lambda tar: gzip.compress(tar) + b"\0" * 100,
    ],
)
def test_compression_is_told_from_the_content(root: Path, compress: Callable[[bytes], bytes]) -> None:
    data = os.urandom(3 << 20) + b"\0" * (3 << 20)
    tar = Tree().file("f", data).file("g", "after").tar()

    assert apply(root, compress(tar)).diff_id == digest_of(tar)
    assert (root / "f").read_bytes() == data
    assert (root / "g").read_text() == "after"


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_the_three_formats_are_read(root: Path, format: int) -> None:
    name = "/".join(["n" * 90] * (2 if format == tarfile.USTAR_FORMAT else 20))
    link = "l" * (90 if format == tarfile.USTAR_FORMAT else 300)
    blob = root.parent / "blob"
    with tarfile.open(blob, "w", format=format) as tar:
        info = tarfile.TarInfo(name)
        info.uid = 2_000_000
        tar.addfile(info)
        symlink = tarfile.TarInfo("link")
        symlink.type, symlink.linkname = tarfile.SYMTYPE, link
        tar.addfile(symlink)

    apply(root, blob.read_bytes())
    assert (root / name).stat().st_uid == 2_000_000
    assert os.readlink(root / "link") == link


def test_capabilities_and_user_attributes_are_kept_and_no_others(root: Path) -> None:
    attributes = {
        "SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1"),
        "SCHILY.xattr.user.note": "a\nb=c",
        "SCHILY.xattr.trusted.overlay.redirect": "/../../etc",
        "SCHILY.xattr.user.overlay.opaque": "y",
    }
    apply(root, Tree().file("f", "x", 0o755, uid=5, pax_headers=attributes).tar())

    assert sorted(os.listxattr(root / "f")) == ["security.capability", "user.note"]
    assert os.getxattr(root / "f", "security.capability") == CAPABILITY
    assert os.getxattr(root / "f", "user.note") == b"a\nb=c"


def test_whiteouts_become_overlayfs_own(root: Path) -> None:
    tree = Tree().directory("d").file("d/.wh..wh..opq").file("d/.wh.gone").file("d/.wh..wh.plnk", "aufs")
    apply(root, tree.file("d/kept", "x").file(".wh.top").tar())

    assert set(os.listdir(root / "d")) == {"gone", "kept"}
    for path in (root / "d/gone", root / "top"):
        assert stat.S_ISCHR(path.stat().st_mode)
        assert path.stat().st_rdev == 0
    assert os.getxattr(root / "d", OPAQUE) == b"y"


def test_a_whiteout_says_nothing_of_its_own_layer(root: Path) -> None:
    apply(root, Tree().file("before", "1").file(".wh.before").file(".wh.after").file("after", "2").tar())
    assert (root / "before").read_text() == "1"
    assert (root / "after").read_text() == "2"


def test_a_later_member_replaces_an_earlier_one(root: Path) -> None:
    tree = Tree().file("a", "1").file("a", "2").directory("b").file("b/f", "x").symlink("b", "a")
    tree.symlink("c", "a").directory("c").file("c/f", "3").directory("d", mode=0o700).directory("d", mode=0o755)
    applied = apply(root, tree.tar())

    assert (root / "a").read_text() == "2"
    assert os.readlink(root / "b") == "a"
    assert (root / "c/f").read_text() == "3"
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o755
    assert applied.inodes >= len(list(root.rglob("*")))


def test_directories_that_nobody_described_are_noted(root: Path) -> None:
    applied = apply(root, Tree().directory(".").file("a/b/c", "x").directory("a/b").tar())
    assert applied.implied == {b"a"}
    assert (root / "a/b/c").read_text() == "x"


# Hostile layers


@pytest.mark.parametrize("name", ["../canary", "a/../../canary", "/../canary", "..", "a/..", "./.././canary"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
def test_names_that_leave_the_layer_are_refused(root: Path, name: str, kind: bytes) -> None:
    assert "leaves the layer" in refused(root, Tree().add(name, kind, linkname="x"))


def test_an_absolute_name_is_below_the_root(root: Path, canary: Path) -> None:
    apply(root, Tree().file(str(canary), "attack").tar())
    assert (root / str(canary).lstrip("/")).read_text() == "attack"


@pytest.mark.parametrize(
    "target", ["..", "/", "../..", "../../../../../../../..", "/proc/self/root", "/proc/self/cwd/.."]
)
def test_a_link_is_followed_within_the_layer_only(root: Path, canary: Path, target: str) -> None:
    tree = Tree().directory("proc", "proc/self").symlink("proc/self/root", "/").symlink("proc/self/cwd", "/")
    tree.symlink("out", target).file("out/canary", "attack").file(f"out{canary}", "attack")
    apply(root, tree.tar())
    assert (root / "canary").read_text() == "attack"


def test_a_link_swapped_for_a_parent_is_not_followed(root: Path, canary: Path) -> None:
    """The parent's descriptor may not outlive the parent."""
    outside = str(canary.parent)
    tree = Tree().directory("a").file("a/x", "1").symlink("a", outside).file("a/canary", "attack")
    refused(root, tree)


def test_hard_links_stay_in_the_layer(root: Path, canary: Path) -> None:
    assert "leaves the layer" in refused(root, Tree().hardlink("h", "../canary"))
    assert "cannot be made" in refused(root, Tree().hardlink("h", str(canary)))
    assert "cannot be made" in refused(root, Tree().symlink("s", str(canary.parent)).hardlink("h", "s/canary"))


def test_a_hard_link_to_a_link_is_the_link(root: Path, canary: Path) -> None:
    apply(root, Tree().symlink("s", str(canary)).hardlink("h", "s").tar())
    assert os.readlink(root / "h") == str(canary)


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh..", "d/.wh..."])
def test_a_whiteout_of_a_parent_is_refused(root: Path, name: str) -> None:
    assert "malformed whiteout" in refused(root, Tree().directory("d").file(name))


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (Tree().file("f", "x").file("f/g", "y"), "cannot be made"),
        (Tree().file("n" * 300), "cannot be made: File name too long"),
        (Tree().symlink("loop", "loop").file("loop/f"), "cannot be made"),
        (Tree().symlink("lost", "nowhere").file("lost/f"), "a link to nowhere"),
        (Tree().add("f", b"S"), "is of type b'S'"),
        (Tree().file("."), "a root that is no directory"),
        (Tree().file("f", uid=(1 << 32) - 1), "an owner that does not exist"),
        (Tree().file("f", pax_headers={"size": "-1"}), "malformed size"),
        (Tree().file("f", pax_headers={"path": "a\0b"}), "bad name"),
        (Tree().file("f", pax_headers={"path": "x/" * 3000}), "bad name"),
        (Tree().file("f", pax_headers={"comment": "x" * (2 << 20)}), "an extended header of"),
    ],
)
def test_what_no_layer_may_have_is_refused(root: Path, tree: Tree, words: str) -> None:
    assert words in refused(root, tree)


def test_damaged_archives_are_refused(root: Path) -> None:
    tar = Tree().file("f", "x" * 5000).tar()
    for data in (tar[:1000], gzip.compress(tar)[:-20], b"no archive at all" * 100):
        with pytest.raises(LayerError):
            apply(root, data)
        for path in root.iterdir():
            path.unlink()


def test_an_archive_may_end_without_its_last_padding(root: Path) -> None:
    """As those do that docker's client rewrites."""
    data = Tree().file("a", "1").file("b", "2").tar()
    end = data.rstrip(b"\0")
    assert end.endswith(b"2")
    apply(root, end)
    assert (root / "b").read_text() == "2"


def test_a_bomb_is_refused_before_it_fills_the_disk(root: Path) -> None:
    bomb = gzip.compress(Tree().file("bomb", b"\0" * (8 << 20)).tar())
    assert len(bomb) < 10_000
    with pytest.raises(LayerError, match="larger than 1048576 bytes"):
        apply(root, bomb, Limits(size=1 << 20))
    assert list(root.iterdir()) == []


def test_too_many_members_are_refused(root: Path) -> None:
    tree = Tree()
    for number in range(101):
        tree.file(f"f{number}")
    with pytest.raises(LayerError, match="more than 100 members"):
        apply(root, tree.tar(), Limits(entries=100))


def test_a_full_disk_is_the_disks_fault(root: Path) -> None:
    with pytest.raises(OSError, match="no space left on device"):
        apply(root, Tree().file("f", "x").tar(), Limits(spare=1 << 60))


def test_a_hundred_thousand_files_are_unpacked() -> None:
    header = bytearray(Tree().file("0000000/00000", "").tar()[:512])
    blocks = bytearray()
    for number in range(100_000):
        header[0:13] = b"%07d/%05d" % (number // 1000, number)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        blocks += header

    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        root = Path(memory) / "root"
        root.mkdir()
        (Path(memory) / "canary").write_text("untouched")
        applied = apply(root, bytes(blocks) + bytes(1024))
        assert applied.inodes == 100_000 + 100
        assert len(os.listdir(root / "0000099")) == 1000
