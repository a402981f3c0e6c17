"""Calls to a plugin of a key management service: gRPC over a unix socket (`v2.KeyManagementService`)."""

from __future__ import annotations

from time import perf_counter
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import urlsplit

import grpc.aio
import msgspec

from pybernetes.apiserver.encryption.kms_metrics import KMSMetrics
from pybernetes.wire.message import Message

R = TypeVar("R", bound=Message)
SERVICE: Final = "/v2.KeyManagementService"


class PluginError(Exception):
    """The plugin did not answer, or with an error; the text is as Go's gRPC shows it."""


class Annotation(Message, frozen=True):
    """An entry of a map."""

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("key", str), 2: ("value", bytes)}
    key: str = ""
    value: bytes = b""


class StatusRequest(Message, frozen=True):
    pass


class StatusResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("version", str), 2: ("healthz", str), 3: ("key_id", str)}
    version: str = ""
    healthz: str = ""
    key_id: str = ""


class DecryptRequest(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("ciphertext", bytes), 2: ("uid", str), 3: ("key_id", str), 4: ("annotations", [Annotation]),
    }  # fmt: skip
    ciphertext: bytes = b""
    uid: str = ""
    key_id: str = ""
    annotations: list[Annotation] = msgspec.field(default_factory=list)


class DecryptResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("plaintext", bytes)}
    plaintext: bytes = b""


class EncryptRequest(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("plaintext", bytes), 2: ("uid", str)}
    plaintext: bytes = b""
    uid: str = ""


class EncryptResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("ciphertext", bytes), 2: ("key_id", str), 3: ("annotations", [Annotation]),
    }  # fmt: skip
    ciphertext: bytes = b""
    key_id: str = ""
    annotations: list[Annotation] = msgspec.field(default_factory=list)


class Plugin:
    """One plugin; it is connected to when it is first called, and again after it has been away."""

    def __init__(self, name: str, endpoint: str, seconds: float, metrics: KMSMetrics) -> None:
        self._name = name
        self._seconds = seconds
        self._metrics = metrics
        path = urlsplit(endpoint).path
        target = f"unix-abstract:{path[2:]}" if path.startswith("/@") else f"unix:{path}"
        options = [
            ("grpc.default_authority", "localhost"),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
        ]
        self._channel = grpc.aio.insecure_channel(target, options=options)

    async def status(self) -> StatusResponse:
        """Raises PluginError, as all calls do."""
        return await self._call("Status", StatusRequest(), StatusResponse)

    async def encrypt(self, uid: str, plaintext: bytes) -> EncryptResponse:
        return await self._call("Encrypt", EncryptRequest(plaintext=plaintext, uid=uid), EncryptResponse)

    async def decrypt(self, uid: str, ciphertext: bytes, key_id: str, annotations: list[Annotation]) -> bytes:
        request = DecryptRequest(ciphertext=ciphertext, uid=uid, key_id=key_id, annotations=annotations)
        return (await self._call("Decrypt", request, DecryptResponse)).plaintext

    async def _call(self, method: str, request: Message, answer: type[R]) -> R:
        stub = self._channel.unary_unary(
            f"{SERVICE}/{method}", request_serializer=Message.encode, response_deserializer=answer.decode
        )
        began, code = perf_counter(), "OK"
        try:
            found: R = await stub(request, timeout=self._seconds, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            code = _code(error)
            raise PluginError(f"rpc error: code = {code} desc = {error.details()}") from error
        else:
            return found
        finally:
            self._metrics.called(self._name, f"{SERVICE}/{method}", code, perf_counter() - began)

    async def close(self) -> None:
        await self._channel.close()


def _code(error: grpc.aio.AioRpcError) -> str:
    """As Go writes codes: DeadlineExceeded."""
    return "".join(part.capitalize() for part in error.code().name.split("_"))
