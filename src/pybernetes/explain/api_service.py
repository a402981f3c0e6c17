"""APIServices: APIs that another server has to answer for."""

from __future__ import annotations

from pybernetes.api.types import apiregistration_v1 as registration
from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import service, terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.snapshot import Snapshot, condition, ref


def explain(snapshot: Snapshot, api: registration.APIService) -> Finding:
    """An API: served here, elsewhere, or by nobody, which holds up whatever has to know all APIs."""
    if api.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, api)
    backend = api.spec.service
    if backend is None:
        return Finding(ref(api), "is served by this API server")
    place = f"{backend.namespace}/{backend.name}"
    available = condition(api.status.conditions, "Available")
    if available is None:
        return Finding(ref(api), f"is to be served by service {place}", working=True)
    if available.status == "True":
        return Finding(ref(api), f"is served by service {place}")
    held = snapshot.get(v1.Service, backend.name or "", backend.namespace or "")
    finding = service.explain(snapshot, held) if held is not None else None
    cause = Cause(
        f"service {place}, which has to serve it, does not answer: namespaces cannot be deleted meanwhile, and "
        "kubectl warns of it",
        seen=(available.message or "",),
        steps=("start that server, or delete the API if it is gone for good: " + snapshot.command("delete", ref(api)),),
        because=(finding.as_cause(),) if finding is not None and finding.is_broken else (),
    )
    return Finding(ref(api), "is not available", (cause,))
