"""NetworkPolicies: whom they are about, and whom they let through; and what they do to a pod or a service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pybernetes.api.selectors import labels
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1
from pybernetes.api.types import networking_v1 as net
from pybernetes.explain import terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.nearest import nearest
from pybernetes.explain.snapshot import Snapshot, ref
from pybernetes.explain.terms import count, listed

NOBODY, EVERYBODY = "nobody", "everybody"
DNS_PORT = 53


def explain(snapshot: Snapshot, policy: net.NetworkPolicy) -> Finding:
    """A policy: which pods it selects, and who may connect to whom."""
    if policy.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, policy)
    namespace = policy.metadata.namespace or ""
    pods = snapshot.all(v1.Pod, namespace)
    selected = [pod for pod in pods if selects(policy, pod)]
    facts = f"is about {count(len(selected), 'pod')}: {'; '.join(effects(policy))}"
    if selected or not pods:
        return Finding(ref(policy), facts)
    wanted = text_of(policy.spec.pod_selector)
    there = sorted({f"{k}={v}" for pod in pods for k, v in pod.metadata.labels.items()})
    close = [name for each in wanted.split(",") for name in nearest(each, there, 1)]
    cause = Cause(
        f"its podSelector {wanted} matches no pod" + (f"; pods have {close[0]}" if close else ""),
        steps=(f"kubectl get pods{snapshot.within(namespace)} --show-labels", snapshot.command("edit", ref(policy))),
    )
    return Finding(ref(policy), facts, (cause,))


def notes(snapshot: Snapshot, pods: Sequence[v1.Pod]) -> tuple[str, ...]:
    """What policies do to any of the pods, which somebody who is not answered should know of."""
    return tuple(f"{ref(policy)} is about it: {'; '.join(effects(policy))}" for policy in of(snapshot, pods))


def of(snapshot: Snapshot, pods: Sequence[v1.Pod]) -> list[net.NetworkPolicy]:
    """The policies that select any of the pods."""
    namespaces = {pod.metadata.namespace or "" for pod in pods}
    found = [policy for namespace in sorted(namespaces) for policy in snapshot.all(net.NetworkPolicy, namespace)]
    return [policy for policy in found if any(selects(policy, pod) for pod in pods)]


def selects(policy: net.NetworkPolicy, pod: v1.Pod) -> bool:
    selector = policy.spec.pod_selector
    of_same = pod.metadata.namespace == policy.metadata.namespace
    return of_same and (selector is None or labels.from_struct(selector).matches(pod.metadata.labels))


def effects(policy: net.NetworkPolicy) -> list[str]:
    """In words, for each direction that it is about."""
    spec, found = policy.spec, []
    if "Ingress" in spec.policy_types:
        rules = [(rule.from_, rule.ports) for rule in spec.ingress]
        found.append(f"{_whom(rules)} may connect to its pods")
    if "Egress" in spec.policy_types:
        rules = [(rule.to, rule.ports) for rule in spec.egress]
        deaf = "" if any(_has_dns(ports) for _, ports in rules) else " (DNS is not among it: names are not found)"
        found.append(f"its pods may connect to {_whom(rules)}{deaf}")
    return found


def _whom(rules: Iterable[tuple[Sequence[net.NetworkPolicyPeer], Sequence[net.NetworkPolicyPort]]]) -> str:
    each = [f"{listed([_peer(peer) for peer in peers]) or EVERYBODY}{_on(ports)}" for peers, ports in rules]
    return listed(each) or NOBODY


def _peer(peer: net.NetworkPolicyPeer) -> str:
    if peer.ip_block is not None:
        return f"addresses of {peer.ip_block.cidr}"
    which = text_of(peer.pod_selector)
    pods = f"pods with {which}" if which else "all pods"
    if peer.namespace_selector is None:
        return f"{pods} of its namespace"
    where = text_of(peer.namespace_selector)
    return f"{pods} of namespaces with {where}" if where else f"{pods} of all namespaces"


def _on(ports: Sequence[net.NetworkPolicyPort]) -> str:
    named = [f"{p.port}{f'-{p.end_port}' if p.end_port else ''}" for p in ports if p.port is not None]
    return f" on port {listed(named)}" if named else ""


def _has_dns(ports: Sequence[net.NetworkPolicyPort]) -> bool:
    if not ports:
        return True
    return any(
        p.port is None or (isinstance(p.port, int) and p.port <= DNS_PORT <= (p.end_port or p.port)) for p in ports
    )


def text_of(selector: meta_v1.LabelSelector | None) -> str:
    """`app=web,tier in (a, b)`; empty for one that selects all."""
    if selector is None:
        return ""
    said = [f"{key}={value}" for key, value in sorted(selector.match_labels.items())]
    for each in selector.match_expressions:
        values = f" ({', '.join(each.values)})" if each.values else ""
        said.append(f"{each.key} {each.operator}{values}")
    return ",".join(said)
