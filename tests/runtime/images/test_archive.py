"""Images in files, and names that were given on this machine."""

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from tests.images import Image, Tree, busybox, encode, nginx
from tests.registries import Registry
from tests.runtime.images.conftest import OpenImages

from pybernetes.cri import types as t
from pybernetes.cri.errors import ImageNotFoundError, InvalidError, PullError
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.service import Images

SMALL = Image([Tree().file("a", "1").layer(), Tree().file("b", "2").layer()], {"Cmd": ["/a"]})


def archive(members: dict[str, bytes], links: dict[str, str] | None = None) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    buffer.seek(0)
    return buffer


def docker_save(image: Image, *tags: str) -> io.BytesIO:
    """As Docker before 25 writes it: a folder per layer, the second one shared through a link."""
    tars = [gzip.decompress(layer.blob) for layer in image.layers]
    entry = {"Config": "config.json", "RepoTags": list(tags), "Layers": ["one/layer.tar", "two/layer.tar"]}
    members = {"config.json": image.config, "manifest.json": encode([entry]), "one/layer.tar": tars[0]}
    return archive({**members, "real/layer.tar": tars[1]}, {"two/layer.tar": "../real/layer.tar"})


async def content_of(images: Images, name: str) -> dict[str, str]:
    root = await images.snapshots.mount(images.resolve(name), "look")
    try:
        return {path.name: path.read_text() for path in root.iterdir()}
    finally:
        await images.snapshots.remove("look")


async def test_a_layout_is_loaded_from_a_directory_a_file_and_a_stream(images: Images, tmp_path: Path) -> None:
    directory = SMALL.write_layout(tmp_path / "layout", "small:dir")
    file = SMALL.write_archive(tmp_path / "small.tar", "small:file")
    compressed = io.BytesIO(gzip.compress(SMALL.write_archive(tmp_path / "other.tar").read_bytes()))

    assert await images.load(directory) == ["docker.io/library/small:dir"]
    assert await images.load(file) == ["docker.io/library/small:file"]
    assert await images.load(compressed) == [SMALL.id]
    assert await images.load(directory, name="renamed") == ["docker.io/library/renamed:latest"]

    assert images.resolve("renamed") == SMALL.id
    assert await content_of(images, "small:file") == {"a": "1", "b": "2"}
    assert images.image_ref(SMALL.id) == SMALL.id
    assert sorted(os.listdir(directory)) == ["blobs", "index.json", "oci-layout"]
    assert os.listdir(tmp_path / "runtime/snapshots/staging") == []


async def test_what_docker_saves_is_loaded(images: Images) -> None:
    names = await images.load(docker_save(SMALL, "app:v1", "registry.example/app:v2"))
    assert names == ["docker.io/library/app:v1", "registry.example/app:v2"]
    assert images.resolve("app:v1") == SMALL.id
    assert await content_of(images, "app:v1") == {"a": "1", "b": "2"}


async def test_what_skopeo_writes_is_loaded(images: Images, registry: Registry, tmp_path: Path) -> None:
    source = f"docker://{registry.host}/library/busybox:1"
    for kind in ("docker-archive", "oci-archive"):
        path = tmp_path / f"{kind}.tar"
        registry.skopeo("copy", "--src-tls-verify=false", source, f"{kind}:{path}:loaded/{kind}:v1")
        assert await images.load(path) == [f"docker.io/loaded/{kind}:v1"]
    assert images.resolve("loaded/oci-archive:v1") == busybox().id


async def test_what_is_saved_can_be_loaded_here_and_by_others(
    images: Images, open_images: OpenImages, registry: Registry, tmp_path: Path
) -> None:
    await images.pull("busybox")
    await images.pull("nginx:1.16.0")
    saved = tmp_path / "saved.tar"
    with saved.open("wb") as file:
        await images.save(["busybox", nginx("1.16.0").id], file)

    async with open_images(RegistryOptions(), root="other") as other:
        names = ["docker.io/library/busybox:latest", "docker.io/library/nginx:1.16.0"]
        assert await other.load(saved) == names
        assert other.resolve("busybox") == busybox().id
    seen = registry.skopeo("inspect", "--config", f"docker-archive:{saved}:docker.io/library/busybox:latest")
    assert json.loads(seen)["config"]["Cmd"] == ["sh"]
    seen = registry.skopeo("inspect", "--raw", f"oci-archive:{saved}:1.16.0")
    assert json.loads(seen) == json.loads(nginx("1.16.0").manifest)


async def test_saving_the_same_twice_gives_the_same_bytes(images: Images) -> None:
    await images.pull("busybox")
    copies = [io.BytesIO(), io.BytesIO()]
    for copy in copies:
        await images.save(["busybox"], copy)
    assert copies[0].getvalue() == copies[1].getvalue()
    with pytest.raises(ImageNotFoundError, match='image "absent": not found'):
        await images.save(["absent"], io.BytesIO())


@pytest.mark.parametrize(
    ("members", "links", "words"),
    [
        ({"readme": b"x"}, {}, "neither an OCI layout"),
        ({"index.json": b"{"}, {}, "invalid manifest"),
        ({"index.json": SMALL.manifest}, {}, "is no index"),
        ({"index.json": encode({"manifests": SMALL.blobs[:1]})}, {}, "archive has no file"),
        ({"manifest.json": b"{}"}, {}, "invalid manifest.json"),
        ({"manifest.json": b'[{"Config":"../../../../etc/hostname"}]'}, {}, "archive has no file"),
        ({"manifest.json": b'[{"Config":"c"}]'}, {"c": "/etc/hostname"}, "archive has no file"),
        ({"manifest.json": b'[{"Config":"c"}]'}, {"c": "d", "d": "c"}, "archive has no file"),
        ({"manifest.json": b'[{"Config":"c","RepoTags":["../x"]}]', "c": SMALL.config}, {}, "a bad name"),
        ({"manifest.json": b'[{"Config":"c"}]', "c": SMALL.config}, {}, "mismatched image rootfs"),
        ({"manifest.json": b'[{"Config":"c"}]', "c": b"[]"}, {}, "invalid image config"),
    ],
)
async def test_a_bad_archive_is_refused(
    images: Images, tmp_path: Path, members: dict[str, bytes], links: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidError, match="failed to load archive") as refused:
        await images.load(archive(members, links))
    assert words in str(refused.value)
    assert await images.list_images() == []
    assert os.listdir(tmp_path / "runtime/snapshots/staging") == []


async def test_a_layout_cannot_link_out_of_itself(images: Images, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    layout.mkdir()
    (tmp_path / "outside.json").write_bytes(encode({"manifests": []}))
    (layout / "index.json").symlink_to("../outside.json")
    with pytest.raises(InvalidError, match="neither an OCI layout"):
        await images.load(layout)


async def test_a_blob_that_is_not_its_digest_is_refused(images: Images, tmp_path: Path) -> None:
    layout = SMALL.write_layout(tmp_path / "layout")
    digest = str(SMALL.blobs[2]["digest"]).removeprefix("sha256:")
    (layout / "blobs/sha256" / digest).write_bytes(b"other")
    with pytest.raises(InvalidError, match="content has digest"):
        await images.load(layout)


async def test_a_name_given_here_counts_as_present_at_its_registry(images: Images, registry: Registry) -> None:
    """`Always` finds it, though its registry has another image of the name, or is away, or does not exist."""
    for name in ("busybox:1", "registry.invalid/app:v1", "127.0.0.1:1/app"):
        await images.load(docker_save(SMALL, name))
        before = registry.log.stat().st_size
        assert await images.pull_image(t.ImageSpec(image=name)) == SMALL.id
        assert registry.log.stat().st_size == before


async def test_an_explicit_pull_asks_the_registry_again(images: Images) -> None:
    await images.load(docker_save(SMALL, "busybox:1"))
    assert await images.pull("busybox:1", force=True) == busybox().id
    assert await images.pull("busybox:1") == busybox().id
    assert "busybox:1" not in {
        name for image in await images.list_images() if image.id == SMALL.id for name in image.repo_tags
    }


async def test_a_name_that_is_taken_away_no_longer_counts(images: Images) -> None:
    await images.load(docker_save(SMALL, "busybox:1"))
    await images.untag("busybox:1")
    assert images.resolve(SMALL.id) == SMALL.id
    assert await images.pull("busybox:1") == busybox().id


async def test_a_tag_is_one_more_name(images: Images) -> None:
    await images.pull("busybox")
    await images.tag("busybox", "127.0.0.1:1/team/box:v1")
    assert await images.pull("127.0.0.1:1/team/box:v1") == busybox().id
    with pytest.raises(ImageNotFoundError):
        await images.tag("absent", "other")
    with pytest.raises(InvalidError):
        await images.tag("busybox", "nginx@latest")


async def test_a_pushed_image_is_its_registrys(images: Images, registry: Registry) -> None:
    name = f"{registry.host}/team/small:v1"
    await images.load(docker_save(SMALL, name))
    digest = await images.push(name)
    assert await images.push(name) == digest

    assert images.image_ref(SMALL.id) == f"{registry.host}/team/small@{digest}"
    seen = json.loads(registry.skopeo("inspect", "--tls-verify=false", f"docker://{name}"))
    assert seen["Digest"] == digest
    before = registry.log.stat().st_size
    assert await images.pull(name) == SMALL.id
    assert registry.log.stat().st_size > before


async def test_a_pushed_image_can_be_pulled_elsewhere(
    images: Images, open_images: OpenImages, registry: Registry
) -> None:
    big = Image([Tree().file("random", os.urandom(9 << 20)).layer()])
    name = f"{registry.host}/team/big"
    await images.load(docker_like(big, name))
    await images.push(name)
    async with open_images(RegistryOptions(), root="other") as other:
        assert await other.pull(name) == big.id


def docker_like(image: Image, name: str) -> io.BytesIO:
    members = {
        f"blobs/sha256/{str(blob['digest'])[7:]}": data for blob, data in zip(image.blobs, image.data, strict=True)
    }
    entry = {**image.blobs[0], "annotations": {"io.containerd.image.name": name}}
    return archive({**members, "index.json": encode({"manifests": [entry]})})


async def test_blobs_of_another_repository_are_mounted_not_sent(images: Images, registry: Registry) -> None:
    here = f"{registry.host}/library/nginx:1.16.0"
    await images.pull(here)
    await images.tag(here, f"{registry.host}/copy/nginx:1")
    before = registry.log.read_text().count('"PATCH /')
    await images.push(f"{registry.host}/copy/nginx:1")
    assert registry.log.read_text().count('"PATCH /') == before


async def test_a_push_that_fails_says_so(images: Images) -> None:
    await images.load(docker_save(SMALL, "127.0.0.1:1/app"))
    with pytest.raises(PullError, match=r'failed to push image "127\.0\.0\.1:1/app:latest": .*connection refused'):
        await images.push("127.0.0.1:1/app")
    with pytest.raises(ImageNotFoundError):
        await images.push("absent")
