"""The strategy of each built-in kind."""

from __future__ import annotations

from typing import Final

from pybernetes.api.scheme import Resource
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.strategy import Strategy

_TRACKS_GENERATION: Final = frozenset((
    ("", "pods"), ("", "replicationcontrollers"), ("apps", "daemonsets"), ("apps", "deployments"),
    ("apps", "replicasets"), ("apps", "statefulsets"), ("batch", "cronjobs"), ("batch", "jobs"),
    ("networking.k8s.io", "ingresses"), ("networking.k8s.io", "ingressclasses"),
    ("networking.k8s.io", "networkpolicies"), ("policy", "poddisruptionbudgets"),
))  # fmt: skip
_RETURNS_DELETED: Final = frozenset((
    ("", "persistentvolumeclaims"), ("", "persistentvolumes"), ("", "pods"), ("", "podtemplates"),
    ("", "resourcequotas"), ("", "serviceaccounts"), ("", "services"),
    ("storage.k8s.io", "csidrivers"), ("storage.k8s.io", "csinodes"), ("storage.k8s.io", "storageclasses"),
    ("storage.k8s.io", "volumeattachments"), ("storage.k8s.io", "volumeattributesclasses"),
))  # fmt: skip
_ORPHANS: Final = frozenset((("", "replicationcontrollers"), ("batch", "jobs")))


def strategy_of(resource: Resource) -> Strategy:
    key = (resource.group, resource.plural)
    return KindStrategy(
        resource,
        tracks_generation=key in _TRACKS_GENERATION,
        returns_deleted=key in _RETURNS_DELETED,
        orphans_dependents=key in _ORPHANS,
    )
