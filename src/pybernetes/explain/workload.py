"""StatefulSets, DaemonSets and ReplicationControllers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pybernetes.api.taints import tolerates
from pybernetes.api.types import apps_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.explain import creation, pods, terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.nearest import hint
from pybernetes.explain.snapshot import Snapshot, ref
from pybernetes.explain.terms import count


def explain_stateful(snapshot: Snapshot, stateful: apps_v1.StatefulSet) -> Finding:
    """A StatefulSet, whose pods come one after the other."""
    if stateful.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, stateful)
    wanted = 1 if stateful.spec.replicas is None else stateful.spec.replicas
    finding = _kept(snapshot, stateful, stateful.status.conditions, wanted)
    missing = wanted - len(snapshot.owned(v1.Pod, stateful))
    facts = finding.facts
    if finding.is_broken and missing > 0 and stateful.spec.pod_management_policy != "Parallel":
        facts += f"; each waits for the one before it, {missing} not made yet"
    return replace(finding, facts=facts, notes=tuple(_headless(snapshot, stateful)))


def _headless(snapshot: Snapshot, stateful: apps_v1.StatefulSet) -> Iterator[str]:
    name, namespace = stateful.spec.service_name or "", stateful.metadata.namespace or ""
    if name and snapshot.is_missing(v1.Service, name, namespace):
        yield f"serviceName: service {name} does not exist, so that its pods have no names in DNS{hint(name, snapshot.names(v1.Service, namespace))}"


def explain_daemon(snapshot: Snapshot, daemon: apps_v1.DaemonSet) -> Finding:
    """A DaemonSet, with a pod on each node that suits."""
    if daemon.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, daemon)
    wanted = daemon.status.desired_number_scheduled
    found = snapshot.owned(v1.Pod, daemon)
    ready = sum(map(pods.is_ready, found))
    causes = _refused_or_stuck(snapshot, daemon, daemon.status.conditions, found, wanted)
    if not wanted and (daemon.status.observed_generation or 0) >= (daemon.metadata.generation or 0):
        causes = (*causes, _nowhere(snapshot, daemon))
    facts = f"{ready} of {count(wanted, 'pod')} ready, one for each node that suits"
    return Finding(ref(daemon), facts, causes, ready < wanted, tuple(_left_out(snapshot, daemon)))


def _left_out(snapshot: Snapshot, daemon: apps_v1.DaemonSet) -> Iterator[str]:
    """Nodes whose taints keep it away, which may be meant so, or not."""
    spec = daemon.spec.template.spec
    for node in snapshot.all(v1.Node):
        for taint in node.spec.taints:
            is_own = taint.key.startswith("node.kubernetes.io/")  # every DaemonSet's pods tolerate these
            if spec is None or is_own or taint.effect == "PreferNoSchedule":
                continue
            if not any(tolerates(each, taint) for each in spec.tolerations):
                named = f"{taint.key}{'=' + taint.value if taint.value else ''}:{taint.effect}"
                yield f"node {node.metadata.name} is left out: its pods do not tolerate the taint {named}"


def _nowhere(snapshot: Snapshot, daemon: apps_v1.DaemonSet) -> Cause:
    selector = daemon.spec.template.spec.node_selector if daemon.spec.template.spec else {}
    nodes = snapshot.all(v1.Node)
    for key, value in selector.items():
        if not any(node.metadata.labels.get(key) == value for node in nodes):
            close = hint(f"{key}={value}", {f"{k}={v}" for node in nodes for k, v in node.metadata.labels.items()})
            name = nodes[0].metadata.name if nodes else "NODE"
            return Cause(f"no node has label {key}={value}{close}", steps=(f"kubectl label node {name} {key}={value}",))
    return Cause(
        "no node suits: its node affinity or the nodes' taints keep it away",
        steps=("kubectl describe nodes | grep Taints", snapshot.command("edit", ref(daemon))),
    )


def explain_controller(snapshot: Snapshot, controller: v1.ReplicationController) -> Finding:
    """A ReplicationController."""
    if controller.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, controller)
    wanted = 1 if controller.spec.replicas is None else controller.spec.replicas
    return _kept(snapshot, controller, controller.status.conditions, wanted)


def _kept(snapshot: Snapshot, owner: Object, conditions: Sequence[Any], wanted: int) -> Finding:
    """An owner that keeps a number of pods."""
    found = snapshot.owned(v1.Pod, owner)
    ready = sum(map(pods.is_ready, found))
    causes = _refused_or_stuck(snapshot, owner, conditions, found, wanted)
    return Finding(ref(owner), f"{ready} of {count(wanted, 'pod')} ready", causes, ready < wanted)


def _refused_or_stuck(
    snapshot: Snapshot, owner: Object, conditions: Sequence[Any], found: list[v1.Pod], wanted: int
) -> tuple[Cause, ...]:
    """What keeps an owner's pods from being made, or from being ready."""
    refusal = creation.refused(snapshot, owner, conditions, len(found) < wanted)
    return (
        *([Cause("pods of it cannot be made", because=(refusal,))] if refusal else []),
        *pods.causes(snapshot, found),
    )
