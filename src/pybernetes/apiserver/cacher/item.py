"""One object of the watch cache: its bytes as clients get them, and what is decoded of it on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

_decode = msgspec.json.Decoder().decode

METADATA = b'{"metadata":{'
"""How every stored object begins, so that its resourceVersion can be put in without decoding it."""


class Item:
    """An object at a revision, immutable. `encoded` is its JSON with resourceVersion, without apiVersion and kind
    for built-in resources (as it stands in lists)."""

    __slots__ = ("_tree", "create_revision", "encoded", "fields", "key", "revision", "rows", "stored")

    def __init__(self, key: str, stored: bytes, revision: int, create_revision: int) -> None:
        self.key = key
        self.stored = stored
        self.revision = revision
        self.create_revision = create_revision
        self.encoded = b'{"metadata":{"resourceVersion":"%d",%b' % (revision, stored[len(METADATA) :])
        self._tree: dict[str, Any] | None = None
        self.fields: dict[str, str] | None = None
        """Values that field selectors may ask for; made on first use."""
        self.rows: dict[str, bytes] = {}
        """Other encodings of the object (table rows, partial metadata) by what they are for; made on first use."""

    @property
    def tree(self) -> dict[str, Any]:
        """The object decoded, with resourceVersion; kept, so never change it."""
        if self._tree is None:
            self._tree = _decode(self.encoded)
        return self._tree

    def decode(self) -> dict[str, Any]:
        """The object decoded anew: the caller's own."""
        tree: dict[str, Any] = _decode(self.encoded)
        return tree

    @property
    def namespace(self) -> str:
        namespace: str = self.tree["metadata"].get("namespace", "")
        return namespace

    @property
    def name(self) -> str:
        name: str = self.tree["metadata"]["name"]
        return name

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.tree["metadata"].get("labels") or {}
        return labels


Listener: TypeAlias = Callable[[Item | None, Item | None], None]
"""Called with what was before (None: created) and what is now (None: deleted)."""
