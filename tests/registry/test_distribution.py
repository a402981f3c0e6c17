"""The distribution spec, request by request: statuses, headers, codes."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from tests.images import Image, busybox, digest_of, encode
from tests.registry.conftest import Served

from pybernetes.registry.uploads import Uploads

OCI = "application/vnd.oci.image"
MANIFEST, INDEX = f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
NOWHERE = f"sha256:{'0' * 64}"


async def push_blob(registry: Served, name: str, data: bytes) -> str:
    digest = digest_of(data)
    async with registry("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data=data) as answer:
        assert answer.status == 201, await answer.text()
    return digest


async def push_manifest(registry: Served, name: str, reference: str = "1", **fields: object) -> str:
    config = await push_blob(registry, name, b"{}")
    about = {"mediaType": f"{OCI}.config.v1+json", "digest": config, "size": 2}
    data = encode({"schemaVersion": 2, "mediaType": MANIFEST, "config": about, "layers": [], **fields})
    reference = digest_of(data) if reference == "digest" else reference
    async with registry(
        "PUT", f"/v2/{name}/manifests/{reference}", data=data, headers={"Content-Type": MANIFEST}
    ) as answer:
        assert answer.status == 201, await answer.text()
        assert answer.headers["Docker-Content-Digest"] == digest_of(data)
        assert answer.headers["Location"] == f"/v2/{name}/manifests/{digest_of(data)}"
    return digest_of(data)


async def code_of(registry: Served, method: str, path: str, **options: object) -> tuple[int, str]:
    async with registry(method, path, **options) as answer:
        return answer.status, json.loads(await answer.read())["errors"][0]["code"]


async def test_it_says_that_it_is_a_registry(registry: Served) -> None:
    async with registry("GET", "/v2/") as answer:
        assert answer.status == 200
        assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"


async def test_a_blob_in_one_request(registry: Served) -> None:
    data = bytes(range(256)) * 100
    digest = await push_blob(registry, "a/b", data)
    async with registry("HEAD", f"/v2/a/b/blobs/{digest}") as answer:
        assert (answer.status, answer.content_length) == (200, len(data))
        assert answer.headers["Docker-Content-Digest"] == digest
    async with registry("GET", f"/v2/a/b/blobs/{digest}") as answer:
        assert await answer.read() == data


async def test_a_blob_in_a_post_and_a_put(registry: Served) -> None:
    async with registry("POST", "/v2/a/blobs/uploads/") as answer:
        assert answer.status == 202
        location = answer.headers["Location"]
    async with registry("PUT", f"{location}?digest={digest_of(b'whole')}", data=b"whole") as answer:
        assert answer.status == 201
        assert answer.headers["Location"] == f"/v2/a/blobs/{digest_of(b'whole')}"


async def test_a_blob_in_chunks(registry: Served) -> None:
    async with registry("POST", "/v2/a/blobs/uploads/") as answer:
        location = answer.headers["Location"]
    async with registry("PATCH", location, data=b"first", headers={"Content-Range": "0-4"}) as answer:
        assert (answer.status, answer.headers["Range"]) == (202, "0-4")
    async with registry("GET", location) as answer:
        assert (answer.status, answer.headers["Range"]) == (204, "0-4")
    # Out of order: refused, and the answer says where to go on.
    async with registry("PATCH", location, data=b"third", headers={"Content-Range": "10-14"}) as answer:
        assert (answer.status, answer.headers["Range"]) == (416, "0-4")
        assert answer.headers["Location"] == location
    async with registry(
        "PUT", f"{location}?digest={digest_of(b'firstlast')}", data=b"last", headers={"Content-Range": "5-8"}
    ) as answer:
        assert answer.status == 201
    assert await code_of(registry, "GET", location) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_an_upload_goes_on_in_the_next_process(registry: Served) -> None:
    async with registry("POST", "/v2/a/blobs/uploads/") as answer:
        location = answer.headers["Location"]
    async with registry("PATCH", location, data=b"first"):
        pass
    again = await Uploads(registry.storage).find(location.rpartition("/")[2])
    assert (again.offset, again.digest) == (5, digest_of(b"first"))


async def test_a_cancelled_upload_is_gone(registry: Served) -> None:
    async with registry("POST", "/v2/a/blobs/uploads/") as answer:
        location = answer.headers["Location"]
    async with registry("DELETE", location) as answer:
        assert answer.status == 204
    assert await code_of(registry, "PATCH", location, data=b"x") == (404, "BLOB_UPLOAD_UNKNOWN")
    assert not list(registry.storage.uploads.iterdir())


async def test_an_upload_ends_once(registry: Served) -> None:
    """Of two who finish it one does; who still sends when it is cancelled is told."""
    for ends in ("PUT", "DELETE"):
        async with registry("POST", "/v2/a/blobs/uploads/") as answer:
            location = answer.headers["Location"]
        sending, go_on = asyncio.Event(), asyncio.Event()

        async def body(sending: asyncio.Event = sending, go_on: asyncio.Event = go_on) -> AsyncIterator[bytes]:
            yield b"some"
            sending.set()
            await go_on.wait()
            yield b"thing"

        path = f"{location}?digest={digest_of(b'something')}"
        first = asyncio.ensure_future(code_of(registry, "PUT", path, data=body()))
        await asyncio.wait_for(sending.wait(), 10)
        second = asyncio.ensure_future(code_of(registry, ends, path))
        await asyncio.wait([second], timeout=0.2)
        go_on.set()
        ended = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 10)
        assert (404, "BLOB_UPLOAD_UNKNOWN") in ended
        assert sum(isinstance(each, tuple) for each in ended) == 1
    assert not list(registry.storage.uploads.iterdir())


async def test_a_blob_that_is_not_its_digest_is_refused_and_not_kept(registry: Served) -> None:
    path = f"/v2/a/blobs/uploads/?digest={NOWHERE}"
    assert await code_of(registry, "POST", path, data=b"something") == (400, "DIGEST_INVALID")
    assert await code_of(registry, "POST", "/v2/a/blobs/uploads/?digest=md5:x", data=b"x") == (400, "DIGEST_INVALID")
    assert not list(registry.storage.uploads.iterdir())
    assert not list(registry.storage.blobs.iterdir())


async def test_a_manifest_that_is_not_its_digest_is_refused_and_not_kept(registry: Served) -> None:
    digest = await push_manifest(registry, "a")
    async with registry("GET", f"/v2/a/manifests/{digest}") as answer:
        data = b" " + await answer.read()
    headers = {"Content-Type": MANIFEST}
    found = await code_of(registry, "PUT", f"/v2/a/manifests/{NOWHERE}", data=data, headers=headers)
    assert found == (400, "DIGEST_INVALID")
    assert await code_of(registry, "GET", f"/v2/a/manifests/{digest_of(data)}") == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize(("range", "expected"), [("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89")])
async def test_a_part_of_a_blob(registry: Served, range: str, expected: bytes) -> None:
    digest = await push_blob(registry, "a", b"0123456789")
    async with registry("GET", f"/v2/a/blobs/{digest}", headers={"Range": range}) as answer:
        assert (answer.status, await answer.read()) == (206, expected)


async def test_a_mount_sends_nothing(registry: Served) -> None:
    digest = await push_blob(registry, "source", b"shared")
    async with registry("POST", f"/v2/target/blobs/uploads/?mount={digest}&from=source") as answer:
        assert (answer.status, answer.headers["Location"]) == (201, f"/v2/target/blobs/{digest}")
    async with registry("POST", f"/v2/target/blobs/uploads/?mount={NOWHERE}&from=source") as answer:
        assert answer.status == 202


async def test_what_the_machine_has_needs_no_upload(registry: Served) -> None:
    digest = digest_of(b"a layer of the cluster")
    place = registry.shared / digest.removeprefix("sha256:")
    place.write_bytes(b"a layer of the cluster")
    async with registry("HEAD", f"/v2/a/blobs/{digest}") as answer:
        assert answer.status == 200
    assert registry.storage.path(digest).samefile(place)


async def test_manifests_by_tag_and_digest(registry: Served) -> None:
    digest = await push_manifest(registry, "a/b", "v1")
    for reference in ("v1", digest):
        async with registry("GET", f"/v2/a/b/manifests/{reference}") as answer:
            assert (answer.status, answer.headers["Docker-Content-Digest"]) == (200, digest)
            assert answer.content_type == MANIFEST
            assert digest_of(await answer.read()) == digest
        async with registry("HEAD", f"/v2/a/b/manifests/{reference}") as answer:
            assert answer.status == 200
            assert int(answer.headers["Content-Length"]) > 0
    assert registry.images == {"a/b:v1": digest}


async def test_deleting_a_tag_and_a_manifest(registry: Served) -> None:
    digest = await push_manifest(registry, "a", "one")
    await push_manifest(registry, "a", "two")
    async with registry("DELETE", "/v2/a/manifests/one") as answer:
        assert answer.status == 202
    async with registry("GET", "/v2/a/tags/list") as answer:
        assert (await answer.json())["tags"] == ["two"]
    async with registry("DELETE", f"/v2/a/manifests/{digest}") as answer:
        assert answer.status == 202
    assert await code_of(registry, "GET", "/v2/a/manifests/two") == (404, "MANIFEST_UNKNOWN")
    assert await code_of(registry, "DELETE", f"/v2/a/manifests/{digest}") == (404, "MANIFEST_UNKNOWN")
    assert registry.images == {}


async def test_deleting_a_blob(registry: Served) -> None:
    digest = await push_blob(registry, "a", b"blob")
    async with registry("DELETE", f"/v2/a/blobs/{digest}") as answer:
        assert answer.status == 202
    assert await code_of(registry, "DELETE", f"/v2/a/blobs/{digest}") == (404, "BLOB_UNKNOWN")


async def test_lists_come_in_pages(registry: Served) -> None:
    for tag in ("b", "a", "d", "c"):
        await push_manifest(registry, "r", tag)
    async with registry("GET", "/v2/r/tags/list?n=2") as answer:
        assert await answer.json() == {"name": "r", "tags": ["a", "b"]}
        assert answer.headers["Link"] == '</v2/r/tags/list?n=2&last=b>; rel="next"'
    async with registry("GET", "/v2/r/tags/list?n=2&last=b") as answer:
        assert (await answer.json())["tags"] == ["c", "d"]
        assert "Link" not in answer.headers
    async with registry("GET", "/v2/r/tags/list?n=0") as answer:
        assert (await answer.json())["tags"] == []
    await push_manifest(registry, "q/x", "1")
    async with registry("GET", "/v2/_catalog") as answer:
        assert await answer.json() == {"repositories": ["q/x", "r"]}


async def test_referrers(registry: Served) -> None:
    digest = await push_manifest(registry, "a", "1")
    subject = {"mediaType": MANIFEST, "digest": digest, "size": 2}
    about = {"subject": subject, "annotations": {"k": "v"}}
    signature = await push_manifest(registry, "a", "digest", artifactType="application/x.sig", **about)
    sbom = await push_manifest(registry, "a", "digest", artifactType="application/x.sbom", **about)
    async with registry("GET", f"/v2/a/referrers/{digest}") as answer:
        assert answer.content_type == INDEX
        found = (await answer.json())["manifests"]
    assert {entry["digest"] for entry in found} == {signature, sbom}
    assert found[0]["annotations"] == {"k": "v"}
    async with registry("GET", f"/v2/a/referrers/{digest}?artifactType=application/x.sbom") as answer:
        assert answer.headers["OCI-Filters-Applied"] == "artifactType"
        assert [entry["digest"] for entry in (await answer.json())["manifests"]] == [sbom]
    index = encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": subject})
    async with registry("PUT", "/v2/a/manifests/i", data=index, headers={"Content-Type": INDEX}) as answer:
        assert answer.headers["OCI-Subject"] == digest
    async with registry("GET", f"/v2/a/referrers/{digest}") as answer:
        found = {entry["digest"]: entry for entry in (await answer.json())["manifests"]}
    assert "artifactType" not in found[digest_of(index)]
    async with registry("GET", f"/v2/a/referrers/{NOWHERE}") as answer:
        assert (answer.status, (await answer.json())["manifests"]) == (200, [])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v2/a/manifests/none", 404, "MANIFEST_UNKNOWN"),
        ("GET", f"/v2/a/manifests/{NOWHERE}", 404, "MANIFEST_UNKNOWN"),
        ("GET", f"/v2/a/blobs/{NOWHERE}", 404, "BLOB_UNKNOWN"),
        ("GET", "/v2/a/blobs/sha256:abc", 400, "DIGEST_INVALID"),
        ("GET", "/v2/none/tags/list", 404, "NAME_UNKNOWN"),
        ("GET", "/v2/a/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"),
        ("GET", "/v2/A/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/a/_blobs/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/a/manifests/..", 404, "NAME_INVALID"),
        ("GET", "/v2/a/manifests/%2e%2e%2f%2e%2e", 400, "TAG_INVALID"),
        ("GET", f"/v2/{'a' * 256}/tags/list", 400, "NAME_INVALID"),
        ("PUT", "/v2/a/manifests/1", 400, "MANIFEST_INVALID"),
        ("POST", "/v2/a/manifests/1", 405, "UNSUPPORTED"),
        ("PATCH", f"/v2/a/blobs/uploads/{'0' * 32}", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("PATCH", "/v2/a/blobs/uploads/x", 404, "BLOB_UPLOAD_UNKNOWN"),
    ],
)
async def test_refusals(registry: Served, method: str, path: str, status: int, code: str) -> None:
    await push_blob(registry, "a", b"{}")
    assert await code_of(registry, method, path) == (status, code)


async def test_a_manifest_whose_blobs_are_not_there_is_refused(registry: Served) -> None:
    config = {"mediaType": f"{OCI}.config.v1+json", "digest": NOWHERE, "size": 2}
    data = encode({"schemaVersion": 2, "config": config, "layers": []})
    headers = {"Content-Type": MANIFEST}
    code = await code_of(registry, "PUT", "/v2/a/manifests/1", data=data, headers=headers)
    assert code == (400, "MANIFEST_BLOB_UNKNOWN")
    huge = io.BytesIO(b" " * (5 << 20))
    assert await code_of(registry, "PUT", "/v2/a/manifests/1", data=huge) == (413, "SIZE_INVALID")


async def test_what_no_manifest_names_is_collected(registry: Served) -> None:
    digest = await push_manifest(registry, "a", "1")
    lost = await push_blob(registry, "a", b"lost")
    registry.storage.collect(unused_seconds=3600)
    assert registry.storage.path(lost).exists()
    registry.storage.collect(unused_seconds=-3600)
    assert not registry.storage.path(lost).exists()
    assert registry.storage.path(digest).exists()
    async with registry("DELETE", f"/v2/a/manifests/{digest}"):
        pass
    registry.storage.collect(unused_seconds=-3600)
    assert not list(registry.storage.blobs.iterdir())


async def test_a_full_disk_is_told(registry: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pybernetes.registry.uploads.os.pwrite", full)
    async with registry("POST", f"/v2/a/blobs/uploads/?digest={NOWHERE}", data=b"x") as answer:
        assert answer.status == 507
        assert (await answer.json())["errors"][0]["detail"] == "no space left on device"


async def test_skopeo_pushes_and_pulls(registry: Served, tmp_path: Path) -> None:
    image: Image = busybox()
    layout, target = image.write_layout(tmp_path / "in"), f"docker://{registry.host}/team/busybox:1"
    await registry.skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}", target)
    assert registry.images == {"team/busybox:1": image.digest}
    await registry.skopeo("copy", "--src-tls-verify=false", target, f"oci:{tmp_path / 'out'}")
    for blob in image.data:
        copy = tmp_path / "out" / "blobs" / "sha256" / sha256(blob).hexdigest()
        assert copy.read_bytes() == blob
    again = f"docker://{registry.host}/other/busybox:1"
    await registry.skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", target, again)
    listed = await registry.skopeo("list-tags", "--tls-verify=false", again.rpartition(":")[0])
    assert json.loads(listed)["Tags"] == ["1"]
    await registry.skopeo("delete", "--tls-verify=false", again)
