"""Names that a pod asked DNS for and that do not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain.causes import Cause
from pybernetes.explain.nearest import hint, nearest
from pybernetes.explain.snapshot import Snapshot

REASON = "DNSNameNotFound"
_NAME = re.compile(r"(?P<service>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc\.")


def explain(snapshot: Snapshot, pod: v1.Pod) -> Iterator[Cause]:
    """Services that the pod asks for by a wrong name, or in the wrong namespace."""
    for event in snapshot.events(pod, REASON):
        found = _NAME.search(event.message or "")
        if found is None or snapshot.get(v1.Service, found["service"], found["namespace"]) is not None:
            continue
        name, namespace = found["service"], found["namespace"]
        others = [each.metadata.namespace or "" for each in snapshot.all(v1.Service) if each.metadata.name == name]
        close = hint(name, snapshot.names(v1.Service, namespace))
        if others and not close:
            close = f'; there is one in namespace {others[0]}: "{name}.{others[0]}"'
        better = (
            nearest(name, snapshot.names(v1.Service, namespace), 1) or [f"{name}.{others[0]}" if others else "NAME"]
        )[0]
        yield Cause(
            f"it asks DNS for service {name} of namespace {namespace}, which does not exist{close}",
            seen=(event.message or "",),
            steps=(f"let it ask for {better}", f"kubectl get services{snapshot.within(namespace)}"),
        )
