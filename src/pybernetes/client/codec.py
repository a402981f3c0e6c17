"""Between bytes and objects: one codec per type of `api.types`, per untyped resource, or per resource's metadata."""

from __future__ import annotations

from functools import cache
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.schema import Kind, Schema, schema_for, schema_of
from pybernetes.api.scheme import Resource, resource_for
from pybernetes.api.tree import Tree
from pybernetes.api.types import meta_v1
from pybernetes.api.types.base import Object
from pybernetes.client.completed import completed

Buffer: TypeAlias = "bytes | msgspec.Raw"

T = TypeVar("T")
ObjectT = TypeVar("ObjectT", bound=Object)

JSON = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
CHANGES = frozenset({"ADDED", "MODIFIED", "DELETED"})
"""The types of events that carry an object of the resource."""
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class PartialObjectMetadata(Object, frozen=True, kw_only=True):
    """What the API server sends when asked for metadata only; `api_version` and `kind` may be its own."""

    api_version: str = msgspec.field(default_factory=lambda: "meta.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "PartialObjectMetadata")
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())


class HasMetadata(Protocol):
    """Any typed object that is stored: Pod, Deployment, ..."""

    @property
    def api_version(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def metadata(self) -> meta_v1.ObjectMeta: ...


class Page(Struct, Generic[T], frozen=True):
    """A list, or a part of it: `continue_` asks for the next part, "" if this was the last."""

    items: list[T]
    resource_version: str
    continue_: str = ""
    remaining: int = 0


class WatchEvent(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """ADDED, MODIFIED or DELETED with the object; BOOKMARK without one.

    `initial_events_end` marks the bookmark that closes the initial events of a watch that asked for them.
    """

    type: str
    object: T | None
    resource_version: str
    initial_events_end: bool = False


class _Meta(msgspec.Struct):
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())


class _Kind(msgspec.Struct):
    kind: str = ""


class _RawList(msgspec.Struct):
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())
    items: list[msgspec.Raw] | None = None


class _RawEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _TypedEvent(msgspec.Struct, Generic[T]):
    type: str
    object: T


class _TypedList(msgspec.Struct, Generic[T]):
    items: list[T]
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_list = msgspec.json.Decoder(_RawList).decode
_decode_event = msgspec.json.Decoder(_RawEvent).decode
_decode_meta = msgspec.json.Decoder(_Meta).decode


class Codec(Generic[T]):
    """Decodes what the API server sends for one resource."""

    def __init__(self, resource: Resource, accept: str = JSON, accept_list: str = JSON) -> None:
        self.resource, self.accept, self.accept_list = resource, accept, accept_list

    def object(self, body: Buffer) -> T:
        """The object of a response. Raises msgspec.ValidationError if it is not one."""
        raise TypeError("abstract")

    def metadata(self, obj: T) -> meta_v1.ObjectMeta:
        raise TypeError("abstract")

    def page(self, body: bytes) -> Page[T]:
        """The items of a list response."""
        found = _decode_list(body)
        meta = found.metadata
        items = [self.object(raw) for raw in found.items or ()]
        return Page(items, meta.resource_version or "", meta.continue_ or "", meta.remaining_item_count or 0)

    def event(self, line: bytes) -> WatchEvent[T]:
        """One line of a watch. Raises StatusError for an ERROR event."""
        event = _decode_event(line)
        if event.type == "ERROR":
            raise errors.from_status(msgspec.json.decode(event.object))
        if event.type == "BOOKMARK":
            meta = _decode_meta(event.object).metadata
            ended = meta.annotations.get(INITIAL_EVENTS_END) == "true"
            return WatchEvent(event.type, None, meta.resource_version or "", ended)
        obj = self.object(event.object)
        return WatchEvent(event.type, obj, self.metadata(obj).resource_version or "")


class TypedCodec(Codec[ObjectT]):
    """Objects of a type of `api.types`, without their managedFields: an update without them leaves them alone."""

    def __init__(self, kind: type[ObjectT], resource: Resource, accept: str = JSON, accept_list: str = JSON) -> None:
        super().__init__(resource, accept, accept_list)
        self.kind = kind
        self._decoder = msgspec.json.Decoder(kind)
        self._list_decoder = msgspec.json.Decoder(_TypedList[kind])  # type: ignore[valid-type]
        self._event_decoder = msgspec.json.Decoder(_TypedEvent[kind])  # type: ignore[valid-type]

    def object(self, body: Buffer) -> ObjectT:
        try:
            return _trimmed(self._decoder.decode(body))
        except msgspec.ValidationError:
            # Servers written in Go send null for empty lists and maps.
            whole = completed(_schema(self.resource), msgspec.json.decode(body))
            return _trimmed(self._decoder.decode(msgspec.json.encode(whole)))

    def event(self, line: bytes) -> WatchEvent[ObjectT]:
        try:
            found = self._event_decoder.decode(line)
        except msgspec.ValidationError:
            return super().event(line)
        if found.type not in CHANGES:
            return super().event(line)
        obj = _trimmed(found.object)
        return WatchEvent(found.type, obj, self.metadata(obj).resource_version or "")

    def page(self, body: bytes) -> Page[ObjectT]:
        try:
            found = self._list_decoder.decode(body)
        except msgspec.ValidationError:
            return super().page(body)
        meta = found.metadata
        items = [_trimmed(item) for item in found.items]
        return Page(items, meta.resource_version or "", meta.continue_ or "", meta.remaining_item_count or 0)

    def metadata(self, obj: ObjectT) -> meta_v1.ObjectMeta:
        found: meta_v1.ObjectMeta = obj.metadata  # type: ignore[attr-defined]
        return found


class TreeCodec(Codec[Tree]):
    """Objects as JSON trees; those of a list get the apiVersion and kind that their list left out."""

    def object(self, body: Buffer) -> Tree:
        tree: Tree = msgspec.json.decode(body)
        tree.setdefault("apiVersion", self.resource.api_version)
        tree.setdefault("kind", self.resource.kind)
        return tree

    def metadata(self, obj: Tree) -> meta_v1.ObjectMeta:
        metadata = {name: value for name, value in (obj.get("metadata") or {}).items() if name != "managedFields"}
        return msgspec.convert(completed(_metadata(), metadata), meta_v1.ObjectMeta)


def _schema(resource: Resource) -> Schema:
    try:
        return schema_of(resource.api_version, resource.kind)
    except KeyError:  # a custom resource, of which only the metadata are read
        return Schema(Kind.OBJECT, properties={"metadata": _metadata()})


def _metadata() -> Schema:
    return schema_for("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")


def _trimmed(obj: ObjectT) -> ObjectT:
    meta: object = getattr(obj, "metadata", None)
    if type(meta) is meta_v1.ObjectMeta and meta.managed_fields:
        return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(meta, managed_fields=[]))
    return obj


@cache
def typed_codec(kind: type[ObjectT]) -> TypedCodec[ObjectT]:
    """The codec of a type that is a resource; LookupError for another."""
    return TypedCodec(kind, resource_for(kind))


@cache
def tree_codec(resource: Resource) -> TreeCodec:
    return TreeCodec(resource)


@cache
def metadata_codec(resource: Resource) -> TypedCodec[PartialObjectMetadata]:
    """Only the metadata of a resource's objects, cut out by the server."""
    return TypedCodec(PartialObjectMetadata, resource, METADATA_ONLY, METADATA_LIST_ONLY)


@cache
def decoder_of(kind: type[ObjectT]) -> msgspec.json.Decoder[ObjectT]:
    """The decoder of any type of `api.types`, resource or not."""
    return msgspec.json.Decoder(kind)


def kind_of(body: bytes) -> str:
    """The kind that a body says it is."""
    return _decode_kind(body).kind
