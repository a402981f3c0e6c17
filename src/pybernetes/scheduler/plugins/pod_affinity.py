"""InterPodAffinity: pods that want to be, or must not be, in one topology domain with others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import MAX_SCORE, Rejection, Verdicts
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.terms import REFUSES, Stated, Term

NAME = "InterPodAffinity"


def verdicts(pod: PodInfo, snapshot: Snapshot) -> Verdicts | None:
    """What the pod requires and prefers, and what pods that run require and prefer of it."""
    terms, about = pod.terms, snapshot.stated_about(pod)
    if not terms.to_others and not about:
        return None
    refusing = [(term.key, _stating((term, weight), snapshot)) for term, weight in about if weight == REFUSES]
    # It wants to be near pods that all its terms select, and away from those that any of them does.
    near = [(term.key, _selected(terms.near, term.key, snapshot)) for term in terms.near]
    far = [(term.key, _selected((term,), term.key, snapshot)) for term in terms.far]
    # The first pod of a group that wants to be near itself may go anywhere with the topology key.
    bootstrap = not any(domains for _, domains in near) and all(_selects(term, pod, snapshot) for term in terms.near)
    wishes = [stated for stated in about if stated[1] != REFUSES]
    return Verdicts(
        _filter(near, far, refusing, bootstrap=bootstrap) if near or far or refusing else None,
        _score(terms.wishes, wishes, snapshot) if terms.wishes or wishes else None,
    )


def _filter(
    near: Sequence[tuple[str, Collection[str]]],
    far: Sequence[tuple[str, Collection[str]]],
    refusing: Sequence[tuple[str, Collection[str]]],
    *,
    bootstrap: bool,
) -> Callable[[NodeState], Rejection | None]:
    """Of topology keys, each with the domains that are meant."""

    def verdict(node: NodeState) -> Rejection | None:
        if any(node.labels.get(key) in domains for key, domains in refusing):
            return Rejection(NAME, ("node(s) didn't satisfy existing pods anti-affinity rules",), resolvable=True)
        for key, domains in near:
            domain = node.labels.get(key)
            if domain is None or (domain not in domains and not bootstrap):
                return Rejection(NAME, ("node(s) didn't match pod affinity rules",))
        if any(node.labels.get(key) in domains for key, domains in far):
            return Rejection(NAME, ("node(s) didn't match pod anti-affinity rules",), resolvable=True)
        return None

    return verdict


def _score(own: Sequence[Stated], others: Sequence[Stated], snapshot: Snapshot) -> Callable[[NodeState], float]:
    """Each pod that a wish is about, and each that has a wish about this one, counts for what the wish weighs."""
    counts = [(term.key, weight, _selected((term,), term.key, snapshot)) for term, weight in own]
    counts += [(term.key, weight, _stating((term, weight), snapshot)) for term, weight in others]
    worth: dict[str, dict[str, int]] = {}
    for key, weight, domains in counts:
        found = worth.setdefault(key, {})
        for domain, count in domains.items():
            found[domain] = found.get(domain, 0) + weight * count
    ranges = [_range(key, found, snapshot) for key, found in worth.items()]
    least, most = sum(low for low, _ in ranges), sum(high for _, high in ranges)

    def score(node: NodeState) -> float:
        points = sum(found.get(node.labels.get(key, ""), 0) for key, found in worth.items())
        return MAX_SCORE * min(1.0, max(0.0, (points - least) / (most - least))) if most > least else 0.0

    return score


def _range(key: str, worth: dict[str, int], snapshot: Snapshot) -> tuple[int, int]:
    """The least and the most that a domain of the topology key is worth; 0 where nobody is that counts."""
    domains = snapshot.domains(key, "nodes", lambda node: 1)
    values = [*worth.values(), *([0] if len(domains) > len(worth) else [])]
    return min(values, default=0), max(values, default=0)


def _selected(terms: tuple[Term, ...], key: str, snapshot: Snapshot) -> Mapping[str, int]:
    """Where pods run that all the terms select: domains of the topology key, with how many there are."""

    def count(node: NodeState) -> int:
        return sum(all(_selects(term, other, snapshot) for term in terms) for other in node.pods.values())

    return snapshot.domains(key, terms, count)


def _stating(stated: Stated, snapshot: Snapshot) -> Mapping[str, int]:
    """Where pods run that state this."""
    return snapshot.domains(stated[0].key, stated, lambda node: node.stated.get(stated, 0))


def _selects(term: Term, other: PodInfo, snapshot: Snapshot) -> bool:
    metadata = other.pod.metadata
    return term.selects(metadata.namespace or "", metadata.labels, snapshot.namespaces)
