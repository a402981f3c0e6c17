"""Pods that no node takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import claim, devices
from pybernetes.explain import node as nodes
from pybernetes.explain.causes import Cause, Finding, merged
from pybernetes.explain.nearest import hint
from pybernetes.explain.snapshot import Snapshot, claim_names, condition, ref
from pybernetes.explain.steps import change, rename
from pybernetes.explain.terms import amount, listed
from pybernetes.scheduler import resources

DEFAULT_SCHEDULER = "default-scheduler"
SOON_SECONDS = 5.0
_REASON = re.compile(r"^(?:\d+ )?(?P<words>.+)$")
_NO_CLAIM = re.compile(r'persistentvolumeclaim "(?P<name>[^"]+)" not found')


def explain(snapshot: Snapshot, pod: v1.Pod) -> Finding:
    """A pod without a node."""
    found = condition(pod.status.conditions, "PodScheduled")
    if pod.spec.scheduling_gates:
        gates = listed([gate.name for gate in pod.spec.scheduling_gates])
        what = f"its scheduling gates are closed: {gates}; whoever put them there has to remove them"
        remove = """--type=json -p '[{"op":"remove","path":"/spec/schedulingGates"}]'    # if nobody else does"""
        seen = (found.message or "",) if found else ()
        cause = Cause(what, seen=seen, steps=(snapshot.command("patch", ref(pod), remove),))
        return Finding(ref(pod), "waits for its scheduling gates", (cause,))
    if found is None or found.status != "False":
        return _not_looked_at(snapshot, pod)
    said = found.message or ""
    first, *others = [*_because(snapshot, pod, said)] or [Cause("the scheduler finds no node for it")]
    return Finding(ref(pod), "is Pending: no node takes it", (replace(first, seen=(said,)), *others))


def _not_looked_at(snapshot: Snapshot, pod: v1.Pod) -> Finding:
    name = pod.spec.scheduler_name or DEFAULT_SCHEDULER
    if name != DEFAULT_SCHEDULER:
        what = f"its schedulerName is {name}, and no such scheduler has looked at it{hint(name, [DEFAULT_SCHEDULER])}"
        step = f"leave schedulerName out, or start that scheduler: {change(snapshot, pod)}"
        return Finding(ref(pod), "is Pending: no scheduler has looked at it", (Cause(what, steps=(step,)),))
    if snapshot.age(pod.metadata.creation_timestamp) > SOON_SECONDS:
        cause = Cause("the scheduler does not look at pods: does it run?", steps=("p8s status", "p8s logs manager"))
        return Finding(ref(pod), "is Pending: the scheduler has not looked at it", (cause,))
    return Finding(ref(pod), "waits for the scheduler", working=True)


def _because(snapshot: Snapshot, pod: v1.Pod, said: str) -> Iterator[Cause]:
    """The reasons of the scheduler's sentence, each said plainly."""
    if found := _NO_CLAIM.search(said):
        name, namespace = found["name"], pod.metadata.namespace or ""
        there_are = snapshot.names(v1.PersistentVolumeClaim, namespace)
        yield Cause(
            f"persistentvolumeclaim {name} does not exist{hint(name, there_are)}",
            steps=rename(snapshot, pod, name, there_are) or (f"kubectl get pvc{snapshot.within(namespace)}",),
        )
        return
    reasons = said.partition("available: ")[2].partition(". ")[0].rstrip(".").split(", ")
    for reason in reasons:
        match = _REASON.match(reason)
        words = match["words"] if match else reason
        for start, rule in RULES.items():
            if words.startswith(start):
                yield rule(snapshot, pod, words)
                break
        else:
            if words:
                yield Cause(words, steps=("kubectl describe nodes",))


def _insufficient(snapshot: Snapshot, pod: v1.Pod, words: str) -> Cause:
    """More asked for than any node has, or has free."""
    resource = words.removeprefix("Insufficient ")
    if (found := devices.missing(snapshot, resource)) is not None:
        return found
    asked = resources.pod_requests(pod.spec).get(resource, 0)
    nodes = {
        node.metadata.name or "": resources.amounts(node.status.allocatable).get(resource, 0)
        for node in snapshot.all(v1.Node)
    }
    largest = max(nodes.values(), default=0)
    used = dict.fromkeys(nodes, 0)
    for other in snapshot.all(v1.Pod):
        if other.spec.node_name in used and other.status.phase not in ("Succeeded", "Failed"):
            used[other.spec.node_name] += resources.pod_requests(other.spec).get(resource, 0)
    free = max((total - used[name] for name, total in nodes.items()), default=0)
    fits = amount(resource, free) if free > 0 and v1.Pod not in snapshot.unread else "LESS"
    lower = change(
        snapshot, pod, "set resources", f"--requests={resource}={fits}", instead=f"ask for {fits} at most in"
    )
    if asked > largest:
        what = (
            f"it asks for {amount(resource, asked)} {resource}; the largest node has {amount(resource, largest)} in all"
        )
        return Cause(what, steps=(lower,))
    if v1.Pod in snapshot.unread:
        return Cause(f"no node has {amount(resource, asked)} {resource} left", steps=(lower,))
    what = f"it asks for {amount(resource, asked)} {resource}; other pods have asked for theirs, the most that a node has left is {amount(resource, max(0, free))}"
    return Cause(what, steps=(lower, "or end other pods: kubectl describe nodes | grep -A12 'Non-terminated Pods'"))


def _too_many(snapshot: Snapshot, pod: v1.Pod, words: str) -> Cause:
    limits = sorted({str(node.status.allocatable.get("pods", "?")) for node in snapshot.all(v1.Node)})
    return Cause(f"nodes are full: they take {' or '.join(limits)} pods each", steps=("p8s node add",))


def _tainted(snapshot: Snapshot, pod: v1.Pod, words: str) -> Cause:
    taints = {
        f"{taint.key}{'=' + taint.value if taint.value else ''}:{taint.effect}": node.metadata.name or ""
        for node in snapshot.all(v1.Node)
        for taint in node.spec.taints
        if taint.effect in ("NoSchedule", "NoExecute")
    }
    if not taints:
        return Cause("nodes have taints that it does not tolerate", steps=("kubectl describe nodes | grep Taints",))
    given = [(taint, name) for taint, name in taints.items() if taint.rpartition(":")[0] not in nodes.OWN_TAINTS]
    steps = [f"kubectl taint nodes {name} {taint}-    # takes the taint away" for taint, name in given[:1]]
    return Cause(
        f"it does not tolerate the taint of the nodes: {listed(list(taints))}",
        steps=(*steps, "or give the pod a toleration for it") if steps else (),
        because=merged(cause for found in snapshot.all(v1.Node) for cause in nodes.troubles(snapshot, found)),
    )


def _cordoned(snapshot: Snapshot, pod: v1.Pod, words: str) -> Cause:
    names = [node.metadata.name or "" for node in snapshot.all(v1.Node) if node.spec.unschedulable]
    return Cause(
        f"node {listed(names)} is cordoned: it takes no new pods",
        steps=tuple(f"kubectl uncordon {name}" for name in names[:3]),
    )


def _wrong_labels(snapshot: Snapshot, pod: v1.Pod, words: str) -> Cause:
    nodes = snapshot.all(v1.Node)
    names = [node.metadata.name or "" for node in nodes]
    for key, value in pod.spec.node_selector.items():
        values = sorted({node.metadata.labels[key] for node in nodes if key in node.metadata.labels})
        if value in values:
            continue
        if values:
            what = f"no node has label {key}={value}; nodes have {key}={' or '.join(values[:3])}"
        else:
            what = f"no node has a label {key}{hint(key, {label for node in nodes for label in node.metadata.labels})}"
        return Cause(what, steps=(f"kubectl label node {(names or ['NODE'])[0]} {key}={value}", "or correct nodeSelector: " + change(snapshot, pod)))  # fmt: skip
    return Cause(
        "no node has the labels that its nodeSelector and node affinity ask for",
        steps=("kubectl get nodes --show-labels", change(snapshot, pod)),
    )


def _ports(snapshot: Snapshot, pod: v1.Pod, words: str) -> Cause:
    wanted = {p.host_port for c in pod.spec.containers for p in c.ports if p.host_port}
    holders = [
        f"{ref(other)}{snapshot.within(other.metadata.namespace or '')}"
        for other in snapshot.all(v1.Pod)
        if other.spec.node_name and other.metadata.uid != pod.metadata.uid
        and wanted & {p.host_port for c in other.spec.containers for p in c.ports if p.host_port}
    ]  # fmt: skip
    taken = f"; {listed(holders)} has it" if holders else ""
    what = f"hostPort {listed([str(port) for port in sorted(wanted)])} is taken on every node{taken}"
    return Cause(what, steps=("leave out hostPort: a Service of type NodePort needs none",))


def _no_zone(snapshot: Snapshot, pod: v1.Pod, words: str) -> Cause:
    """Spreading goes by the values of a label, and nodes without it take nothing."""
    found = snapshot.all(v1.Node)
    there = {label for node in found for label in node.metadata.labels}
    keys = [each.topology_key for each in pod.spec.topology_spread_constraints if each.topology_key not in there]
    key = keys[0] if keys else "its topologyKey"
    name = found[0].metadata.name if found else "NODE"
    return Cause(
        f"no node has a label {key}{hint(key, there)}, by which its topologySpreadConstraints spread",
        steps=(f"kubectl label node {name} {key}=...", "or correct topologyKey: " + change(snapshot, pod)),
    )


def _affinity(snapshot: Snapshot, pod: v1.Pod, words: str) -> Cause:
    return Cause(
        {
            "node(s) didn't match pod affinity rules": "no node runs a pod that its podAffinity wants to be with",
            "node(s) didn't match pod anti-affinity rules": "every node runs a pod that its podAntiAffinity keeps away from",
            "node(s) didn't satisfy existing pods anti-affinity rules": "pods that run keep it away by their podAntiAffinity",
            "node(s) didn't match pod topology spread constraints": "no node satisfies its topologySpreadConstraints",
        }.get(words, words),
        steps=(
            "make the rule a preferred one, or add nodes: p8s node add",
            change(snapshot, pod),
        ),
    )


def _unbound(snapshot: Snapshot, pod: v1.Pod, words: str) -> Cause:
    """The claims that are not bound, and why."""
    namespace = pod.metadata.namespace or ""
    found: list[Cause] = []
    for name in claim_names(pod):
        held = snapshot.get(v1.PersistentVolumeClaim, name, namespace)
        if held is not None and (finding := claim.explain(snapshot, held)).is_broken:
            found.append(finding.as_cause())
    names = listed(list(claim_names(pod)))
    return Cause(f"its volume is not there: claim {names} is not bound", because=tuple(found))


RULES: dict[str, Callable[[Snapshot, v1.Pod, str], Cause]] = {
    "Insufficient ": _insufficient,
    "Too many pods": _too_many,
    "node(s) had untolerated taint": _tainted,
    "node(s) were unschedulable": _cordoned,
    "node(s) didn't match Pod's node affinity/selector": _wrong_labels,
    "node(s) didn't have free ports": _ports,
    "node(s) didn't match pod topology spread constraints (missing required label)": _no_zone,
    "node(s) didn't match pod": _affinity,
    "node(s) didn't satisfy existing pods": _affinity,
    "pod has unbound immediate PersistentVolumeClaims": _unbound,
    "node(s) didn't find available persistent volumes to bind": _unbound,
    "node(s) unavailable due to one or more pvc(s)": _unbound,
}
