"""Deployments: which of their versions serve, and what keeps the new one from it."""

from __future__ import annotations

from pybernetes.api.types import apps_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import creation, image, pods, terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.snapshot import Snapshot, condition, ref
from pybernetes.explain.terms import count

REVISION = "deployment.kubernetes.io/revision"


def explain(snapshot: Snapshot, deployment: apps_v1.Deployment) -> Finding:
    """A deployment: ready, on its way, or stuck."""
    if deployment.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, deployment)
    wanted = 1 if deployment.spec.replicas is None else deployment.spec.replicas
    sets = snapshot.owned(apps_v1.ReplicaSet, deployment)
    current = max(sets, key=revision, default=None)
    causes = list(_own(snapshot, deployment))
    for each in sets:
        causes += _of_set(snapshot, each)
    facts, done = _state(snapshot, deployment, wanted, sets, current)
    if deployment.spec.paused and not done:
        causes.append(Cause("its rollout is paused", steps=(snapshot.command("rollout resume", ref(deployment)),)))
    late = condition(deployment.status.conditions, "Progressing")
    if causes and late is not None and late.reason == "ProgressDeadlineExceeded":
        facts += f"; no progress for {deployment.spec.progress_deadline_seconds or 600}s"
    spec = deployment.spec.template.spec
    return Finding(ref(deployment), facts, tuple(causes), not done, tuple(image.notes(spec)) if spec else ())


def revision(each: apps_v1.ReplicaSet) -> int:
    text = each.metadata.annotations.get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def _own(snapshot: Snapshot, deployment: apps_v1.Deployment) -> list[Cause]:
    failed = condition(deployment.status.conditions, "Progressing")
    if failed is not None and failed.reason == "ReplicaSetCreateError":
        return [creation.explain(snapshot, deployment, failed.message or "")]
    return []


def _of_set(snapshot: Snapshot, each: apps_v1.ReplicaSet) -> list[Cause]:
    found = snapshot.owned(v1.Pod, each)
    refusal = creation.refused(snapshot, each, each.status.conditions, len(found) < (each.spec.replicas or 0))
    refused = [Cause("pods of it cannot be made", ref(each), because=(refusal,))] if refusal else []
    return [*refused, *pods.causes(snapshot, found)]


def _state(
    snapshot: Snapshot,
    deployment: apps_v1.Deployment,
    wanted: int,
    sets: list[apps_v1.ReplicaSet],
    current: apps_v1.ReplicaSet | None,
) -> tuple[str, bool]:
    """How far it is, and whether it is there."""
    ready = {each.metadata.uid: sum(map(pods.is_ready, snapshot.owned(v1.Pod, each))) for each in sets}
    new = ready.get(current.metadata.uid, 0) if current else 0
    old = sum(ready.values()) - new
    if not wanted and not old:
        return "is scaled to 0: it is to have no pods", True
    left = sum((each.spec.replicas or 0) for each in sets if each is not current)
    if new >= wanted and not left:
        return f"{new} of {count(wanted, 'pod')} ready", True
    if left or old:
        return (
            f"{new} of {wanted} new pods ready, {count(old, 'old pod')} still {'serves' if old == 1 else 'serve'}",
            False,
        )
    return f"{new} of {count(wanted, 'pod')} ready", False


def explain_set(snapshot: Snapshot, each: apps_v1.ReplicaSet) -> Finding:
    """A ReplicaSet by itself."""
    if each.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, each)
    wanted = each.spec.replicas or 0
    ready = sum(map(pods.is_ready, snapshot.owned(v1.Pod, each)))
    facts = f"{ready} of {count(wanted, 'pod')} ready" if wanted else "is scaled to 0"
    return Finding(ref(each), facts, tuple(_of_set(snapshot, each)), working=ready < wanted)
