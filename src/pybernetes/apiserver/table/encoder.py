"""Tables as bytes. A row is made once for each object, unless a cell of it tells an age."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from pybernetes.api.errors import bad_request
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.encoding import INITIAL_EVENTS_END, Encoder, JSONEncoder, ListMetadata, event_of
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.table.column import Column
from pybernetes.apiserver.table.columns import cells_of, columns_of, name_and_age
from pybernetes.apiserver.table.kinds import CONDITIONS, ORDERS

_encode: Final = msgspec.json.Encoder().encode
_INCLUDES: Final = ("", "Metadata", "Object", "None")


class TableEncoder:
    """`include` says what each row carries of its object."""

    content_type = "application/json"
    stream_type = "application/json"

    def __init__(
        self, served: Served, version: str, include: str, now: Callable[[], float] = time.time, *, first: bool = True
    ) -> None:
        if include not in _INCLUDES:
            raise bad_request(
                f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": '
                "must be 'Metadata', 'Object', 'None', or empty"
            )
        self._served = served
        self._columns: Sequence[Column] = columns_of(served)
        self._cells = cells_of(served)
        self._conditions = CONDITIONS.get((served.resource.group, served.resource.plural))
        self._order = ORDERS.get((served.resource.group, served.resource.plural))
        self._now = now
        self._json = JSONEncoder(served)
        self._include = include
        self._api_version = f"meta.k8s.io/{version}"
        self._partial = b'{"kind":"PartialObjectMetadata","apiVersion":"%b","metadata":' % self._api_version.encode()
        self._start = b'{"kind":"Table","apiVersion":"%b","metadata":' % self._api_version.encode()
        definitions = [column.definition for column in self._columns] if first else None
        self._definitions = b',"columnDefinitions":%b,"rows":[' % _encode(definitions)
        self._no_rows = b',"columnDefinitions":%b,"rows":null}\n' % _encode(definitions)
        self._is_generic = not served.custom and self._cells is name_and_age
        self._following = TableEncoder(served, version, include, now, first=False) if first else self

    def _row(self, item: Item) -> bytes:
        cells: list[Any] = self._cells(item.tree, datetime.fromtimestamp(self._now(), UTC))
        conditions = self._conditions(item.tree) if self._conditions is not None else None
        told = b',"conditions":' + _encode(conditions) if conditions else b""
        return b'{"cells":%b%b%b}' % (_encode(cells), told, self._object(item))

    def _object(self, item: Item) -> bytes:
        if self._include == "None":
            return b',"object":null'
        if self._include == "Object":
            return b',"object":' + self._json.typed(item)
        metadata = item.form("metadata", lambda one: _encode(one.tree["metadata"]))
        return b',"object":%b%b}' % (self._partial, metadata)

    def obj(self, item: Item) -> bytes:
        return b"".join(self.items([item], ListMetadata(str(item.revision) if item.revision else "")))

    def items(self, items: list[Item], metadata: ListMetadata) -> list[bytes]:
        if not items and self._is_generic:  # upstream's converter for any kind makes no empty list
            return [self._start + _encode(metadata) + self._no_rows]
        if (order := self._order) is not None:
            items = sorted(items, key=lambda item: order(item.tree))
        rows = b",".join([self._row(item) for item in items])
        return [self._start + _encode(metadata) + self._definitions, rows, b"]}\n"]

    def event(self, kind: bytes, item: Item) -> bytes:
        return b'{"type":"%b","object":%b}\n' % (kind, self.obj(item).rstrip())

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        """A row of an object that has nothing but metadata: a table itself has no annotations."""
        metadata: Tree = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        row: Tree = {"cells": ["" for _ in self._columns], "object": None}
        if self._include != "None":
            row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": self._api_version, "metadata": metadata}
        told = _encode({"resourceVersion": str(revision)})
        table = b"%b%b%b%b]}" % (self._start, told, self._definitions, _encode(row))
        return b'{"type":"BOOKMARK","object":%b}\n' % table

    def error(self, status: Tree) -> bytes:
        return event_of(b"ERROR", status)

    def following(self) -> Encoder:
        """The same columns, which a client has seen by then."""
        return self._following
