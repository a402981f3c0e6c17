"""What every object's metadata goes through on its way to the store."""

from __future__ import annotations

import os
import random
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree

NAME_CHARACTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes: generated names spell no words."""
MAX_GENERATED_BASE: Final = 58
SUFFIX_LENGTH: Final = 5

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"


def timestamp(now: datetime) -> str:
    """RFC 3339 with seconds, as metav1.Time is written."""
    return _timestamp(int(now.timestamp()))


@lru_cache(maxsize=16)
def _timestamp(second: int) -> str:
    return format_time(second)


def generated_name(base: str, rng: random.Random) -> str:
    """A name out of a generateName prefix."""
    return base[:MAX_GENERATED_BASE] + "".join(rng.choices(NAME_CHARACTERS, k=SUFFIX_LENGTH))


class _Randomness:
    """Bytes of the system's source, fetched many at a time: a system call for each uid costs more than the uid."""

    def __init__(self) -> None:
        self._bytes = b""
        self._used = 0

    def take(self, count: int) -> bytes:
        if self._used + count > len(self._bytes):
            self._bytes, self._used = os.urandom(4096), 0
        self._used += count
        return self._bytes[self._used - count : self._used]


_randomness = _Randomness()


def new_uid() -> str:
    """A random UUID (RFC 9562, version 4)."""
    digits = _randomness.take(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def fill_for_create(metadata: Tree, now: datetime, *, generation: bool, posted: bool = True) -> None:
    """What the server alone decides about a new object. One that an update creates may be deleting from the start."""
    for server_set in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink") if posted else ():
        metadata.pop(server_set, None)
    metadata["uid"] = new_uid()
    metadata["creationTimestamp"] = timestamp(now)
    if generation:
        metadata["generation"] = 1


def keep_for_update(metadata: Tree, old: Tree) -> None:
    """What an update can neither set nor take away."""
    for key in ("generation", "creationTimestamp"):
        _restore(metadata, old, key)
    if "deletionTimestamp" in old:
        metadata["deletionTimestamp"] = old["deletionTimestamp"]
    metadata.setdefault("uid", old["uid"])
    if "deletionGracePeriodSeconds" in old:
        metadata.setdefault("deletionGracePeriodSeconds", old["deletionGracePeriodSeconds"])


def _restore(metadata: Tree, old: Tree, key: str) -> None:
    if key in old:
        metadata[key] = old[key]
    else:
        metadata.pop(key, None)


_UNCOMPARED: Final = frozenset(("apiVersion", "kind", "metadata"))


def same_but_managers(new: Tree, old: Tree) -> bool:
    """Whether a write would change nothing; managedFields' times do not count, nor does resourceVersion."""
    if any(new.get(key) != old.get(key) for key in new.keys() | old.keys() if key not in _UNCOMPARED):
        return False
    return _comparable(new["metadata"]) == _comparable(old["metadata"])


def _comparable(metadata: Tree) -> Tree:
    kept = {key: value for key, value in metadata.items() if key != "resourceVersion"}
    managed: list[dict[str, Any]] = kept.get("managedFields") or []
    kept["managedFields"] = [{key: value for key, value in entry.items() if key != "time"} for entry in managed]
    return kept


def drop_empty(metadata: Tree) -> None:
    """Empty lists and maps of metadata are the same as none."""
    for key in ("labels", "annotations", "ownerReferences", "finalizers", "managedFields"):
        if key in metadata and not metadata[key]:
            del metadata[key]


def drop_repeated_owners(metadata: Tree, when: str = " after mutating admission happens") -> str:
    """Owner references that stand twice go; what to warn of, or "". `when` they have come, as upstream says it."""
    owners: list[Tree] = metadata.get("ownerReferences") or []
    kept: dict[bytes, Tree] = {}
    repeated: dict[str, None] = {}
    for owner in owners:
        if kept.setdefault(msgspec.json.encode(owner, order="sorted"), owner) is not owner:
            repeated[owner["uid"]] = None
    if not repeated:
        return ""
    metadata["ownerReferences"] = list(kept.values())
    return (
        f".metadata.ownerReferences contains duplicate entries{when}; API server dedups "
        "owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; "
        f"duplicate UID(s) observed: {', '.join(repeated)}"
    )
