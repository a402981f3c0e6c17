"""What pods say of other pods (affinity between pods), compiled once for all pods of a template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from pybernetes.api.selectors.labels import from_struct
from pybernetes.api.types import core_v1 as core

REFUSES: Final = 0
"""The weight of a term that is no wish: pods that it selects have to stay away."""
REQUIRED_WEIGHT: Final = 1
"""What it counts for where a pod requires others of a kind, that another one of these comes (upstream's
`hardPodAffinityWeight`)."""
REMEMBERED: Final = 4096

_encode = msgspec.json.Encoder().encode


class Term:
    """One term, as pods of a namespace state it. Equal if namespace and term are."""

    __slots__ = ("_identity", "_labelled", "_namespaces", "_selector", "key")

    def __init__(self, namespace: str, term: core.PodAffinityTerm) -> None:
        own = not term.namespaces and term.namespace_selector is None
        self.key = term.topology_key
        self._namespaces = frozenset((namespace,) if own else term.namespaces)
        self._labelled = from_struct(term.namespace_selector)
        self._selector = from_struct(term.label_selector)
        self._identity = (namespace, _encode(term))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Term) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def selects(self, namespace: str, labels: dict[str, str], namespaces: Mapping[str, dict[str, str]]) -> bool:
        """Whether it is about a pod of this namespace with these labels; `namespaces` are the labels of all."""
        near = namespace in self._namespaces or self._labelled.matches(namespaces.get(namespace, {}))
        return near and self._selector.matches(labels)


Stated: TypeAlias = tuple[Term, int]
"""A term and what it weighs: more than 0 for wishes to be near, less for wishes to be apart, or REFUSES."""


class Terms(Struct, frozen=True):
    """All terms of a pod."""

    near: tuple[Term, ...] = ()
    far: tuple[Term, ...] = ()
    """Required ones."""
    wishes: tuple[Stated, ...] = ()
    to_others: tuple[Stated, ...] = ()
    """What they mean for a pod that comes when this one is placed."""


NONE: Final = Terms()
_remembered: dict[tuple[str, bytes], Terms] = {}


def terms_of(namespace: str, affinity: core.Affinity | None) -> Terms:
    """Remembered, since most pods are made of few templates."""
    if affinity is None or not (affinity.pod_affinity or affinity.pod_anti_affinity):
        return NONE
    key = (namespace, _encode((affinity.pod_affinity, affinity.pod_anti_affinity)))
    known = _remembered.get(key)
    if known is None:
        if len(_remembered) >= REMEMBERED:
            _remembered.clear()
        known = _remembered[key] = _made(namespace, affinity)
    return known


def _made(namespace: str, affinity: core.Affinity) -> Terms:
    near = tuple(Term(namespace, term) for term in _required(affinity.pod_affinity))
    far = tuple(Term(namespace, term) for term in _required(affinity.pod_anti_affinity))
    wishes = tuple((Term(namespace, term), weight) for weight, term in _preferred(affinity))
    required = (*((term, REFUSES) for term in far), *((term, REQUIRED_WEIGHT) for term in near))
    return Terms(near, far, wishes, (*required, *wishes))


def _required(side: core.PodAffinity | core.PodAntiAffinity | None) -> list[core.PodAffinityTerm]:
    return side.required_during_scheduling_ignored_during_execution if side else []


def _preferred(affinity: core.Affinity) -> Iterator[tuple[int, core.PodAffinityTerm]]:
    """Weighted terms; those of anti-affinity weigh negatively."""
    for side, sign in ((affinity.pod_affinity, 1), (affinity.pod_anti_affinity, -1)):
        for weighted in side.preferred_during_scheduling_ignored_during_execution if side else []:
            yield sign * weighted.weight, weighted.pod_affinity_term
