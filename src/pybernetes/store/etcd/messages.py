"""etcd's v3 API messages (etcdserverpb, mvccpb): field numbers as facts.

Written by hand since the dozen messages that a store needs are smaller than the generated code of the whole API.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from pybernetes.wire.message import Message
from pybernetes.wire.protobuf import VARINT


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
    kvs: list[KeyValue] = msgspec.field(default_factory=list)
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
    responses: list[ResponseOp] = msgspec.field(default_factory=list)


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
    FIELDS: ClassVar = {1: ("header", Header), 2: ("version", bytes), 3: ("db_size", int)}
    header: Header = Header()
    version: bytes = b""
    db_size: int = 0


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
    events: list[Event] = msgspec.field(default_factory=list)
