"""ResourceQuotas: how much of each is used. That one is used up is the trouble of what cannot be made, not its own."""

from __future__ import annotations

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import terminating
from pybernetes.explain.causes import Finding
from pybernetes.explain.snapshot import Snapshot, ref


def explain(snapshot: Snapshot, quota: v1.ResourceQuota) -> Finding:
    """Each resource with what is used of it."""
    if quota.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, quota)
    used = quota.status.used
    rows = [f"{name} {used.get(name, '0')} of {hard}" for name, hard in sorted(quota.spec.hard.items())]
    return Finding(ref(quota), f"has used {', '.join(rows)}" if rows else "limits nothing")
