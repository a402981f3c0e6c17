"""Names that a pod asked DNS for and that do not exist."""

from __future__ import annotations

import re

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain.causes import Cause
from pybernetes.explain.nearest import nearest
from pybernetes.explain.snapshot import Snapshot

REASON = "DNSNameNotFound"
_NAME = re.compile(r'"(?P<service>[^".]+)\.(?P<namespace>[^".]+)\.svc\.')


def explain(snapshot: Snapshot, pod: v1.Pod, *, waits: bool = False) -> tuple[tuple[Cause, ...], tuple[str, ...]]:
    """Causes: names that are nearly a service's. Notes: others, which may be no services at all.

    Of a pod that `waits` for something every name may be what it waits for.
    """
    causes: list[Cause] = []
    notes: list[str] = []
    for event in snapshot.events(pod, REASON):
        found = _NAME.search(event.message or "")
        if found is None or not snapshot.is_missing(v1.Service, found["service"], found["namespace"]):
            continue
        name, namespace = found["service"], found["namespace"]
        what = f"it asks DNS for service {name} of namespace {namespace}, which does not exist"
        if better := _meant(snapshot, name, namespace):
            step = f"let it ask for {better}"
            causes.append(Cause(f"{what}; there is {better}", seen=(event.message or "",), steps=(step,)))
        elif waits:
            step = f"make that service, or let it ask for another: kubectl get services{snapshot.within(namespace)}"
            causes.append(Cause(what, seen=(event.message or "",), steps=(step,)))
        else:
            notes.append(what)
    return tuple(causes), tuple(notes)


def _meant(snapshot: Snapshot, name: str, namespace: str) -> str:
    """The name, as the pod would ask, of the service that was probably meant."""
    if close := nearest(name, snapshot.names(v1.Service, namespace), 1):
        return close[0]
    elsewhere = [each.namespace for each in snapshot.places(v1.Service, name)]
    return f"{name}.{elsewhere[0]}" if elsewhere else ""
