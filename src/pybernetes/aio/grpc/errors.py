"""Status codes of gRPC, and the error that every call ends with that does not end well."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol, Self


class Code(IntEnum):
    """https://grpc.github.io/grpc/core/md_doc_statuscodes.html"""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class GrpcError(Exception):
    """A status other than OK; the text is as Go's gRPC shows it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"rpc error: code = {code_name(code)} desc = {message}")
        self.code, self.message = code, message


class Message(Protocol):
    """What is sent and received. `decode` raises ValueError for bytes that are none."""

    def encode(self) -> bytes: ...

    @classmethod
    def decode(cls, data: bytes) -> Self: ...


def code_name(code: int) -> str:
    """As Go writes it: DeadlineExceeded."""
    if code not in Code._value2member_map_:
        return f"Code({code})"
    name = Code(code).name
    return name if name == "OK" else "Canceled" if name == "CANCELLED" else name.title().replace("_", "")
