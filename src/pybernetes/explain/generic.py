"""Kinds without a rule of their own: whether they are being deleted, and what their events warn of."""

from __future__ import annotations

from pybernetes.api.types.base import Object
from pybernetes.explain import terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.snapshot import Snapshot, event_time, meta, ref

RECENT_SECONDS = 600.0


def explain(snapshot: Snapshot, obj: Object) -> Finding:
    """What can be said of any object."""
    if meta(obj).deletion_timestamp is not None:
        return terminating.explain(snapshot, obj)
    warned = {
        event.reason or "": event.message or ""
        for event in reversed(snapshot.events(obj))
        if event.type == "Warning" and snapshot.age(event_time(event)) < RECENT_SECONDS
    }
    causes = tuple(
        Cause(f"an event warns: {reason}", seen=(said,), steps=(snapshot.command("describe", ref(obj)),))
        for reason, said in warned.items()
    )
    return Finding(ref(obj), "is there" if not causes else "is there, and something warns of it", causes)
