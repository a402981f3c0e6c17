"""KMS v2 with a plugin of its own over a real socket: keys take turns, the plugin goes and comes back."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from tests.apiserver.encryption.test_encryption import KEY, SECRETS, configuration, put, running, stored, value_of
from tests.apiserver.inprocess import Server

from pybernetes.aio.clock import FakeClock
from pybernetes.apiserver.encryption.kms import KEY as PLAIN_KEY
from pybernetes.apiserver.encryption.kms import EncryptedObject, key_hash
from pybernetes.apiserver.encryption.plugin import (
    SERVICE,
    Annotation,
    DecryptRequest,
    DecryptResponse,
    EncryptRequest,
    EncryptResponse,
    StatusRequest,
    StatusResponse,
)
from pybernetes.apiserver.http.message import Response
from pybernetes.store.backend import Backend
from pybernetes.store.sqlite import open_store
from pybernetes.wire.message import Message

PREFIX = b"k8s:enc:kms:v2:vault:"


@dataclass
class Plugin:
    """Encrypts with AES-GCM; its keys are known by their ids."""

    socket: Path
    key_id: str = "1"
    healthz: str = "ok"
    keys: dict[str, bytes] = field(default_factory=lambda: {"1": b"1" * 32, "2": b"2" * 32})
    called: list[str] = field(default_factory=list)

    @property
    def provider(self) -> dict[str, Any]:
        return {"kms": {"apiVersion": "v2", "name": "vault", "endpoint": f"unix://{self.socket}", "timeout": "1s"}}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = grpc.aio.server()
        calls = {
            "Status": (self.status, StatusRequest), "Encrypt": (self.encrypt, EncryptRequest),
            "Decrypt": (self.decrypt, DecryptRequest),
        }  # fmt: skip
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                call, request_deserializer=kind.decode, response_serializer=Message.encode
            )
            for name, (call, kind) in calls.items()
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE.strip("/"), handlers)])
        server.add_insecure_port(f"unix:{self.socket}")
        await server.start()
        try:
            yield
        finally:
            await server.stop(None)

    async def status(self, request: StatusRequest, context: Any) -> StatusResponse:
        self.called.append("Status")
        return StatusResponse(version="v2", healthz=self.healthz, key_id=self.key_id)

    async def encrypt(self, request: EncryptRequest, context: Any) -> EncryptResponse:
        self.called.append("Encrypt")
        sealed = AESGCM(self.keys[self.key_id]).encrypt(b"n" * 12, request.plaintext, None)
        noted = [Annotation(key="nonce.example.com", value=b"n" * 12)]
        return EncryptResponse(ciphertext=sealed, key_id=self.key_id, annotations=noted)

    async def decrypt(self, request: DecryptRequest, context: Any) -> DecryptResponse:
        self.called.append("Decrypt")
        if request.key_id not in self.keys:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no key {request.key_id}")
        (nonce,) = request.annotations
        plain = AESGCM(self.keys[request.key_id]).decrypt(nonce.value, request.ciphertext, None)
        return DecryptResponse(plaintext=plain)


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path / "kms.sock")


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    store = await open_store(tmp_path / "store.db")
    yield store
    await store.close()


async def page(api: Server, path: str) -> str:
    answer = await api.raw("GET", path)
    assert isinstance(answer, Response)
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


async def healthy(api: Server, words: str) -> None:
    """Until the server says so of the plugin."""
    while words not in (text := await page(api, "/readyz/kms-providers")):
        await api.clock.advance(10)
        await asyncio.sleep(0.02)  # the plugin's answer comes by a real socket
    assert ("[+]kms-providers ok" in await page(api, "/readyz?verbose")) is (text == "ok")


async def envelope(backend: Backend, key: bytes = KEY) -> EncryptedObject:
    value = await stored(backend, key)
    assert value.startswith(PREFIX)
    return EncryptedObject.decode(value[len(PREFIX) :])


async def test_values_are_sealed_with_a_seed_that_the_plugin_keeps(
    tmp_path: Path, backend: Backend, plugin: Plugin
) -> None:
    async with plugin.serving():
        async with running(tmp_path, backend, configuration(plugin.provider)) as api:
            await put(api)
            await put(api, "other")
            assert plugin.called == ["Status", "Encrypt"]  # one seed for all
            told = await page(api, "/metrics")
            assert f'key_id_hash_total{{transformation_type="to_storage",provider_name="vault",key_id_hash="{key_hash("1")}"' in told  # fmt: skip
            assert 'method_name="/v2.KeyManagementService/Encrypt",grpc_status_code="OK"} 1' in told
        found = await envelope(backend)
        assert (found.key_id, found.source_type) == ("1", 1)
        # What others would make of it, by the KEP.
        seed = AESGCM(b"1" * 32).decrypt(b"n" * 12, found.source, None)
        key = HKDFExpand(SHA256(), 32, found.data[:32]).derive(seed)
        assert b'"name":"s"' in AESGCM(key).decrypt(found.data[32:44], found.data[44:], KEY)
        plugin.called.clear()
        async with running(tmp_path, backend, configuration(plugin.provider)) as api:
            assert await value_of(api) == "hidden"
            assert plugin.called == ["Status", "Encrypt", "Decrypt"]  # one seed, however many values


async def test_a_start_waits_for_the_plugin(
    tmp_path: Path, backend: Backend, plugin: Plugin, caplog: pytest.LogCaptureFixture
) -> None:
    async with plugin.serving(), running(tmp_path, backend, configuration(plugin.provider)) as api:
        await put(api)
    clock = FakeClock()

    async def value() -> str:
        async with running(tmp_path, backend, configuration(plugin.provider), clock=clock) as api:
            return await value_of(api)

    starting = asyncio.create_task(value())
    words = (
        'waiting for a KMS plugin error=unable to transform key "/registry/secrets/default/s": failed to decrypt DEK'
    )
    async with asyncio.timeout(10):
        while words not in caplog.text:
            await asyncio.sleep(0.01)
        await clock.advance(5)
        assert not starting.done()
        async with plugin.serving():
            while not starting.done():
                await clock.advance(1)
                await asyncio.sleep(0.02)  # the plugin's answer comes by a real socket
            assert await starting == "hidden"


async def test_a_new_key_is_used_for_what_is_written_from_then_on(
    tmp_path: Path, backend: Backend, plugin: Plugin
) -> None:
    async with plugin.serving(), running(tmp_path, backend, configuration(plugin.provider)) as api:
        await put(api)
        secret = (await api.get(f"{SECRETS}/s")).tree
        assert (await api.call("PUT", f"{SECRETS}/s", secret)).status == 200
        before = await envelope(backend)
        plugin.key_id = "2"
        while plugin.called.count("Encrypt") < 2:
            await api.clock.advance(60)
            await asyncio.sleep(0.02)
        await healthy(api, "ok")
        assert await envelope(backend) == before
        secret = (await api.get(f"{SECRETS}/s")).tree
        assert (await api.call("PUT", f"{SECRETS}/s", secret)).status == 200  # as it was: rewritten all the same
        assert (await envelope(backend)).key_id == "2"
        assert await value_of(api) == "hidden"


async def test_a_plugin_that_goes_is_told_and_missed_after_a_while(
    tmp_path: Path, backend: Backend, plugin: Plugin
) -> None:
    async with plugin.serving(), running(tmp_path, backend, configuration(plugin.provider)) as api:
        await put(api)
        plugin.healthz = "sealed"
        await healthy(api, "kms-provider-0: kmsv2 Provider vault is not healthy, error: got unexpected healthz status: sealed")  # fmt: skip
        plugin.healthz = "ok"
        await healthy(api, "ok")
        plugin.key_id = ""
        await healthy(api, 'got invalid KMSv2 KeyID hash "": keyID is empty')
        await put(api, "coasting")
        await api.clock.advance(181)
        body = {"metadata": {"name": "late"}, "stringData": {"k": "v"}}
        refused = await api.post(SECRETS, body)
        assert (refused.status, refused.tree["reason"]) == (500, "InternalError")
        assert f'Internal error occurred: encryptedDEKSource with keyID hash "{key_hash("1")}" expired at 2026-' in refused.message  # fmt: skip
        assert await value_of(api) == "hidden"
        plugin.key_id = "1"
        await healthy(api, "ok")
        assert (await api.post(SECRETS, body)).status == 201


async def test_what_others_wrote_meanwhile_is_read_once_the_plugin_is_back(
    tmp_path: Path, backend: Backend, plugin: Plugin
) -> None:
    """Another server wrote with a key of its own, in the older form in which the plugin keeps the key itself."""
    theirs = b"/registry/secrets/default/theirs"
    value = json.dumps({"metadata": {"name": "theirs", "namespace": "default", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}, "data": {"k": base64.b64encode(b"yes").decode()}}, separators=(",", ":"))  # fmt: skip
    source = AESGCM(b"3" * 32).encrypt(b"n" * 12, b"d" * 32, None)
    noted = [Annotation(key="nonce.example.com", value=b"n" * 12)]
    sealed = b"x" * 12 + AESGCM(b"d" * 32).encrypt(b"x" * 12, value.encode(), theirs)
    found = EncryptedObject(data=sealed, key_id="3", source=source, annotations=noted, source_type=PLAIN_KEY)
    async with plugin.serving(), running(tmp_path, backend, configuration(plugin.provider)) as api:
        await backend.create(theirs, PREFIX + found.encode())
        await put(api)
        assert await value_of(api, "theirs") == 'secrets "theirs" not found'
        plugin.keys["3"] = b"3" * 32
        while await value_of(api, "theirs") != "yes":
            await api.clock.advance(60)
            await asyncio.sleep(0.02)


async def test_a_configuration_whose_plugin_is_away_is_not_used_yet(
    tmp_path: Path, backend: Backend, plugin: Plugin
) -> None:
    file = tmp_path / "encryption.yaml"
    flag = "--encryption-provider-config-automatic-reload"
    async with running(tmp_path, backend, configuration({"identity": {}}), flag) as api:
        await api.clock.settle()
        file.write_text(configuration(plugin.provider, {"identity": {}}))
        while 'reloads_total{status="failure"' not in await page(api, "/metrics"):
            await asyncio.sleep(0.02)
        await put(api)
        assert b"metadata" in await stored(backend)
        async with plugin.serving():
            while 'reloads_total{status="success"' not in await page(api, "/metrics"):
                await api.clock.advance(60)
                await asyncio.sleep(0.02)
            await put(api, "new")
            assert (await envelope(backend, b"/registry/secrets/default/new")).key_id == "1"
            assert await value_of(api) == "hidden"
