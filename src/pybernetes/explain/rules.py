"""Which rule explains which kind, and what there is to explain in a namespace or the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from pybernetes.api.mistakes import mistakes_in
from pybernetes.api.types import (
    admissionregistration_v1,
    apiextensions_v1,
    apiregistration_v1,
    apps_v1,
    autoscaling_v2,
    batch_v1,
    networking_v1,
    policy_v1,
)
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.explain import (
    api_service,
    autoscaler,
    claim,
    definition,
    deployment,
    disruption,
    drain,
    generic,
    ingress,
    job,
    namespace,
    pod,
    policy,
    quota,
    service,
    webhook,
    workload,
)
from pybernetes.explain.causes import Finding
from pybernetes.explain.snapshot import Snapshot, controller_uid

Rule = Callable[[Snapshot, Any], Finding]

RULES: dict[type[Object], Rule] = {
    v1.Node: drain.explain,
    apiregistration_v1.APIService: api_service.explain,
    admissionregistration_v1.MutatingWebhookConfiguration: webhook.explain,
    admissionregistration_v1.ValidatingWebhookConfiguration: webhook.explain,
    apiextensions_v1.CustomResourceDefinition: definition.explain,
    v1.Namespace: namespace.explain,
    apps_v1.Deployment: deployment.explain,
    apps_v1.StatefulSet: workload.explain_stateful,
    apps_v1.DaemonSet: workload.explain_daemon,
    apps_v1.ReplicaSet: deployment.explain_set,
    v1.ReplicationController: workload.explain_controller,
    batch_v1.CronJob: job.explain_cron,
    batch_v1.Job: job.explain,
    v1.Pod: pod.explain,
    v1.Service: service.explain,
    networking_v1.Ingress: ingress.explain,
    autoscaling_v2.HorizontalPodAutoscaler: autoscaler.explain,
    networking_v1.NetworkPolicy: policy.explain,
    policy_v1.PodDisruptionBudget: disruption.explain,
    v1.ResourceQuota: quota.explain,
    v1.PersistentVolumeClaim: claim.explain,
    v1.PersistentVolume: claim.explain_volume,
}
"""In the order in which an overview shows them: what others rest on first."""


def explain(snapshot: Snapshot, obj: Object) -> Finding:
    """What is to say about an object of the snapshot, with the mistakes that can be seen on it."""
    finding = RULES.get(type(obj), generic.explain)(snapshot, obj)
    mistakes = mistakes_in(type(obj).__name__, msgspec.to_builtins(obj))
    return replace(finding, notes=tuple(dict.fromkeys((*finding.notes, *mistakes))))


def overview(snapshot: Snapshot) -> Iterator[Finding]:
    """Everything of the snapshot that stands by itself: a controller speaks for what it controls."""
    for kind in RULES:
        for obj in snapshot.all(kind):
            if not controller_uid(obj):
                yield explain(snapshot, obj)


def unhealthy(snapshot: Snapshot) -> list[Finding]:
    """What is wrong, each root cause only where it shows first."""
    found: list[Finding] = []
    told: set[tuple[str, str]] = set()
    for finding in overview(snapshot):
        roots = {(finding.subject.namespace, root.what) for root in finding.roots()}
        if roots - told:
            found.append(finding)
        told |= roots
    return found
