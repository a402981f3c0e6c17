"""InterPodAffinity: pods that want to be, or must not be, in one topology domain with others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from pybernetes.api.selectors.labels import from_struct
from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import MAX_SCORE, Rejection, Verdicts
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot

NAME = "InterPodAffinity"
Domains = dict[str, set[str]]
"""Topology key -> the values of it that are meant."""


def verdicts(pod: PodInfo, snapshot: Snapshot) -> Verdicts | None:
    """Required terms of the pod, anti-affinity of pods that run, and preferred terms of the pod."""
    affinity = pod.spec.affinity
    if affinity is None and not snapshot.refuses:
        return None
    wanted = _terms(affinity.pod_affinity if affinity else None)
    unwanted = _terms(affinity.pod_anti_affinity if affinity else None)
    refusing = _refusing(pod, snapshot)
    preferred = list(_preferred(affinity))
    if not (wanted or unwanted or refusing or preferred):
        return None
    # It wants to be near pods that all its terms select, and away from those that any of them does.
    near = [(term, _domains(pod, wanted, term.topology_key, snapshot)) for term in wanted]
    far = [(term.topology_key, _domains(pod, [term], term.topology_key, snapshot)) for term in unwanted]
    # The first pod of a group that wants to be near itself may go anywhere with the topology key.
    bootstrap = all(not domains and selects(term, pod, pod, snapshot) for term, domains in near)
    checked = _filter(near, far, refusing, bootstrap=bootstrap) if wanted or unwanted or refusing else None
    return Verdicts(checked, _score(pod, preferred, snapshot) if preferred else None)


def _terms(side: core.PodAffinity | core.PodAntiAffinity | None) -> list[core.PodAffinityTerm]:
    return side.required_during_scheduling_ignored_during_execution if side else []


def _preferred(affinity: core.Affinity | None) -> Iterator[tuple[int, core.PodAffinityTerm]]:
    """Weighted terms; those of anti-affinity weigh negatively."""
    for side, sign in ((affinity and affinity.pod_affinity, 1), (affinity and affinity.pod_anti_affinity, -1)):
        for weighted in side.preferred_during_scheduling_ignored_during_execution if side else []:
            yield sign * weighted.weight, weighted.pod_affinity_term


def _filter(
    near: list[tuple[core.PodAffinityTerm, set[str]]],
    far: list[tuple[str, set[str]]],
    refusing: Domains,
    *,
    bootstrap: bool,
) -> Callable[[NodeState], Rejection | None]:
    def verdict(node: NodeState) -> Rejection | None:
        if any(node.labels.get(key) in values for key, values in refusing.items()):
            return Rejection(NAME, ("node(s) didn't satisfy existing pods anti-affinity rules",), resolvable=True)
        for term, domains in near:
            domain = node.labels.get(term.topology_key)
            if domain is None or (domain not in domains and not bootstrap):
                return Rejection(NAME, ("node(s) didn't match pod affinity rules",))
        if any(node.labels.get(key) in values for key, values in far):
            return Rejection(NAME, ("node(s) didn't match pod anti-affinity rules",), resolvable=True)
        return None

    return verdict


def _score(
    pod: PodInfo, preferred: list[tuple[int, core.PodAffinityTerm]], snapshot: Snapshot
) -> Callable[[NodeState], float]:
    weighted = [
        (weight, term.topology_key, _domains(pod, [term], term.topology_key, snapshot)) for weight, term in preferred
    ]
    total = sum(abs(weight) for weight, _, _ in weighted)

    def score(node: NodeState) -> float:
        sum_ = sum(weight for weight, key, domains in weighted if node.labels.get(key) in domains)
        return MAX_SCORE * (sum_ + total) / (2 * total)

    return score


def _domains(pod: PodInfo, terms: Sequence[core.PodAffinityTerm], key: str, snapshot: Snapshot) -> set[str]:
    """The values of a topology key where pods run that all the terms select."""
    return {
        node.labels[key]
        for node in snapshot.present()
        if key in node.labels
        and any(all(selects(term, pod, other, snapshot) for term in terms) for other in node.pods.values())
    }


def _refusing(pod: PodInfo, snapshot: Snapshot) -> Domains:
    """Where pods run whose required anti-affinity selects this pod."""
    found: Domains = defaultdict(set)
    for other, node in snapshot.refusing():
        affinity = other.spec.affinity
        for term in _terms(affinity.pod_anti_affinity if affinity else None):
            if term.topology_key in node.labels and selects(term, other, pod, snapshot):
                found[term.topology_key].add(node.labels[term.topology_key])
    return found


def selects(term: core.PodAffinityTerm, owner: PodInfo, other: PodInfo, snapshot: Snapshot) -> bool:
    """Whether a term of `owner` selects `other`: by namespace (its own by default), then by labels."""
    namespace = other.pod.metadata.namespace or ""
    if term.namespaces or term.namespace_selector is not None:
        labels = snapshot.namespaces.get(namespace, {})
        near = namespace in term.namespaces or from_struct(term.namespace_selector).matches(labels)
    else:
        near = namespace == owner.pod.metadata.namespace
    return near and from_struct(term.label_selector).matches(other.pod.metadata.labels)
