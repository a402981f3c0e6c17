"""What carries a message over the wire: the envelope that names its kind, and the frames of a watch."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from pybernetes.api.caching import short_cache
from pybernetes.api.protobuf.messages import facts, message
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import split_api_version
from pybernetes.api.tree import Tree
from pybernetes.wire.protobuf import ProtobufError, delimited, delimited_fields

CONTENT_TYPE: Final = "application/vnd.kubernetes.protobuf"
MAGIC: Final = b"k8s\x00"
_TYPE_META: Final = "k8s.io.apimachinery.pkg.runtime.TypeMeta"
_META: Final = "k8s.io.apimachinery.pkg.apis.meta.v1."
_META_VERSIONS: Final = frozenset({"", "v1", "meta.k8s.io/v1"})
"""The lists of what the core group has are older than versions of such kinds, and name none."""
_UNKNOWN: Final = {1: "TypeMeta", 2: "Raw", 3: "ContentEncoding", 4: "ContentType"}
"""What upstream calls the fields of the envelope, which is itself called `Unknown`."""
_LENGTH: Final = struct.Struct(">I")
_MAX_FRAME: Final = 16 * 1024 * 1024


class MessageError(ProtobufError):
    """The message of an object is none, though its envelope says what it is."""

    def __init__(self, why: str, api_version: str, kind: str) -> None:
        super().__init__(why)
        self.api_version = api_version
        self.kind = kind


class NoMessageError(MessageError):
    """The envelope is of a kind that does not travel as protobuf, or that nobody knows."""


@short_cache(1024)
def _message_name(api_version: str, kind: str) -> str | None:
    """The message of a kind: of its definition, of the meta group, or of the group's package."""
    group, version = split_api_version(api_version)
    names = [f"k8s.io.api.{group.split('.')[0] or 'core'}.{version}.{kind}"]
    try:
        definition = schema_of(api_version, kind).definition
        names.insert(0, definition.replace("io.k8s.", "k8s.io.", 1).replace("-", "_"))
    except KeyError:
        pass
    if api_version in _META_VERSIONS:
        names.append(_META + kind)
    return next((name for name in names if name in facts()), None)


def has_message(api_version: str, kind: str) -> bool:
    """Whether the kind travels as protobuf at all; custom resources and Tables do not."""
    return _message_name(api_version, kind) is not None


def _named(api_version: str, kind: str) -> str:
    name = _message_name(api_version, kind)
    if name is None:
        raise NoMessageError(f"{api_version}, Kind={kind} has no protobuf message", api_version, kind)
    return name


def encode_object(tree: Tree) -> bytes:
    """The object, or list of objects, in its envelope; raises `ProtobufError` if its kind has no message."""
    api_version, kind = tree.get("apiVersion", ""), tree["kind"]
    raw = message(_named(api_version, kind)).encode(tree)
    type_meta = b"\x0a" + delimited(api_version.encode()) + b"\x12" + delimited(kind.encode())
    return b"".join((MAGIC, b"\x0a", delimited(type_meta), b"\x12", delimited(raw), b"\x1a\x00\x22\x00"))


def decode_object(data: bytes, api_version: str = "", kind: str = "") -> Tree:
    """The JSON tree of an object in its envelope, apiVersion and kind first; raises `ProtobufError`.

    `api_version` and `kind` are what it is where the envelope does not say so.
    """
    told, found = _open(data)
    api_version, kind = _legible(told.get("apiVersion", "")) or api_version, told.get("kind") or kind
    name = _named(api_version, kind)
    try:
        read = message(name).decode(data, *found.get(2, (0, 0)))
    except RecursionError as error:
        raise ProtobufError("messages are nested too deeply") from error
    except ProtobufError as error:
        raise MessageError(str(error), api_version, kind) from error
    return {"apiVersion": api_version, "kind": kind, **read}


def _legible(api_version: str) -> str:
    """An apiVersion, or "" for what is none."""
    group, _, version = api_version.rpartition("/")
    if not version or "/" in group:
        return ""
    return api_version if group else version


def _open(data: bytes) -> tuple[Tree, dict[int, tuple[int, int]]]:
    """The apiVersion and kind that an envelope tells, and where its fields lie."""
    if not data:
        raise ProtobufError("empty data")
    if not data.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    if len(data) == len(MAGIC):
        raise ProtobufError("empty body")
    found = delimited_fields(data, len(MAGIC), len(data), "Unknown", _UNKNOWN)
    return message(_TYPE_META).decode(data, *found.get(1, (0, 0))), found


def encode_event(event_type: str, encoded: bytes) -> bytes:
    """A frame of a watch: length, and a WatchEvent around an object that is already in its envelope."""
    object_ = b"\x0a" + delimited(encoded)
    event = b"\x0a" + delimited(event_type.encode()) + b"\x12" + delimited(object_)
    return _LENGTH.pack(len(event)) + event


class EventReader:
    """Cuts what arrives of a watch into events."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The events that are complete now, as (type, the object in its envelope); raises `ProtobufError`."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > _MAX_FRAME:
                raise ProtobufError(f"a watch event of {length} bytes is too large")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            event = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield _read_event(event)


def _read_event(event: bytes) -> tuple[str, bytes]:
    found = delimited_fields(event, 0, len(event))
    start, end = found.get(1, (0, 0))
    raw_start, raw_end = delimited_fields(event, *found.get(2, (0, 0))).get(1, (0, 0))
    return event[start:end].decode("utf-8", "replace"), event[raw_start:raw_end]
