"""KMS v2: values are encrypted with keys of a seed, which a plugin of a key management service encrypts (KEP 3299).

A seed is used until the plugin names another key. What is stored is an `EncryptedObject`; the seed that it needs is
decrypted once, when something is read that needs it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.api.names import fully_qualified_domain_name
from pybernetes.apiserver.encryption.kms_metrics import KMSMetrics
from pybernetes.apiserver.encryption.plugin import Annotation, Plugin, PluginError, StatusResponse
from pybernetes.apiserver.encryption.providers import KeyAwayError, TransformError, seal, unseal
from pybernetes.wire.message import Message

log = logging.getLogger(__name__)
SEED_BYTES: Final = 32
INFO_BYTES: Final = 32
KEY_BYTES: Final = 32
MAX_KEY_ID_BYTES: Final = 1024
MAX_SOURCE_BYTES: Final = 1024
MAX_ANNOTATION_BYTES: Final = 32 * 1024
WRITES_FOR: Final = timedelta(minutes=3)
"""For so long after the last good answer of the plugin its key is used for writing."""
REMEMBERED: Final = 8192
KEY, SEED = 0, 1
"""What the source of a data encryption key is: the key itself, or what keys are derived of."""
VERSIONS: Final = ("v2", "v2beta1")


class EncryptedObject(Message, frozen=True):
    """What is stored behind the prefix."""

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("data", bytes), 2: ("key_id", str), 3: ("source", bytes), 4: ("annotations", [Annotation]),
        5: ("source_type", int),
    }  # fmt: skip
    data: bytes = b""
    key_id: str = ""
    source: bytes = b""
    annotations: list[Annotation] = msgspec.field(default_factory=list)
    source_type: int = KEY

    @property
    def of_source(self) -> bytes:
        """All but the data: what has to be decrypted once."""
        return msgspec.structs.replace(self, data=b"").encode()


class _Current(Struct, frozen=True):
    """What is written with."""

    seed: bytes
    envelope: EncryptedObject
    until: datetime


class KMSProvider:
    """A `RemoteProvider`."""

    def __init__(self, name: str, plugin: Plugin, clock: Clock, metrics: KMSMetrics) -> None:
        self.prefix = f"k8s:enc:kms:v2:{name}:".encode()
        self._name = name
        self._plugin = plugin
        self._clock = clock
        self._metrics = metrics
        self._current: _Current | None = None
        self._version = ""
        self._wrong = "got unexpected nil transformer"
        self._secrets: OrderedDict[bytes, bytes] = OrderedDict()
        self._failure = ""
        """Why the last of the seeds that are not there is not."""

    # Values.

    def encrypt(self, value: bytes, key: bytes) -> bytes:
        current = self._current
        if current is None:
            raise TransformError("got unexpected nil transformer")
        if (now := self._clock.now()) > current.until:
            raise TransformError(
                f'encryptedDEKSource with keyID hash "{key_hash(current.envelope.key_id)}" expired at '
                f"{_rfc3339(current.until)} (current time is {_rfc3339(now)})"
            )
        info = os.urandom(INFO_BYTES)
        sealed = info + seal(_derived(current.seed, info), value, key)
        self._metrics.used("to_storage", self._name, key_hash(current.envelope.key_id), self._clock)
        return msgspec.structs.replace(current.envelope, data=sealed).encode()

    def decrypt(self, data: bytes, key: bytes) -> bytes:
        found = _decoded(data)
        source = found.of_source
        secret = self._secrets.get(source)
        if secret is None:
            raise KeyAwayError(f"failed to decrypt DEK, error: {self._failure}")
        self._metrics.used("from_storage", self._name, key_hash(found.key_id), self._clock)
        if found.source_type == KEY:
            return unseal(secret, found.data, key)
        if len(found.data) < INFO_BYTES:
            raise TransformError("the stored data was shorter than the required size")
        return unseal(_derived(secret, found.data[:INFO_BYTES]), found.data[INFO_BYTES:], key)

    def is_stale(self, data: bytes) -> bool:
        current = self._current
        if current is None:
            return False
        try:
            found = _decoded(data)
        except TransformError:
            return True
        return (found.key_id, found.source_type) != (current.envelope.key_id, SEED)

    async def prepare(self, data: Sequence[bytes]) -> None:
        wanted: dict[bytes, EncryptedObject] = {}
        for one in data:
            try:
                found = _decoded(one)
            except TransformError:
                continue
            if (source := found.of_source) not in self._secrets:
                wanted[source] = found
        for source, found in wanted.items():
            try:
                secret = await self._plugin.decrypt(str(uuid.uuid4()), found.source, found.key_id, found.annotations)
                if len(secret) < SEED_BYTES and found.source_type == SEED:
                    raise PluginError(f"invalid seed length {len(secret)} used for key generation")
            except PluginError as error:
                self._failure = str(error)
            else:
                self._keep(source, secret)

    def _keep(self, source: bytes, secret: bytes) -> None:
        self._secrets[source] = secret
        if len(self._secrets) > REMEMBERED:
            self._secrets.popitem(last=False)
        self._metrics.cached(self._name, len(self._secrets))

    # The plugin's health, and its key.

    def check(self) -> str:
        return self._wrong

    async def probe(self) -> str:
        try:
            status = await self._plugin.status()
        except PluginError as error:
            self._wrong = (
                f"failed to perform status section of the healthz check for KMS Provider {self._name}, error: {error}"
            )
            return self._wrong
        wrong = await self._look(status)
        if len(wrong) > 1:
            wrong = [f"[{', '.join(wrong)}]"]
        self._wrong = f"kmsv2 Provider {self._name} is not healthy, error: {wrong[0]}" if wrong else ""
        return self._wrong

    async def _look(self, status: StatusResponse) -> list[str]:
        wrong: list[str] = []
        if status.healthz != "ok":
            wrong.append(f"got unexpected healthz status: {status.healthz}")
        if status.version not in VERSIONS:
            wrong.append(f"expected KMSv2 API version v2, got {status.version}")
        else:
            self._version = self._version or status.version
            if self._version != status.version:
                wrong.append(
                    "KMSv2 API version should not change after the initial status response version "
                    f"{self._version}, got {status.version}"
                )
        if complaint := _key_id_complaint(status.key_id):
            self._metrics.invalid(self._name, "too_long" if status.key_id else "empty")
            wrong.append(f'got invalid KMSv2 KeyID hash "{key_hash(status.key_id)}": {complaint}')
            return wrong
        self._metrics.told(self._name, key_hash(status.key_id), self._clock)
        return wrong + await self._rotate(status.key_id)

    async def _rotate(self, key_id: str) -> list[str]:
        """A new seed if the plugin's key is another one; with the same key the seed stays in use."""
        current, until = self._current, self._clock.now() + WRITES_FOR
        if current is not None and current.envelope.key_id == key_id:
            self._current = _Current(current.seed, current.envelope, until)
            return []
        seed, uid = os.urandom(SEED_BYTES), str(uuid.uuid4())
        envelope, failure = EncryptedObject(), "<nil>"
        try:
            answer = await self._plugin.encrypt(uid, seed)
            annotations = sorted(answer.annotations, key=lambda one: one.key)
            envelope = EncryptedObject(
                key_id=answer.key_id, source=answer.ciphertext, annotations=annotations, source_type=SEED
            )
            _check(envelope)
        except PluginError as error:
            failure = f"failed to encrypt DEK, error: {error}"
        except TransformError as error:
            failure = str(error)
        if failure == "<nil>" and envelope.key_id == key_id:
            self._current = _Current(seed, envelope, until)
            self._keep(envelope.of_source, seed)
            log.info("new seed provider=%s key=%s", self._name, key_hash(key_id))
            return []
        return [
            f'failed to rotate DEK uid="{uid}", useSeed=true, '
            f"errState={'<nil>' if current else 'got unexpected nil transformer'}, errGen={failure}, "
            f'statusKeyIDHash="{key_hash(key_id)}", encryptKeyIDHash="{key_hash(envelope.key_id)}", '
            f'stateKeyIDHash="{key_hash(current.envelope.key_id) if current else ""}", '
            f"expirationTimestamp={_rfc3339(current.until) if current else '0001-01-01T00:00:00Z'}"
        ]

    async def close(self) -> None:
        await self._plugin.close()


def key_hash(key_id: str) -> str:
    """How a key is named to people."""
    return f"sha256:{hashlib.sha256(key_id.encode()).hexdigest()}" if key_id else ""


def _derived(seed: bytes, info: bytes) -> bytes:
    return HKDFExpand(SHA256(), KEY_BYTES, info).derive(seed)


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _decoded(data: bytes) -> EncryptedObject:
    """Raises TransformError."""
    try:
        found = EncryptedObject.decode(data)
    except ValueError as error:
        raise TransformError(f"proto: cannot parse: {error}") from error
    if not found.data:
        raise TransformError("encrypted data is empty")
    _check(found)
    return found


def _check(envelope: EncryptedObject) -> None:
    """Raises TransformError."""
    if envelope.source_type not in (KEY, SEED):
        raise TransformError(f"unknown encryptedDEKSourceType: {envelope.source_type}")
    if not envelope.source:
        raise TransformError("failed to validate encrypted DEK source: encrypted DEK source is empty")
    if len(envelope.source) > MAX_SOURCE_BYTES:
        raise TransformError(
            f"failed to validate encrypted DEK source: encrypted DEK source is {len(envelope.source)} bytes, "
            f"which exceeds the max size of {MAX_SOURCE_BYTES}"
        )
    if complaint := _key_id_complaint(envelope.key_id):
        raise TransformError(f"failed to validate key id: {complaint}")
    for one in envelope.annotations:
        if wrong := fully_qualified_domain_name(one.key):
            raise TransformError(f"failed to validate annotations: annotations: Invalid value: {one.key!r}: {wrong[0]}")
    size = sum(len(one.key) + len(one.value) for one in envelope.annotations)
    if size > MAX_ANNOTATION_BYTES:
        raise TransformError(
            f"failed to validate annotations: total size of annotations is {size}, which exceeds the max size of "
            f"{MAX_ANNOTATION_BYTES}"
        )


def _key_id_complaint(key_id: str) -> str:
    if not key_id:
        return "keyID is empty"
    if len(key_id) > MAX_KEY_ID_BYTES:
        return f"keyID is {len(key_id)} bytes, which exceeds the max size of {MAX_KEY_ID_BYTES}"
    return ""
