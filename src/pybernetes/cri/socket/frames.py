"""Frames: a length (4 bytes, big-endian) and a msgpack array.

To the server: `[id, method, [arguments]]`, or `[id, "cancel", []]` to end a stream. From it: `[id, kind,
value]` with the kinds of `Kind`. The methods are those of the Protocols, and so are the types of what travels.
"""

import asyncio
import inspect
import struct
import typing
from enum import IntEnum
from typing import Any

import msgspec

from pybernetes.cri.building import BuildService
from pybernetes.cri.library import ImageLibrary
from pybernetes.cri.service import ImageService, RuntimeService

_LENGTH = struct.Struct("!I")
_LIMIT = 64 << 20
CANCEL = "cancel"


class Kind(IntEnum):
    """What an answer is."""

    RESULT = 0
    ERROR = 1
    ITEM = 2
    END = 3


class Request(msgspec.Struct, array_like=True):
    """A call; its arguments stay encoded until the method is known."""

    id: int
    method: str
    arguments: msgspec.Raw


class Answer(msgspec.Struct, array_like=True):
    """A result, an error (class name and message), or a part of a stream."""

    id: int
    kind: Kind
    value: msgspec.Raw


def argument_types(service: type) -> dict[str, Any]:
    """For each method of a Protocol, the tuple type of its arguments."""
    found: dict[str, Any] = {}
    for name, method in inspect.getmembers(service, inspect.isfunction):
        if not name.startswith("_"):
            hints = typing.get_type_hints(method)
            hints.pop("return", None)
            found[name] = tuple.__class_getitem__(tuple(hints.values()))
    return found


SERVICES = (RuntimeService, ImageService, ImageLibrary, BuildService)
ARGUMENTS = {name: each for service in SERVICES for name, each in argument_types(service).items()}


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame's content. Raises IncompleteReadError at the end, ConnectionError if it is no frame."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > _LIMIT:
        raise ConnectionError(f"a frame of {length} bytes")
    return await reader.readexactly(length)


def frame(message: object) -> bytes:
    """A message, ready to be sent."""
    data = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(data)) + data
