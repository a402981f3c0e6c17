"""Objects that are being deleted and are still there."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.explain import node as nodes
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.snapshot import Snapshot, claim_names, meta, ref
from pybernetes.explain.terms import duration, listed

SLACK_SECONDS = 5.0
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
KNOWN = {
    "kubernetes.io/pvc-protection": "pods still use the claim",
    "kubernetes.io/pv-protection": "a claim is still bound to the volume",
    "foregroundDeletion": "what it owns is deleted first",
    "orphan": "what it owns is set free first",
    "batch.kubernetes.io/job-tracking": "the job has not counted the pod yet",
    "service.kubernetes.io/load-balancer-cleanup": "its load balancer is being removed",
}
"""Kubernetes' own finalizers, whose holder is known to let go."""


def explain(snapshot: Snapshot, obj: Object) -> Finding:
    """Who holds an object that is being deleted."""
    found = meta(obj)
    since = snapshot.age(found.deletion_timestamp)
    facts = f"is being deleted for {duration(since)}" if since else "is being deleted"
    causes = tuple(_finalizers(snapshot, obj))
    if not causes and isinstance(obj, v1.Pod) and since > SLACK_SECONDS:
        causes = (_slow_pod(snapshot, obj),)
    return Finding(ref(obj), facts, causes, working=True)


def _finalizers(snapshot: Snapshot, obj: Object) -> Iterator[Cause]:
    for name in meta(obj).finalizers:
        if name == "kubernetes.io/pvc-protection":
            yield _used_claim(snapshot, obj)
        elif name in KNOWN:
            yield Cause(f"finalizer {name}: {KNOWN[name]}")
        else:
            yield Cause(
                f"finalizer {name} holds it: whoever put it there has to remove it, and has not",
                steps=(
                    f"does the controller of {name} run? If it is gone for good:",
                    snapshot.command("patch", ref(obj), """--type=merge -p '{"metadata":{"finalizers":null}}'"""),
                ),
            )


def _used_claim(snapshot: Snapshot, claim: Object) -> Cause:
    name, namespace = meta(claim).name or "", meta(claim).namespace or ""
    users = [str(ref(pod)) for pod in snapshot.all(v1.Pod, namespace) if name in claim_names(pod)]
    if not users:
        return Cause("finalizer kubernetes.io/pvc-protection: no pod uses the claim any more, it will go at once")
    steps = (f"kubectl delete {users[0]}{snapshot.within(namespace)}    # or its owner, which would make it anew",)
    return Cause(f"{listed(users)} still uses it", steps=steps)


def _slow_pod(snapshot: Snapshot, pod: v1.Pod) -> Cause:
    """A pod past its grace period. What runs on a silent node nobody knows: only its end may be taken for the pod's."""
    name = pod.spec.node_name or ""
    node, what = snapshot.get(v1.Node, name), f"node {name} has not said that its containers ended"
    silence = tuple(nodes.not_ready(snapshot, name)) if node is not None else ()
    if silence:
        step = f"if it is off for good: kubectl taint nodes {name} {OUT_OF_SERVICE}=nodeshutdown:NoExecute"
        return Cause(what, steps=(step,), because=silence)
    if node is None and snapshot.is_missing(v1.Node, name):
        what = f"its node {name} is gone"
    return Cause(what, steps=(snapshot.command("delete", ref(pod), "--force --grace-period=0"),))
