"""How a user changes what a pod is made of: at its owner, or by making it anew where nothing may change."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.types.base import Object
from pybernetes.explain.nearest import nearest
from pybernetes.explain.snapshot import Snapshot, ref

FIXED = frozenset({"pod", "job"})
"""Kinds whose pods' spec cannot be changed once they are there (but for a pod's images)."""


def change(snapshot: Snapshot, obj: Object, verb: str = "edit", rest: str = "", *, instead: str = "correct") -> str:
    """The command that changes the pods of which the object is one, or the owner's.

    `instead` is what to do in the manifest of a pod or job, as the beginning of a sentence.
    """
    top = ref(snapshot.top(obj))
    if top.kind not in FIXED:
        return snapshot.command(verb, top, rest)
    return f"{instead} the manifest of {top}, then: kubectl replace --force -f FILE{snapshot.within(top.namespace)}"


def rename(snapshot: Snapshot, obj: Object, name: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """The step that takes the nearest name for one that does not exist; nothing if nothing is close."""
    close = nearest(name, candidates, 1)
    return (f"name {close[0]} instead of {name}: {change(snapshot, obj)}",) if close else ()
