"""Formats that are made of the JSON one: partial metadata, YAML."""

from __future__ import annotations

from typing import Final

import msgspec

from pybernetes.api.protobuf import encode_event, encode_object
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.encoding import Encoder, ListMetadata, bookmark_event, event_of
from pybernetes.apiserver.negotiate import PROTOBUF, YAML
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.yaml import to_yaml

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


class PartialEncoder:
    """PartialObjectMetadata: what controllers ask for that only look at metadata."""

    content_type = "application/json"
    stream_type = "application/json"

    def __init__(self, served: Served, version: str) -> None:
        self._api_version = f"meta.k8s.io/{version}"
        self._start = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/%b","metadata":' % version.encode()
        self._list_start = (
            b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/%b","metadata":' % version.encode()
        )

    @staticmethod
    def _metadata(item: Item) -> bytes:
        return item.form("metadata", lambda one: _encode(one.tree["metadata"]))

    def obj(self, item: Item) -> bytes:
        return b"%b%b}\n" % (self._start, self._metadata(item))

    def items(self, items: list[Item], metadata: ListMetadata) -> list[bytes]:
        start = self._list_start + _encode(metadata)
        if not items:
            return [start + b',"items":null}\n']
        rows = b",".join([b"%b%b}" % (self._start, self._metadata(item)) for item in items])
        return [start + b',"items":[', rows, b"]}\n"]

    def event(self, kind: bytes, item: Item) -> bytes:
        return b'{"type":"%b","object":%b%b}}\n' % (kind, self._start, self._metadata(item))

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        return bookmark_event(self._api_version, "PartialObjectMetadata", revision, initial_end=initial_end)

    def error(self, status: Tree) -> bytes:
        return event_of(b"ERROR", status)

    def following(self) -> Encoder:
        return self


class YAMLEncoder:
    """Another encoder's output as YAML; for people, so nothing is kept."""

    content_type = YAML
    stream_type = YAML

    def __init__(self, inner: Encoder) -> None:
        self._inner = inner
        after = inner.following()
        self._following: Encoder | None = None if after is inner else YAMLEncoder(after)

    def obj(self, item: Item) -> bytes:
        return to_yaml(_decode(self._inner.obj(item)))

    def items(self, items: list[Item], metadata: ListMetadata) -> list[bytes]:
        return [to_yaml(_decode(b"".join(self._inner.items(items, metadata))))]

    def event(self, kind: bytes, item: Item) -> bytes:
        return self._inner.event(kind, item)

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        return self._inner.bookmark(revision, initial_end=initial_end)

    def error(self, status: Tree) -> bytes:
        return self._inner.error(status)

    def following(self) -> Encoder:
        return self if self._following is None else self._following


class PrettyEncoder:
    """Another encoder's JSON laid out for people; watches are for programs, and never so."""

    content_type = "application/json"
    stream_type = "application/json"

    def __init__(self, inner: Encoder) -> None:
        self._inner = inner

    def obj(self, item: Item) -> bytes:
        return msgspec.json.format(self._inner.obj(item), indent=2)

    def items(self, items: list[Item], metadata: ListMetadata) -> list[bytes]:
        return [msgspec.json.format(b"".join(self._inner.items(items, metadata)), indent=2)]

    def event(self, kind: bytes, item: Item) -> bytes:
        return self._inner.event(kind, item)

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        return self._inner.bookmark(revision, initial_end=initial_end)

    def error(self, status: Tree) -> bytes:
        return self._inner.error(status)

    def following(self) -> Encoder:
        return self


class ProtobufEncoder:
    """Another encoder's output as protobuf; an object's is made once."""

    content_type = PROTOBUF
    stream_type = f"{PROTOBUF};stream=watch"

    def __init__(self, inner: Encoder) -> None:
        self._inner = inner
        after = inner.following()
        self._following: Encoder | None = None if after is inner else ProtobufEncoder(after)

    def obj(self, item: Item) -> bytes:
        return item.form(self, lambda one: encode_object(_decode(self._inner.obj(one))))

    def items(self, items: list[Item], metadata: ListMetadata) -> list[bytes]:
        return [encode_object(_decode(b"".join(self._inner.items(items, metadata))))]

    def event(self, kind: bytes, item: Item) -> bytes:
        return encode_event(kind.decode(), self.obj(item))

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        event = _decode(self._inner.bookmark(revision, initial_end=initial_end))
        return encode_event("BOOKMARK", encode_object(event["object"]))

    def error(self, status: Tree) -> bytes:
        return encode_event("ERROR", encode_object(status))

    def following(self) -> Encoder:
        return self if self._following is None else self._following
