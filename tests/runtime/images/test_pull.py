"""Pulling from a real registry."""

import asyncio
import json
import os
import stat
import time
from pathlib import Path

import pytest
from tests.images import NGINX_VERSIONS, Image, Tree, busybox, nginx
from tests.registries import Registry, running_registry
from tests.runtime.images.conftest import OpenImages

from pybernetes.cri import types as t
from pybernetes.cri.errors import ImageNotFoundError, InvalidError, PullError
from pybernetes.cri.service import PullProgress
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.service import Images

BCRYPT_OF_SECRET = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"


def spec(name: str) -> t.ImageSpec:
    return t.ImageSpec(image=name)


async def test_pull_by_tag_unpacks_the_image(images: Images) -> None:
    image_id = await images.pull_image(spec("busybox"))

    assert image_id == busybox().id
    status = await images.image_status(spec("busybox:latest"))
    assert status is not None
    assert status.repo_tags == ["docker.io/library/busybox:latest"]
    assert status.repo_digests == [f"docker.io/library/busybox@{busybox().digest}"]
    assert images.config(image_id).cmd == ("sh",)
    root = await images.snapshots.mount(image_id, "c1")
    assert (root / "bin/busybox").stat().st_ino == (root / "bin/sh").stat().st_ino
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777
    await images.snapshots.remove("c1")
    assert not root.exists()


async def test_pull_by_digest_finds_the_image_of_the_tag(images: Images) -> None:
    name = f"nginx@{nginx('1.17.0').digest}"

    assert await images.pull_image(spec(name)) == nginx("1.17.0").id
    assert images.resolve(name) == images.resolve(nginx("1.17.0").id) == nginx("1.17.0").id
    assert images.image_ref(nginx("1.17.0").id) == f"docker.io/library/nginx@{nginx('1.17.0').digest}"


async def test_status_knows_an_image_by_every_name_of_it(images: Images) -> None:
    image_id = await images.pull_image(spec("busybox"))
    await images.pull_image(spec("busybox:1"))
    hexadecimal = image_id.removeprefix("sha256:")

    for name in ("busybox", "docker.io/library/busybox:1", image_id, hexadecimal, hexadecimal[:12]):
        status = await images.image_status(spec(name))
        assert status is not None, name
        assert status.repo_tags == ["docker.io/library/busybox:latest", "docker.io/library/busybox:1"]
    assert await images.image_status(spec("busybox:2")) is None
    assert await images.image_status(spec("nginx@latest")) is None
    assert len(await images.list_images()) == 1
    assert await images.list_images(t.ImageFilter(image=spec("nginx"))) == []


async def test_images_share_the_layers_that_they_have_in_common(images: Images, tmp_path: Path) -> None:
    for version in NGINX_VERSIONS:
        await images.pull_image(spec(f"nginx:{version}"))

    layers = os.listdir(tmp_path / "runtime/snapshots/layers")
    different = {layer.diff_id for version in NGINX_VERSIONS for layer in nginx(version).layers}
    assert len(layers) == 1 + 2 * len(NGINX_VERSIONS)
    assert len(different) == 2 + len(NGINX_VERSIONS)


async def test_an_image_that_does_not_exist_is_said_so_at_once(images: Images) -> None:
    started = time.monotonic()
    with pytest.raises(ImageNotFoundError) as missing:
        await images.pull_image(spec("nginx:1.18.30"))
    assert time.monotonic() - started < 2
    assert str(missing.value) == (
        'failed to pull and unpack image "docker.io/library/nginx:1.18.30": '
        'failed to resolve reference "docker.io/library/nginx:1.18.30": docker.io/library/nginx:1.18.30: not found'
    )


async def test_a_registry_that_nobody_serves_is_refused_by_name(images: Images) -> None:
    with pytest.raises(PullError) as refused:
        await images.pull_image(spec("127.0.0.1:1/team/app:v1"))
    assert str(refused.value) == (
        'failed to pull and unpack image "127.0.0.1:1/team/app:v1": '
        'failed to resolve reference "127.0.0.1:1/team/app:v1": failed to do request: '
        'Head "http://127.0.0.1:1/v2/team/app/manifests/v1": dial tcp 127.0.0.1:1: connect: connection refused'
    )


async def test_a_proxy_that_is_down_is_told_from_the_registry(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    with pytest.raises(PullError, match=r"proxyconnect tcp: dial tcp 127\.0\.0\.1:1: connect: connection refused$"):
        await images.pull("registry.invalid/team/app:v1")


async def test_a_host_without_an_address_is_refused_at_once(images: Images) -> None:
    started = time.monotonic()
    with pytest.raises(PullError, match=r"dial tcp: lookup registry\.invalid: no such host"):
        await images.pull_image(spec("registry.invalid/app"))
    assert time.monotonic() - started < 2


async def test_a_malformed_name_is_refused(images: Images) -> None:
    with pytest.raises(InvalidError, match=r'couldn\'t parse image name "nginx@latest": invalid reference format'):
        await images.pull_image(spec("nginx@latest"))


async def test_the_next_mirror_is_asked_when_one_is_down(registry: Registry, open_images: OpenImages) -> None:
    mirrors = RegistryOptions.parse_mirrors(["docker.io=http://127.0.0.1:1", f"docker.io={registry.url}/"])
    async with open_images(RegistryOptions(mirrors=mirrors)) as images:
        assert await images.pull_image(spec("busybox")) == busybox().id


async def test_a_pull_of_what_is_here_transfers_nothing(images: Images, registry: Registry) -> None:
    await images.pull_image(spec("nginx:1.16.0"))
    before = registry.log.read_text().count('"GET /')

    assert await images.pull_image(spec("nginx:1.16.0")) == nginx("1.16.0").id
    assert registry.log.read_text().count('"GET /') == before


async def test_several_pulls_of_one_image_are_one(images: Images, registry: Registry) -> None:
    before = registry.log.read_text().count('"GET /v2/library/nginx/blobs')
    heard: list[PullProgress] = []

    pulls = [images.pull("nginx:1.18.0", progress=heard.append) for _ in range(5)]
    assert set(await asyncio.gather(*pulls)) == {nginx("1.18.0").id}
    while (asked := registry.log.read_text().count('"GET /v2/library/nginx/blobs')) < before + 4:
        await asyncio.sleep(0.01)
    assert asked == before + 4
    ends = {step.digest: step for step in heard}
    assert all(step.done == step.total > 0 for step in ends.values())
    assert len(ends) == 4


async def test_a_cancelled_pull_leaves_the_others_alone(images: Images) -> None:
    first = asyncio.ensure_future(images.pull("nginx:1.17.0"))
    second = asyncio.ensure_future(images.pull("nginx:1.17.0"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == nginx("1.17.0").id
    assert first.cancelled()


async def test_an_index_is_answered_with_this_machines_image(
    tmp_path: Path, registry: Registry, images: Images
) -> None:
    mine = Image([Tree().file("mine").layer()])
    other = Image([Tree().file("other").layer()], architecture="s390x")
    index = registry.push_index("library/both:latest", mine, other)

    assert await images.pull_image(spec("both")) == mine.id
    assert images.image_ref(mine.id) == f"docker.io/library/both@{index}"


async def test_an_image_for_other_machines_only_is_refused(registry: Registry, images: Images) -> None:
    registry.push_index("library/foreign:latest", Image([Tree().file("other").layer()], architecture="s390x"))
    with pytest.raises(PullError, match="no match for platform in manifest: not found"):
        await images.pull_image(spec("foreign"))


async def test_a_moved_tag_leaves_the_old_image_by_its_digest(registry: Registry, images: Images) -> None:
    old, new = (Image([Tree().file("f", text).layer()]) for text in ("old", "new"))
    registry.push(old, "library/moving:latest")
    await images.pull_image(spec("moving"))
    registry.push(new, "library/moving:latest")

    assert await images.pull_image(spec("moving")) == new.id
    status = await images.image_status(spec(old.id))
    assert status is not None
    assert (status.repo_tags, status.repo_digests) == ([], [f"docker.io/library/moving@{old.digest}"])


async def test_images_are_there_after_a_restart(open_images: OpenImages) -> None:
    async with open_images() as images:
        await images.pull_image(spec("busybox"))
    async with open_images(RegistryOptions()) as images:
        assert images.resolve("busybox") == busybox().id
        assert (await images.list_images())[0].size > 500_000


async def test_removal_frees_what_no_other_image_needs(images: Images, tmp_path: Path) -> None:
    for version in NGINX_VERSIONS[:2]:
        await images.pull_image(spec(f"nginx:{version}"))
    await images.remove_image(spec("nginx:1.16.0"))
    await images.remove_image(spec("nginx:1.16.0"))

    blobs = set(os.listdir(tmp_path / "runtime/blobs/sha256"))
    kept = {blob["digest"] for blob in nginx("1.17.0").blobs}
    assert {f"sha256:{name}" for name in blobs} == kept
    assert len(os.listdir(tmp_path / "runtime/snapshots/layers")) == 3
    assert await images.image_status(spec("nginx:1.16.0")) is None
    await images.remove_image(spec(nginx("1.17.0").id))
    assert os.listdir(tmp_path / "runtime/blobs/sha256") == os.listdir(tmp_path / "runtime/snapshots/layers") == []


async def test_a_container_keeps_its_root_when_its_image_goes(images: Images) -> None:
    image_id = await images.pull_image(spec("busybox"))
    root = await images.snapshots.mount(image_id, "c1")
    await images.remove_image(spec("busybox"))

    assert (root / "bin/busybox").exists()
    await images.snapshots.unmount("c1")
    assert (await images.snapshots.mount(image_id, "c1") / "bin/busybox").exists()
    await images.snapshots.remove("c1")


async def test_the_file_system_is_accounted_for(images: Images) -> None:
    await images.pull_image(spec("busybox"))
    usage = (await images.image_fs_info()).image_filesystems[0]
    assert usage.used_bytes is not None
    assert usage.used_bytes.value > 2_000_000


async def test_credentials_are_asked_for_and_used(tmp_path: Path, open_images: OpenImages) -> None:
    htpasswd = tmp_path / "htpasswd"
    htpasswd.write_text(f"user:{BCRYPT_OF_SECRET}\n")
    with running_registry(tmp_path, htpasswd=htpasswd) as private:
        private.push(busybox(), "app:latest", credentials="user:secret")
        name = f"{private.host}/app"
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"auths": {private.host: {"auth": "dXNlcjpzZWNyZXQ="}}}))
        async with open_images(RegistryOptions()) as images:
            words = {
                None: "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
                "wrong": f"unexpected status from HEAD request to http://{private.host}/v2/app/manifests/latest: 401 Unauthorized",
            }
            for password, said in words.items():
                auth = t.AuthConfig(username="user", password=password) if password else None
                with pytest.raises(PullError) as denied:
                    await images.pull_image(spec(name), auth)
                assert str(denied.value).endswith(said)
            assert await images.pull_image(spec(name), t.AuthConfig(auth="dXNlcjpzZWNyZXQ=")) == busybox().id
        async with open_images(RegistryOptions(credentials=config), root="other") as images:
            assert await images.pull_image(spec(name)) == busybox().id
