"""Secrets in the store: not in plain text, readable after keys have changed, refused by name when wrongly configured."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import TOKENS, Server

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.assembly import started
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.encryption.config import load, parse
from pybernetes.apiserver.encryption.providers import (
    AESCBC,
    GCM,
    Chain,
    Identity,
    RemoteProvider,
    SecretBox,
    TransformError,
)
from pybernetes.apiserver.options import parse as parse_options
from pybernetes.store.backend import Backend, CorruptError
from pybernetes.store.sqlite import open_store

SECRETS = "/api/v1/namespaces/default/secrets"
KEY = b"/registry/secrets/default/s"
KEY32 = bytes(range(32))


def no_plugins(name: str, endpoint: str, seconds: float) -> RemoteProvider:
    raise AssertionError("no plugin is configured")


def provider(kind: str, *keys: str) -> dict[str, Any]:
    """Keys are made of their names."""
    if kind == "identity":
        return {"identity": {}}
    made = [{"name": key, "secret": base64.b64encode((key * 32)[:32].encode()).decode()} for key in keys]
    return {kind: {"keys": made}}


def configuration(*providers: dict[str, Any], resources: tuple[str, ...] = ("secrets",)) -> str:
    entry = {"resources": list(resources), "providers": list(providers)}
    return json.dumps(
        {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": [entry]}
    )


@asynccontextmanager
async def running(
    tmp_path: Path, backend: Backend, config: str = "", *flags: str, clock: FakeClock | None = None
) -> AsyncIterator[Server]:
    tokens, file = tmp_path / "tokens.csv", tmp_path / "encryption.yaml"
    tokens.write_text(TOKENS)
    file.write_text(config)
    given = [f"--encryption-provider-config={file}"] if config else []
    options = parse_options([f"--token-auth-file={tokens}", "--secure-port=1", *given, *flags])
    clock = clock or FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with open_scope("test") as scope, started(options, backend, scope, clock) as handler:
        yield Server(handler, clock)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    store = await open_store(tmp_path / "store.db")
    yield store
    await store.close()


async def stored(backend: Backend, key: bytes = KEY) -> bytes:
    found, _ = await backend.get(key)
    assert found is not None
    return found.value


async def put(api: Server, name: str = "s", value: str = "hidden") -> None:
    made = await api.post(SECRETS, {"metadata": {"name": name}, "stringData": {"k": value}})
    assert made.status == 201, made.message


async def value_of(api: Server, name: str = "s") -> str:
    found = await api.get(f"{SECRETS}/{name}")
    return base64.b64decode(found.tree["data"]["k"]).decode() if found.status == 200 else found.message


async def test_keys_take_turns_and_updates_bring_values_up_to_date(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend) as api:
        await put(api)
    assert b"metadata" in await stored(backend)
    async with running(tmp_path, backend, configuration(provider("aescbc", "one"), provider("identity"))) as api:
        assert await value_of(api) == "hidden"
        assert b"metadata" in await stored(backend)  # nobody has written it since
        secret = (await api.get(f"{SECRETS}/s")).tree
        assert (await api.call("PUT", f"{SECRETS}/s", secret)).status == 200  # as it was: rewritten all the same
        first = await stored(backend)
        assert first.startswith(b"k8s:enc:aescbc:v1:one:")
        assert base64.b64encode(b"hidden") not in first
        secret = (await api.get(f"{SECRETS}/s")).tree
        assert (await api.call("PUT", f"{SECRETS}/s", secret)).status == 200
        assert await stored(backend) == first  # it was up to date
        await api.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}, "data": {"k": "plain"}})
        assert b"plain" in await stored(backend, b"/registry/configmaps/default/c")
    rotated = configuration(provider("aesgcm", "two"), provider("aescbc", "one"))
    async with running(tmp_path, backend, rotated) as api:
        assert await value_of(api) == "hidden"
        await api.merge(f"{SECRETS}/s", {"metadata": {"labels": {"a": "b"}}})
        assert (await stored(backend)).startswith(b"k8s:enc:aesgcm:v1:two:")
    async with running(tmp_path, backend, configuration(provider("identity"), provider("aesgcm", "two"))) as api:
        await api.merge(f"{SECRETS}/s", {"metadata": {"labels": {"a": "c"}}})
        assert b"metadata" in await stored(backend)


async def test_a_server_without_the_key_does_not_start(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend, configuration(provider("aesgcm", "one"))) as api:
        await put(api)
    for config in (configuration(provider("identity")), configuration(provider("aescbc", "two"))):
        with pytest.raises(CorruptError, match='unable to transform key "/registry/secrets/default/s": '):
            async with running(tmp_path, backend, config):
                pass


async def test_a_changed_file_is_used_at_once(tmp_path: Path, backend: Backend) -> None:
    file = tmp_path / "encryption.yaml"
    reload = "--encryption-provider-config-automatic-reload"
    async with running(tmp_path, backend, configuration(provider("aescbc", "one")), reload) as api:

        async def page(path: str) -> str:
            answer = await api.raw("GET", path)
            return bytes(answer.body).decode()  # type: ignore[union-attr, arg-type]

        await api.clock.settle()
        assert "[+]kms-providers ok" in await page("/healthz?verbose")
        file.write_text(configuration(provider("aesgcm", "two"), provider("aescbc", "one")))
        await until(api, b"k8s:enc:aesgcm:v1:two:", backend)
        file.write_text("{}")
        while 'encryption_config_controller_automatic_reloads_total{status="failure"' not in await page("/metrics"):
            await api.clock.settle()
        await put(api, "still", "works")
        # Another server writes with a key that this one gets later.
        other = Chain([GCM("three", (b"three" * 32)[:32])])
        plain = Chain([AESCBC("one", (b"one" * 32)[:32]), GCM("two", (b"two" * 32)[:32])])
        theirs = b"/registry/secrets/default/theirs"
        value = plain.read(
            await stored(backend, b"/registry/secrets/default/still"), b"/registry/secrets/default/still"
        )
        await backend.create(theirs, other.write(value.replace(b'"still"', b'"theirs"'), theirs))
        await put(api, "after")
        assert await value_of(api, "theirs") == 'secrets "theirs" not found'
        file.write_text(configuration(provider("aesgcm", "three", "two"), provider("aescbc", "one")))
        while await value_of(api, "theirs") != "works":
            await api.clock.settle()
        assert await value_of(api, "still") == "works"


async def until(api: Server, prefix: bytes, backend: Backend) -> None:
    """Write until the store shows the prefix."""
    number = 0
    while True:
        await put(api, f"try{number}")
        if (await stored(backend, f"/registry/secrets/default/try{number}".encode())).startswith(prefix):
            return
        number += 1


def secret_box(secret: bytes) -> SecretBox:
    pytest.importorskip("nacl", reason="an extra, which developers have")
    return SecretBox("k", secret)


@pytest.mark.parametrize("make", [lambda: AESCBC("k", KEY32), lambda: GCM("k", KEY32), lambda: secret_box(KEY32)])
def test_what_was_changed_on_disk_is_not_read(make: Callable[[], Any]) -> None:
    made = make()
    chain = Chain([made])
    sealed = chain.write(b"value", KEY)
    assert chain.read(sealed, KEY) == b"value"
    assert chain.write(b"value", KEY) != sealed
    for wrong in (sealed[:-1], sealed[: len(made.prefix) + 3], b"k8s:enc:other:v1:k:" + sealed):
        with pytest.raises(TransformError):
            chain.read(wrong, KEY)
    with pytest.raises(TransformError, match="identity transformer tried to read encrypted data"):
        Chain([Identity()]).read(sealed, KEY)


def test_values_are_bound_to_their_key_by_gcm() -> None:
    sealed = GCM("k", KEY32).encrypt(b"value", KEY)
    with pytest.raises(TransformError, match="message authentication failed"):
        GCM("k", KEY32).decrypt(sealed, KEY + b"2")


def test_formats_are_those_that_others_write() -> None:
    """What openssl writes, GCM's test case 16, and the test of NaCl's secretbox."""
    vector = bytes(range(100, 116))
    command = ["openssl", "enc", "-aes-256-cbc", "-K", KEY32.hex(), "-iv", vector.hex()]
    sealed = subprocess.run(command, input=b"any length at all", capture_output=True, check=True).stdout
    assert AESCBC("k", KEY32).decrypt(vector + sealed, KEY) == b"any length at all"
    secret = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce, bound = bytes.fromhex("cafebabefacedbaddecaf888"), bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    sealed = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
        "bcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
    )
    plain = GCM("k", secret).decrypt(nonce + sealed, bound)
    assert plain.hex().startswith("d9313225f88406e5a55909c5aff5269a")
    key = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
    nonce = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
    sealed = bytes.fromhex(
        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b"
        "4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da"
        "99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"
    )
    assert secret_box(key).decrypt(nonce + sealed, KEY).hex().startswith("be075fc53c81f2d5cf141316ebeb0c7b")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("kind: [", "error converting YAML to JSON: yaml: "),
        ("{}", "Object 'Kind' is missing in"),
        ('{"kind": "X", "apiVersion": "v1"}', 'no kind "X" is registered for version "v1"'),
        (configuration(resources=("secrets",)), "resources[0].providers: Required value: at least one resources[0].providers is required"),
        (configuration(provider("identity"), resources=()), "resources[0].resources: Required value: at least one resources[0].resources is required"),
        (configuration(provider("identity"), resources=("*",)), "use '*.' to encrypt all the resources from core API group"),
        (configuration(provider("identity"), resources=("Secrets",)), 'resources[0].resources[0]: Invalid value: "Secrets": resource name should not contain capital letters'),
        (configuration(provider("identity"), resources=("a", "a")), "the same resource cannot be specified multiple times"),
        (configuration(provider("identity"), resources=("a", "*.")), "using overlapping resources such as 'secrets' and '*.'"),
        (configuration(provider("identity"), resources=("*.*", "a")), "using overlapping resources"),
        (configuration(provider("identity"), resources=("a.*",)), "encrypting the same resource across groups is not supported"),
        (configuration({}), "provider does not contain any of the expected providers"),
        (configuration({"identity": {}, "aescbc": {}}), "more than one provider specified in a single element"),
        (configuration({"aescbc": {}}), "resources[0].providers[0].aescbc.keys: Required value: at least one keys is required"),
        (configuration({"aescbc": {"keys": [{"name": "k", "secret": "eHh4"}]}}), 'resources[0].providers[0].aescbc.keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 3, expected one of [16 24 32]'),
        (configuration({"secretbox": {"keys": [{"name": "k", "secret": "!"}]}}), "secrets must be base64 encoded"),
        (configuration({"aesgcm": {"keys": [{}]}}), "name is a mandatory field for a key"),
        (configuration({"kms": {"apiVersion": "v2"}}), 'kms.name: Required value: name is a mandatory field for a provider, resources[0].providers[0].kms.endpoint: Invalid value: "": endpoint is a mandatory field for a kms'),
        (configuration({"kms": {"apiVersion": "v2", "name": "a:b", "endpoint": "tcp://x"}}), 'Invalid value: "a:b": invalid KMS provider name a:b, must not contain \':\', resources[0].providers[0].kms.endpoint: Invalid value: "tcp://x": unsupported scheme "tcp" for KMS provider, only unix is supported'),
        (configuration(*2 * [{"kms": {"apiVersion": "v2", "name": "a", "endpoint": "unix:///x"}}]), 'resources[0].providers[1].kms.name: Invalid value: "a": duplicate KMS provider name a, names must be unique'),
        (configuration({"kms": {"apiVersion": "v2", "name": "a", "endpoint": "unix:///x", "timeout": "0s", "cachesize": 1}}), 'timeout: Invalid value: "0s": timeout should be a positive value, resources[0].providers[0].kms.cachesize: Invalid value: 1: cachesize is not supported in v2'),
        (configuration({"kms": {"apiVersion": "v3", "name": "a", "endpoint": "unix:///x"}}), "only v1 and v2 are supported"),
        (configuration({"identity": {"x": 1}}), 'strict decoding error: unknown field "resources[0].providers[0].identity.x"'),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_told_in_upstreams_words(config: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "encryption.yaml"
    file.write_text(config)
    with pytest.raises(ConfigurationError) as caught:
        load(str(file), no_plugins)
    assert words in str(caught.value)
    assert str(caught.value).startswith("error while parsing file: ")


def test_the_first_version_of_plugins_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="error while building transformers: KMSv1 is deprecated"):
        parse(configuration({"kms": {"name": "a", "endpoint": "unix:///x"}}), "", no_plugins)


def test_an_entry_that_an_earlier_one_hides_is_refused() -> None:
    entries = [{"resources": [name], "providers": [{"identity": {}}]} for name in ("*.apps", "deployments.apps")]
    head = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration"}
    with pytest.raises(ConfigurationError, match=r'resource "deployments.apps" is masked by earlier rule "\*.apps"'):
        parse(json.dumps(head | {"resources": entries}), "", no_plugins)


def test_a_missing_file_is_told() -> None:
    with pytest.raises(ConfigurationError, match="open /none: no such file or directory"):
        load("/none", no_plugins)


def test_the_first_entry_that_names_a_resource_counts() -> None:
    entries = [
        {"resources": ["secrets", "a.example.com"], "providers": [provider("aescbc", "one")]},
        {"resources": ["*."], "providers": [provider("aesgcm", "two")]},
        {"resources": ["*.apps"], "providers": [provider("identity")]},
    ]
    head = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration"}
    made = parse(json.dumps(head | {"resources": entries}), "", no_plugins)

    def prefix(group: str, plural: str) -> bytes | None:
        chain = made.chain(group, plural)
        return None if chain is None else chain.providers[0].prefix

    assert prefix("", "secrets") == prefix("example.com", "a") == b"k8s:enc:aescbc:v1:one:"
    assert prefix("", "pods") == b"k8s:enc:aesgcm:v1:two:"
    assert prefix("apps", "deployments") == b""
    assert prefix("batch", "jobs") is None
