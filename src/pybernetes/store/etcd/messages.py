"""etcd's v3 API messages (etcdserverpb, mvccpb): field numbers as facts, and just enough protobuf to carry them.

A message is a frozen Struct; its fields are numbered in `FIELDS`. Written by hand since the dozen messages that a
store needs are smaller than the generated code of the whole API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import msgspec

VARINT, LENGTH = 0, 2


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base: scalars default to proto3's zero values, which are not sent."""

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {}
    """Number -> attribute and kind: int, bool, bytes, a Message class, or [Message class] for repeated ones."""

    def encode(self) -> bytes:
        out = bytearray()
        for number, (name, kind) in self.FIELDS.items():
            value = getattr(self, name)
            for one in value if isinstance(kind, list) else [value]:
                _write(out, number, kind[0] if isinstance(kind, list) else kind, one)
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises ValueError for malformed data; unknown fields are skipped."""
        values: dict[str, Any] = {}
        for number, raw in _fields(data):
            if number not in cls.FIELDS:
                continue
            name, kind = cls.FIELDS[number]
            if isinstance(kind, list):
                values.setdefault(name, []).append(kind[0].decode(raw))
            elif kind in (int, bool):
                values[name] = kind(_signed(raw)) if isinstance(raw, int) else 0
            else:
                values[name] = raw if kind is bytes else kind.decode(raw)
        return cls(**values)


def _write(out: bytearray, number: int, kind: Any, value: Any) -> None:
    if kind in (int, bool):
        if value:
            _varint(out, number << 3 | VARINT)
            _varint(out, int(value) & (1 << 64) - 1)
        return
    if value is None or (kind is bytes and not value):
        return
    data = value if kind is bytes else value.encode()
    _varint(out, number << 3 | LENGTH)
    _varint(out, len(data))
    out += data


def _varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        match tag & 7:
            case 0:
                value, position = _read_varint(data, position)
                yield tag >> 3, value
            case 2:
                size, position = _read_varint(data, position)
                yield tag >> 3, data[position : position + size]
                position += size
            case 1:
                position += 8
            case 5:
                position += 4
            case wire:
                raise ValueError(f"unknown wire type {wire}")


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


class Header(Message, frozen=True):
    FIELDS: ClassVar = {3: ("revision", int)}
    revision: int = 0


class KeyValue(Message, frozen=True):
    FIELDS: ClassVar = {
        1: ("key", bytes), 2: ("create_revision", int), 3: ("mod_revision", int), 5: ("value", bytes),
    }  # fmt: skip
    key: bytes = b""
    create_revision: int = 0
    mod_revision: int = 0
    value: bytes = b""


class Event(Message, frozen=True):
    """`type` 0 is a put, 1 a delete."""

    FIELDS: ClassVar = {1: ("type", int), 2: ("kv", KeyValue)}
    type: int = 0
    kv: KeyValue = KeyValue()


class RangeRequest(Message, frozen=True):
    FIELDS: ClassVar = {
        1: ("key", bytes), 2: ("range_end", bytes), 3: ("limit", int), 4: ("revision", int), 9: ("count_only", bool),
    }  # fmt: skip
    key: bytes
    range_end: bytes = b""
    limit: int = 0
    revision: int = 0
    count_only: bool = False


class RangeResponse(Message, frozen=True):
    FIELDS: ClassVar = {1: ("header", Header), 2: ("kvs", [KeyValue]), 4: ("count", int)}
    header: Header = Header()
    kvs: list[KeyValue] = []
    count: int = 0


class PutRequest(Message, frozen=True):
    FIELDS: ClassVar = {1: ("key", bytes), 2: ("value", bytes), 3: ("lease", int)}
    key: bytes
    value: bytes
    lease: int = 0


class DeleteRangeRequest(Message, frozen=True):
    FIELDS: ClassVar = {1: ("key", bytes)}
    key: bytes


class DeleteRangeResponse(Message, frozen=True):
    FIELDS: ClassVar = {2: ("deleted", int)}
    deleted: int = 0


class RequestOp(Message, frozen=True):
    FIELDS: ClassVar = {1: ("range", RangeRequest), 2: ("put", PutRequest), 3: ("delete", DeleteRangeRequest)}
    range: RangeRequest | None = None
    put: PutRequest | None = None
    delete: DeleteRangeRequest | None = None


class ResponseOp(Message, frozen=True):
    FIELDS: ClassVar = {1: ("range", RangeResponse), 3: ("delete", DeleteRangeResponse)}
    range: RangeResponse | None = None
    delete: DeleteRangeResponse | None = None


class Compare(Message, frozen=True):
    """The key's mod_revision equals the one given: `target` 2 is MOD, `result` 0 is EQUAL."""

    FIELDS: ClassVar = {2: ("target", int), 3: ("key", bytes), 6: ("mod_revision", int)}
    key: bytes
    mod_revision: int
    target: int = 2

    def encode(self) -> bytes:
        """The revision is one of a oneof, so that even 0 (the key does not exist) has to be sent."""
        encoded = super().encode()
        return encoded if self.mod_revision else encoded + bytes((6 << 3 | VARINT, 0))


class TxnRequest(Message, frozen=True):
    FIELDS: ClassVar = {1: ("compare", [Compare]), 2: ("success", [RequestOp]), 3: ("failure", [RequestOp])}
    compare: list[Compare]
    success: list[RequestOp]
    failure: list[RequestOp]


class TxnResponse(Message, frozen=True):
    FIELDS: ClassVar = {1: ("header", Header), 2: ("succeeded", bool), 3: ("responses", [ResponseOp])}
    header: Header = Header()
    succeeded: bool = False
    responses: list[ResponseOp] = []


class CompactionRequest(Message, frozen=True):
    FIELDS: ClassVar = {1: ("revision", int)}
    revision: int


class CompactionResponse(Message, frozen=True):
    pass


class LeaseGrantRequest(Message, frozen=True):
    FIELDS: ClassVar = {1: ("ttl", int)}
    ttl: int


class LeaseGrantResponse(Message, frozen=True):
    FIELDS: ClassVar = {2: ("id", int), 3: ("ttl", int)}
    id: int = 0
    ttl: int = 0


class WatchCreateRequest(Message, frozen=True):
    FIELDS: ClassVar = {1: ("key", bytes), 2: ("range_end", bytes), 3: ("start_revision", int)}
    key: bytes
    range_end: bytes
    start_revision: int


class WatchProgressRequest(Message, frozen=True):
    pass


class WatchRequest(Message, frozen=True):
    FIELDS: ClassVar = {1: ("create_request", WatchCreateRequest), 3: ("progress_request", WatchProgressRequest)}
    create_request: WatchCreateRequest | None = None
    progress_request: WatchProgressRequest | None = None


class StatusRequest(Message, frozen=True):
    pass


class StatusResponse(Message, frozen=True):
    FIELDS: ClassVar = {1: ("header", Header), 2: ("version", bytes)}
    header: Header = Header()
    version: bytes = b""


class WatchResponse(Message, frozen=True):
    FIELDS: ClassVar = {
        1: ("header", Header), 3: ("created", bool), 4: ("canceled", bool), 5: ("compact_revision", int),
        6: ("cancel_reason", bytes), 11: ("events", [Event]),
    }  # fmt: skip
    header: Header = Header()
    created: bool = False
    canceled: bool = False
    compact_revision: int = 0
    cancel_reason: bytes = b""
    events: list[Event] = []
