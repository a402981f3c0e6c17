"""What an upstream API server left in etcd, as ours would have stored it: the two can take turns over one etcd.

Upstream keeps built-in kinds as protobuf (`k8s\\0` and an envelope) or, if it was told so, as JSON, and custom resources
and definitions as JSON. It reads ours because of their apiVersion and kind. The next write of an object stores it as ours.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from pybernetes.api import scheme
from pybernetes.api.decode import DecodeError, decode
from pybernetes.api.defaults import apply_defaults
from pybernetes.api.json_text import read_json
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import storage_prefix, storage_resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.cacher import split_key
from pybernetes.apiserver.cacher.item import METADATA, stored_form, stored_head
from pybernetes.apiserver.peers.addresses import PREFIX as ADDRESSES
from pybernetes.apiserver.registry.conversion import CONVERSIONS
from pybernetes.apiserver.wrapped import TranslatedBackend
from pybernetes.store.backend import Backend

log = logging.getLogger(__name__)
MAGIC: Final = b"k8s\x00"

IsStale = Callable[[bytes], Awaitable[bool]]


class TakenOverBackend(TranslatedBackend):
    """A `Backend`. What cannot be understood is left where it is, out of sight, and told in the log."""

    def __init__(self, backend: Backend, is_stale: IsStale | None = None) -> None:
        """`is_stale` is what the backend inside says of values that would be stored otherwise now."""
        super().__init__(backend)
        self._is_stale = is_stale
        self._own = {storage_prefix(one) for one in scheme.resources()} | {ADDRESSES}
        self._heads = {stored_head(one.api_version, one.kind) for one in map(storage_resource, scheme.resources())}
        self._theirs: set[bytes] = set()

    async def is_stale(self, key: bytes) -> bool:
        """Whether the value is still stored as upstream does, or otherwise out of date."""
        return key in self._theirs or (self._is_stale is not None and await self._is_stale(key))

    def _read(self, key: bytes, value: bytes) -> bytes | None:
        prefix = split_key(key)[0]
        custom = prefix not in self._own
        if value.startswith(METADATA) or value[: value.find(b"{", 1) + 1] in self._heads:
            if not custom and value.startswith(METADATA):  # as ours were stored once, which upstream cannot read
                self._theirs.add(key)
            elif self._theirs:
                self._theirs.discard(key)
            return value
        if (custom and "." not in prefix) or not value.startswith((MAGIC, b"{")):
            return value  # no object: counters, leases of servers
        try:
            tree = _decoded(value)
            made = stored_form(tree if custom else _current(tree), keep_type=custom)
        except (ValueError, KeyError, TypeError, DecodeError, msgspec.MsgspecError) as error:
            log.error("stored object not understood key=%s error=%s", key.decode(), error)
            return None
        self._theirs.add(key)
        return made


def _decoded(value: bytes) -> Tree:
    """Raises ValueError."""
    if value.startswith(MAGIC):
        from pybernetes.api.protobuf import decode_object

        return decode_object(value)
    found = read_json(value)
    if not isinstance(found, dict) or not isinstance(found.get("metadata"), dict):
        raise ValueError("no object")
    return found


def _current(tree: Tree) -> Tree:
    """A built-in object in the version in which ours are stored. Raises ValueError for versions that are not known."""
    api_version, kind = tree.get("apiVersion", ""), tree.get("kind", "")
    resource = scheme.by_kind(api_version, kind)
    if resource is None:
        raise ValueError(f"no kind {kind!r} is registered for version {api_version!r}")
    tree = decode(schema_of(api_version, kind), tree).tree
    apply_defaults(resource, tree)
    conversion = CONVERSIONS.get((resource.group, resource.version, resource.plural))
    return tree if conversion is None else conversion.to_storage(tree)
