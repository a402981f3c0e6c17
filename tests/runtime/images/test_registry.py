"""Registries that want a token, break off, lie or send too much."""

import base64
import os
from pathlib import Path

import pytest
from aiohttp import web
from tests.images import Image, Tree, digest_of
from tests.runtime.images.conftest import OpenImages
from tests.runtime.images.fakes import FakeRegistry, serving

from pybernetes.cri import types as t
from pybernetes.cri.errors import ImageNotFoundError, PullError
from pybernetes.runtime.images.registry.challenge import Challenge, parse
from pybernetes.runtime.images.registry.credentials import Credential, CredentialsError, from_docker_config
from pybernetes.runtime.images.registry.options import Endpoint, RegistryOptions, endpoints
from pybernetes.runtime.images.service import Images
from pybernetes.wire.images.documents import DOCUMENT_LIMIT

IMAGE = Image([Tree().file("content", os.urandom(3 << 20)).layer()])


async def pull(images: Images, host: str, auth: t.AuthConfig | None = None) -> str:
    return await images.pull_image(t.ImageSpec(image=f"{host}/app"), auth)


class TokenRegistry(FakeRegistry):
    """Wants a bearer token, which its realm gives to user:secret."""

    realm = ""
    error = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            wanted = "Basic " + base64.b64encode(b"user:secret").decode()
            if request.headers.get("Authorization") != wanted:
                return web.Response(status=401)
            scope = request.query["scope"]
            return web.json_response({"token": f"token for {request.query['service']} {scope}"})
        if request.headers.get("Authorization") == "Bearer token for here repository:app:pull":
            return await super().answer(request)
        realm = self.realm or f"http://{request.host}/token"
        challenge = f'Bearer realm="{realm}",service="here",scope="repository:app:pull"{self.error}'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})


async def test_a_token_is_fetched_from_the_realm(images: Images) -> None:
    registry = TokenRegistry(IMAGE)
    async with serving(registry) as host:
        assert await pull(images, host, t.AuthConfig(username="user", password="secret")) == IMAGE.id
    assert [path for _, path, _ in registry.requests].count("/token") == 1


async def test_a_refused_token_names_the_realm(images: Images) -> None:
    async with serving(TokenRegistry(IMAGE)) as host:
        with pytest.raises(PullError) as denied:
            await pull(images, host)
        assert str(denied.value).endswith(
            "failed to authorize: failed to fetch anonymous token: "
            f"unexpected status from GET request to http://{host}/token: 401 Unauthorized"
        )


async def test_a_token_that_is_not_enough_is_denied_in_the_servers_words(images: Images) -> None:
    registry = TokenRegistry(IMAGE)
    registry.error = ',error="insufficient_scope"'
    async with serving(registry) as host:
        with pytest.raises(PullError) as denied:
            await pull(images, host, t.AuthConfig(registry_token="too little"))
    assert str(denied.value).endswith(
        "pull access denied, repository does not exist or may require authorization: "
        "server message: insufficient_scope: authorization failed"
    )


async def test_a_realm_elsewhere_must_be_a_url(images: Images) -> None:
    registry = TokenRegistry(IMAGE)
    registry.realm = "file:///etc/passwd"
    async with serving(registry) as host:
        with pytest.raises(PullError, match="is not an https URL"):
            await pull(images, host, t.AuthConfig(username="user", password="secret"))


async def test_a_broken_download_goes_on_where_it_ended(images: Images) -> None:
    class Breaking(FakeRegistry):
        async def blob(self, request: web.Request, data: bytes) -> web.StreamResponse:
            start = request.http_range.start or 0
            response = web.StreamResponse(status=206 if start else 200)
            response.content_length = len(data) - start
            await response.prepare(request)
            await response.write(data[start : start + (1 << 20)])
            if start + (1 << 20) < len(data) and request.transport:
                request.transport.close()
            return response

    registry = Breaking(IMAGE)
    async with serving(registry) as host:
        assert await pull(images, host) == IMAGE.id
    assert [headers["Range"] for _, _, headers in registry.requests if "Range" in headers]


async def test_a_server_that_cannot_resume_is_read_from_the_start(images: Images) -> None:
    class Forgetful(FakeRegistry):
        broken = False

        async def blob(self, request: web.Request, data: bytes) -> web.StreamResponse:
            if self.broken or len(data) < 1 << 20:
                return web.Response(body=data)
            self.broken = True
            response = web.StreamResponse()
            response.content_length = len(data)
            await response.prepare(request)
            await response.write(data[: 2 << 20])
            assert request.transport
            request.transport.close()
            return response

    async with serving(Forgetful(IMAGE)) as host:
        assert await pull(images, host) == IMAGE.id


@pytest.mark.parametrize("spoil", [lambda data: data[:-1] + b"x", lambda data: data + b"x", lambda data: data[:-1]])
async def test_a_blob_that_is_not_its_digest_is_refused(images: Images, tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    class Lying(FakeRegistry):
        async def blob(self, request: web.Request, data: bytes) -> web.StreamResponse:
            return web.Response(body=spoil(data))

    async with serving(Lying(IMAGE)) as host:
        with pytest.raises(PullError, match=r"failed to copy: (content|blob) "):
            await pull(images, host)
    assert os.listdir(tmp_path / "runtime/snapshots/layers") == []
    assert await images.list_images() == []


async def test_a_manifest_that_is_not_its_digest_is_refused(images: Images) -> None:
    class Lying(FakeRegistry):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            if request.method == "HEAD":
                return web.Response(headers={"Docker-Content-Digest": digest_of(b"another")})
            return await super().answer(request)

    async with serving(Lying(IMAGE)) as host:
        with pytest.raises(PullError, match=f"expected {digest_of(b'another')}"):
            await pull(images, host)


async def test_a_manifest_without_end_is_refused(images: Images) -> None:
    class Endless(FakeRegistry):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            if request.method == "HEAD":
                return web.Response(status=405)
            return web.Response(body=b" " * (DOCUMENT_LIMIT + 1))

    async with serving(Endless(IMAGE)) as host:
        with pytest.raises(PullError, match="is longer than"):
            await pull(images, host)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b'{"config":1}',
        b"[" * 100_000,
        b"\xff",
        b'{"schemaVersion":1}',
        b'{"config":{"mediaType":"x","digest":"sha256:../../etc/passwd","size":1}}',
        b'{"config":{"mediaType":"x","digest":"sha256:' + b"a" * 64 + b'","size":-1}}',
    ],
)
async def test_a_malformed_manifest_is_refused(images: Images, manifest: bytes) -> None:
    registry = FakeRegistry(IMAGE)
    registry.manifest = manifest
    async with serving(registry) as host:
        with pytest.raises(PullError, match="failed to pull and unpack image"):
            await pull(images, host)


async def test_an_error_of_the_server_is_named(images: Images) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    async with serving(broken) as host:
        with pytest.raises(PullError) as failed:
            await pull(images, host)
    assert str(failed.value).endswith(
        f"unexpected status from HEAD request to http://{host}/v2/app/manifests/latest: 500 Internal Server Error"
    )


async def test_a_password_is_sent_to_no_other_host(images: Images) -> None:
    storage = FakeRegistry(IMAGE)

    class Redirecting(TokenRegistry):
        async def blob(self, request: web.Request, data: bytes) -> web.StreamResponse:
            raise web.HTTPTemporaryRedirect(f"http://{elsewhere}{request.path}")

    async with serving(storage) as elsewhere, serving(Redirecting(IMAGE)) as host:
        assert await pull(images, host, t.AuthConfig(username="user", password="secret")) == IMAGE.id
    assert storage.requests
    assert not any("Authorization" in headers for _, _, headers in storage.requests)


async def test_a_password_is_sent_to_no_mirror(open_images: OpenImages) -> None:
    mirror = TokenRegistry(IMAGE)
    async with serving(mirror) as host:
        options = RegistryOptions(mirrors={"registry.invalid": (f"http://{host}",)})
        async with open_images(options) as images:
            with pytest.raises(PullError):
                await pull(images, "registry.invalid", t.AuthConfig(username="user", password="secret"))
    assert mirror.requests
    assert not any("Authorization" in headers for _, _, headers in mirror.requests)


async def test_a_mirror_that_lacks_the_image_decides_when_the_registry_is_away(open_images: OpenImages) -> None:
    async def empty(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    async with serving(empty) as host:
        options = RegistryOptions(mirrors={"registry.invalid": (f"http://{host}",)})
        async with open_images(options) as images:
            with pytest.raises(ImageNotFoundError, match=r"registry\.invalid/app:latest: not found"):
                await pull(images, "registry.invalid")


def test_endpoints_are_mirrors_then_the_registry() -> None:
    options = RegistryOptions(
        mirrors=RegistryOptions.parse_mirrors(["docker.io=http://127.0.0.1:5000"]),
        insecure=frozenset({"plain.example:5000"}),
    )
    assert endpoints("docker.io", options) == [
        Endpoint("http://127.0.0.1:5000", mirror=True),
        Endpoint("https://registry-1.docker.io"),
    ]
    assert endpoints("plain.example:5000", options) == [Endpoint("http://plain.example:5000")]
    assert endpoints("[::1]:5000", options) == [Endpoint("http://[::1]:5000")]
    assert endpoints("ghcr.io", options) == [Endpoint("https://ghcr.io")]


@pytest.mark.parametrize(
    "value", ["docker.io", "=http://h", "docker.io=h:5000", "docker.io=ftp://h", "docker.io=http://"]
)
def test_a_malformed_mirror_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="is not of the form"):
        RegistryOptions.parse_mirrors([value])


def test_challenges_are_read() -> None:
    header = (
        'Bearer realm="https://auth/token",service=registry,scope="repository:a:pull,push", Basic realm="a \\"b\\""'
    )
    assert parse([header]) == [
        Challenge("bearer", {"realm": "https://auth/token", "service": "registry", "scope": "repository:a:pull,push"}),
        Challenge("basic", {"realm": 'a "b"'}),
    ]
    assert parse(["", ",,,", "Negotiate"]) == [Challenge("negotiate")]


def test_the_docker_config_has_credentials_by_host_and_path(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(
        '{"auths": {"https://index.docker.io/v1/": {"auth": "aHViOnB3"}, "ghcr.io": {"username": "g", "password": "p"},'
        ' "ghcr.io/team": {"identitytoken": "t"}, "bad.example": {"auth": "%"}}, "credsStore": "desktop"}'
    )
    assert from_docker_config(config, "docker.io", "library/nginx") == Credential("hub", "pw")
    assert from_docker_config(config, "ghcr.io", "other/app") == Credential("g", "p")
    assert from_docker_config(config, "ghcr.io", "team/app") == Credential(identity_token="t")
    assert from_docker_config(config, "quay.io", "team/app") is None
    assert from_docker_config(tmp_path / "none", "quay.io", "team/app") is None
    with pytest.raises(CredentialsError):
        from_docker_config(config, "bad.example", "app")
