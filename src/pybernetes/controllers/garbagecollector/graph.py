"""Who owns whom, by UID: kept current from metadata, asked by the collector. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct, field

from pybernetes.api.scheme import Resource
from pybernetes.api.types import meta_v1

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


class Node(Struct):
    """An object, or (with `observed` False) one that others name as their owner and nobody has seen yet."""

    uid: str
    resource: Resource | None = None
    namespace: str = ""
    name: str = ""
    owners: Sequence[meta_v1.OwnerReference] = field(default_factory=list)
    finalizers: Sequence[str] = field(default_factory=list)
    is_deleting: bool = False
    observed: bool = False
    dependents: dict[str, None] = field(default_factory=dict)

    @property
    def deletes_dependents(self) -> bool:
        """Whether it is being deleted in the foreground: its dependents go first."""
        return self.is_deleting and FOREGROUND in self.finalizers

    @property
    def orphans_dependents(self) -> bool:
        return self.is_deleting and ORPHAN in self.finalizers


class Work(Struct):
    """What a change of the graph asks to be looked at: nodes that may have to go, and one that lets its own go free."""

    delete: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    orphan: list[str] = field(default_factory=list)


NOTHING: Final = Work()
"""Most changes (of a status) ask for nothing."""


class Graph:
    """Nodes and edges. An owner that nobody has seen has a node too, so that its dependents are known when it comes."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def get(self, uid: str) -> Node | None:
        """The node of an object that is there."""
        node = self._nodes.get(uid)
        return node if node is not None and node.observed else None

    def dependents(self, node: Node) -> list[Node]:
        return [found for uid in node.dependents if (found := self.get(uid)) is not None]

    def put(self, resource: Resource, meta: meta_v1.ObjectMeta) -> Work:
        """Take an object as it is now."""
        node, is_deleting = self._node(meta.uid or ""), meta.deletion_timestamp is not None
        owners, finalizers = meta.owner_references, meta.finalizers
        if node.observed and (node.owners, node.finalizers, node.is_deleting) == (owners, finalizers, is_deleting):
            return NOTHING
        was_deleting, orphaned = node.deletes_dependents, node.orphans_dependents
        before = node.owners
        node.resource, node.namespace, node.name = resource, meta.namespace or "", meta.name or ""
        node.owners, node.finalizers, node.is_deleting, node.observed = owners, finalizers, is_deleting, True
        self._relink(node, before)
        work = Work()
        if node.deletes_dependents and (not was_deleting or before != node.owners):
            work.delete += [*node.dependents, node.uid]
        if node.orphans_dependents and not orphaned:
            work.orphan.append(node.uid)
        if node.owners != before:
            work.unsure += [node.uid] if self._has_doubtful_owner(node) else []
            work.delete += [owner.uid for owner in before if self._waits_for_less(owner, node)]
        return work

    def remove(self, uid: str) -> Work:
        """Take that an object is gone: its dependents may have to go, and its owners may have waited for that."""
        node = self._nodes.get(uid)
        if node is None:
            return NOTHING
        waiting = [owner.uid for owner in node.owners if (found := self.get(owner.uid)) and found.deletes_dependents]
        self._unlink(node, node.owners)
        node.observed, node.owners, node.is_deleting = False, [], False
        work = Work(delete=[*node.dependents, *waiting])
        self._drop_if_unused(node)
        return work

    def blocking(self, node: Node) -> list[Node]:
        """Dependents that have to be gone before `node` may go."""
        return [
            found
            for found in self.dependents(node)
            if any(owner.uid == node.uid and owner.block_owner_deletion for owner in found.owners)
        ]

    def _has_doubtful_owner(self, node: Node) -> bool:
        """Whether an owner is unknown, or is going in the foreground."""
        owners = [self.get(owner.uid) for owner in node.owners]
        return any(owner is None or owner.deletes_dependents for owner in owners)

    def _waits_for_less(self, owner: meta_v1.OwnerReference, node: Node) -> bool:
        found = self.get(owner.uid)
        return found is not None and found.deletes_dependents and owner not in node.owners

    def _relink(self, node: Node, before: Iterable[meta_v1.OwnerReference]) -> None:
        kept = {owner.uid for owner in node.owners}
        self._unlink(node, [owner for owner in before if owner.uid not in kept])
        for owner in node.owners:
            self._node(owner.uid).dependents[node.uid] = None

    def _node(self, uid: str) -> Node:
        node = self._nodes.get(uid)
        if node is None:
            node = self._nodes[uid] = Node(uid)
        return node

    def _unlink(self, node: Node, owners: Iterable[meta_v1.OwnerReference]) -> None:
        for owner in owners:
            found = self._nodes.get(owner.uid)
            if found is not None:
                found.dependents.pop(node.uid, None)
                self._drop_if_unused(found)

    def _drop_if_unused(self, node: Node) -> None:
        if not node.observed and not node.dependents:
            self._nodes.pop(node.uid, None)
