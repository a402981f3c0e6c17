"""APIServices: APIs that another server has to answer for."""

from __future__ import annotations

from pybernetes.api.types import apiregistration_v1 as registration
from pybernetes.explain import backend, terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.snapshot import Snapshot, condition, ref


def explain(snapshot: Snapshot, api: registration.APIService) -> Finding:
    """An API: served here, elsewhere, or by nobody, which holds up whatever has to know all APIs."""
    if api.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, api)
    server = api.spec.service
    if server is None:
        return Finding(ref(api), "is served by this API server")
    place = f"{server.namespace}/{server.name}"
    available = condition(api.status.conditions, "Available")
    if available is None:
        return Finding(ref(api), f"is to be served by service {place}", working=True)
    if available.status == "True":
        return Finding(ref(api), f"is served by service {place}")
    cause = Cause(
        f"service {place}, which has to serve it, does not answer: namespaces cannot be deleted meanwhile, and "
        "kubectl warns of it",
        seen=(available.message or "",),
        steps=("start that server, or delete the API if it is gone for good: " + snapshot.command("delete", ref(api)),),
        because=tuple(backend.silent(snapshot, server.name or "", server.namespace or "")),
    )
    return Finding(ref(api), "is not available", (cause,))
