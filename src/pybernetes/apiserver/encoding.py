"""Objects, lists and watch events as bytes, in each format a client may ask for.

An `Encoder` is made once for each served resource and format. It never decodes what is asked for as it is stored.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final, Protocol

import msgspec

from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.registry.served import Served

_encode: Final = msgspec.json.Encoder().encode
_encoded: Final = attrgetter("encoded")

ADDED: Final = b"ADDED"
MODIFIED: Final = b"MODIFIED"
DELETED: Final = b"DELETED"
INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


class ListMetadata(msgspec.Struct, omit_defaults=True, rename="camel"):
    """The metadata of a list."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class Encoder(Protocol):
    """One format of one resource."""

    content_type: str
    stream_type: str

    def obj(self, item: Item) -> bytes:
        """The object by itself; JSON ends with a line end, as Go's encoder has it, unless it is laid out for people."""
        ...

    def items(self, items: list[Item], metadata: ListMetadata) -> list[bytes]:
        """A list, as parts of a body."""
        ...

    def event(self, kind: bytes, item: Item) -> bytes:
        """A watch event with its line end."""
        ...

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        """A BOOKMARK event."""
        ...

    def error(self, status: Tree) -> bytes:
        """An ERROR event."""
        ...

    def following(self) -> Encoder:
        """What a watch goes on with after its first event: always the same encoder."""
        ...


class JSONEncoder:
    """As stored, with apiVersion and kind put in front."""

    content_type = "application/json"
    stream_type = "application/json"

    def __init__(self, served: Served) -> None:
        resource = served.resource
        self._served = served
        self._list_start = b'{"kind":"%b","apiVersion":"%b","metadata":' % (
            resource.list_kind.encode(),
            resource.api_version.encode(),
        )
        self._start = (
            b"{" if served.custom else b'{"kind":"%b","apiVersion":"%b",' % (resource.kind.encode(), resource.api_version.encode())
        )  # fmt: skip
        self._converts = served.conversion is not None
        self._key = ("json", resource.group, resource.version)

    def bare(self, item: Item) -> bytes:
        """The object as it stands in lists."""
        if not self._converts:
            return item.encoded
        return item.form(self._key, self._convert)

    def _convert(self, item: Item) -> bytes:
        tree = self._served.from_storage(item.tree)
        if not self._served.custom:
            tree = {key: value for key, value in tree.items() if key not in ("apiVersion", "kind")}
        return _encode(tree)

    def obj(self, item: Item) -> bytes:
        return b"%b%b\n" % (self._start, self.bare(item)[1:])

    def typed(self, item: Item) -> bytes:
        """The object as it stands in something else that is not a list of its kind."""
        return self._start + self.bare(item)[1:]

    def items(self, items: list[Item], metadata: ListMetadata) -> list[bytes]:
        body = b",".join(map(self.bare if self._converts else _encoded, items))
        told = _encode(metadata)
        if self._served.custom and not metadata.continue_:
            told = told[:-1] + b',"continue":""}'
        return [self._list_start + told + b',"items":[', body, b"]}\n"]

    def event(self, kind: bytes, item: Item) -> bytes:
        return b'{"type":"%b","object":%b%b}\n' % (kind, self._start, self.bare(item)[1:])

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        resource = self._served.resource
        return bookmark_event(resource.api_version, resource.kind, revision, initial_end=initial_end)

    def error(self, status: Tree) -> bytes:
        return event_of(b"ERROR", status)

    def following(self) -> Encoder:
        return self


def bookmark_event(api_version: str, kind: str, revision: int, *, initial_end: bool) -> bytes:
    """A BOOKMARK event: an object of the watched kind with nothing but a resourceVersion."""
    metadata: Tree = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return event_of(b"BOOKMARK", {"kind": kind, "apiVersion": api_version, "metadata": metadata})


def event_of(kind: bytes, obj: Tree) -> bytes:
    """A watch event of any object."""
    return b'{"type":"%b","object":%b}\n' % (kind, _encode(obj))
