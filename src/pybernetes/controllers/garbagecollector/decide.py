"""What to do with an object, given what became of its owners: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from msgspec import Struct, field

from pybernetes.api.types import meta_v1
from pybernetes.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, Node


class Owner(Enum):
    """An owner is there, is gone, or is only waiting for its dependents to go."""

    SOLID = "solid"
    ABSENT = "absent"
    WAITING = "waiting"


class Keep(Struct, frozen=True):
    """The object stays, without these of its owners (none: as it is)."""

    drop: frozenset[str] = frozenset()


class Delete(Struct, frozen=True):
    """The object goes, with this propagation policy; `unblock` says that its owners need not wait for it (a cycle)."""

    policy: str
    unblock: bool = False


class Owners(Struct):
    """The owners of an object, by what became of them."""

    states: Mapping[str, Owner] = field(default_factory=dict)

    def of(self, state: Owner) -> frozenset[str]:
        return frozenset(uid for uid, found in self.states.items() if found is state)


def decide(node: Node, owners: Owners, dependents: Sequence[Node]) -> Keep | Delete:
    """A solid owner keeps the object; else it goes, in the foreground if an owner waits for that and it has dependents."""
    solid, absent, waiting = (owners.of(state) for state in (Owner.SOLID, Owner.ABSENT, Owner.WAITING))
    if not node.owners or (not absent and not waiting):
        return Keep()
    if solid:
        return Keep(absent | waiting)
    if waiting and dependents:
        return Delete("Foreground", unblock=any(found.deletes_dependents for found in dependents))
    if ORPHAN in node.finalizers:
        return Delete("Orphan")
    return Delete("Foreground" if FOREGROUND in node.finalizers else "Background")


def without_owners(owners: Sequence[meta_v1.OwnerReference], drop: frozenset[str]) -> list[meta_v1.OwnerReference]:
    return [owner for owner in owners if owner.uid not in drop]
