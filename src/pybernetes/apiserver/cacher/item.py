"""One object of the watch cache: its bytes as clients get them, and what is decoded of it on demand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

_decode = msgspec.json.Decoder().decode

KEEP_TREES: Final = 1024
"""So many objects are kept decoded, those that were asked for last: a tree takes ten times the memory of its bytes,
and the garbage collector has to walk through it. A pod is written three times within a second or two of its making,
among hundreds of others: whoever writes it again should find it decoded."""

METADATA: Final = b'{"metadata":{'
"""How an object begins in lists and watches, and how custom ones are stored, so that the resourceVersion can be put in
without decoding it."""
_TYPE: Final = b'{"apiVersion":"'
_STARTS: Final = (METADATA, _TYPE)
_OPENING: Final = METADATA[1:]


def is_object(stored: bytes) -> bool:
    """Whether a value of the store is an object, as `stored_head` has it begin: others may have put anything there."""
    return stored.startswith(_STARTS) and _OPENING in stored


def stored_head(api_version: str, kind: str) -> bytes:
    """How a stored object of a built-in kind begins: its metadata follow, without resourceVersion.

    With apiVersion and kind an upstream server can read it. That one writes the kind first, so this tells who wrote.
    Objects that were stored before have no head: they begin as in lists.
    """
    return b'%b%b","kind":"%b",%b' % (_TYPE, api_version.encode(), kind.encode(), _OPENING)


def as_told(stored: bytes, version: str) -> bytes:
    """An object that is never stored, with the resourceVersion that its client gave it, whatever that is."""
    if not version:
        return stored
    return stored.replace(_OPENING, _OPENING + b'"resourceVersion":%b,' % msgspec.json.encode(version), 1)


class Item:
    """An object at a revision, immutable; revision 0 is that of an object that was not stored (a dry run's).

    `encoded` is its JSON with resourceVersion, as it stands in lists: without apiVersion and kind for built-in
    resources. `fields` (what field selectors ask for) and `forms` (other encodings: rows, partial metadata) are made
    on first use by those who need them.
    """

    __slots__ = ("_labels", "_tree", "create_revision", "encoded", "fields", "forms", "key", "revision")

    def __init__(
        self, key: str, stored: bytes, revision: int, create_revision: int, written: dict[str, Any] | None = None
    ) -> None:
        """`written` is what `stored` was made of, by `stored_tree`: then it need not be decoded again."""
        self.key = key
        self.revision = revision
        self.create_revision = create_revision
        rest = stored[stored.index(_OPENING) + len(_OPENING) :]
        self.encoded = b'{"metadata":{"resourceVersion":"%d",%b' % (revision, rest) if revision else METADATA + rest
        self._tree: dict[str, Any] | None = None
        if written is not None and revision:
            self._keep({**written, "metadata": {"resourceVersion": str(revision), **written["metadata"]}})
        self._labels: dict[str, str] | None = None
        self.fields: dict[str, str] | None = None
        self.forms: dict[object, bytes] | None = None

    @property
    def tree(self) -> dict[str, Any]:
        """The object decoded, with resourceVersion; kept for a while, so never change it."""
        tree = self._tree
        return self._keep(_decode(self.encoded)) if tree is None else tree

    def _keep(self, tree: dict[str, Any]) -> dict[str, Any]:
        self._tree = tree
        _decoded.append(self)
        if len(_decoded) > KEEP_TREES:
            _decoded.popleft()._tree = None
        return tree

    def at(self, revision: int) -> Item:
        """The same object under another resourceVersion: how a deletion shows it."""
        rest = self.encoded[self.encoded.index(b'",') + 2 :]
        return Item(self.key, METADATA + rest, revision, self.create_revision)

    def decode(self) -> dict[str, Any]:
        """The object decoded anew: the caller's own."""
        tree: dict[str, Any] = _decode(self.encoded)
        return tree

    @property
    def namespace(self) -> str:
        return self.key.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def labels(self) -> dict[str, str]:
        if self._labels is None:
            self._labels = self.tree["metadata"].get("labels") or {}
        return self._labels

    def form(self, key: object, make: Callable[[Item], bytes]) -> bytes:
        """Another encoding of the object, made once: `key` says which."""
        if self.forms is None:
            self.forms = {}
        found = self.forms.get(key)
        if found is None:
            found = self.forms[key] = make(self)
        return found


_decoded: deque[Item] = deque()
"""Whose trees are kept, the oldest first."""

Listener: TypeAlias = Callable[[Item | None, Item | None], None]
"""Called with what was before (None: created) and what is now (None: deleted)."""


def stored_form(tree: dict[str, Any], *, keep_type: bool) -> bytes:
    """The bytes to store of an object; see `stored_tree`."""
    return msgspec.json.encode(stored_tree(tree, keep_type=keep_type))


def stored_tree(tree: dict[str, Any], *, keep_type: bool) -> dict[str, Any]:
    """An object as it is stored: metadata first, without resourceVersion.

    Built-in kinds are without apiVersion and kind (their lists hold items without; `stored_head` puts them in front),
    custom ones have them.
    """
    metadata = {**tree["metadata"]}
    metadata.pop("resourceVersion", None)
    stored = {"metadata": metadata, **tree}
    stored["metadata"] = metadata
    if not keep_type:
        stored.pop("apiVersion", None)
        stored.pop("kind", None)
    return stored
