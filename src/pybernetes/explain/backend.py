"""Services behind which a server of the API stands: webhooks and aggregated APIs."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import service
from pybernetes.explain.causes import Cause
from pybernetes.explain.nearest import hint
from pybernetes.explain.snapshot import Snapshot


def silent(snapshot: Snapshot, name: str, namespace: str) -> Iterator[Cause]:
    """Why nobody answers there; nothing if somebody does, or if it is not known."""
    held = snapshot.get(v1.Service, name, namespace)
    if held is None:
        if snapshot.is_missing(v1.Service, name, namespace):
            close = hint(name, snapshot.names(v1.Service, namespace))
            yield Cause(f"service {name} of namespace {namespace} does not exist{close}")
        return
    finding = service.explain(snapshot, held)
    if finding.is_broken:
        yield finding.as_cause()
