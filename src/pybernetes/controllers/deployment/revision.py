"""Templates and revisions: which ReplicaSet is the new one, what it is called, and what its annotations say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pybernetes.api.types import apps_v1, core_v1
from pybernetes.wire.numbers import parse_number

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
HISTORY_LIMIT_CHARACTERS = 2000

# What a ReplicaSet does not take over from its Deployment.
_OWN_ANNOTATIONS = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    }
)
# Digits become letters without vowels, so that no hash spells a word.
_DIGITS = str.maketrans("0123456789", "456789bcdf")


def template_hash(template: core_v1.PodTemplateSpec, collisions: int) -> str:
    """Nine or ten letters that stand for a template; another number of collisions gives others."""
    encoded = msgspec.json.encode(template, order="deterministic") + str(collisions).encode()
    number = int.from_bytes(hashlib.blake2b(encoded, digest_size=4).digest(), "big")
    return f"{number:09d}".translate(_DIGITS)


def same_template(one: core_v1.PodTemplateSpec, other: core_v1.PodTemplateSpec) -> bool:
    """Whether two templates make the same pods, whatever hash they are labelled with."""
    return one.spec == other.spec and _bare(one) == _bare(other)


def _bare(template: core_v1.PodTemplateSpec) -> tuple[dict[str, str], dict[str, str], list[str]]:
    meta = template.metadata
    labels = {key: value for key, value in meta.labels.items() if key != HASH_LABEL}
    return labels, meta.annotations, meta.finalizers


def by_age(sets: Iterable[apps_v1.ReplicaSet]) -> list[apps_v1.ReplicaSet]:
    """Oldest first."""
    return sorted(sets, key=lambda found: (found.metadata.creation_timestamp or "", found.metadata.name or ""))


def find_new(deployment: apps_v1.Deployment, sets: Iterable[apps_v1.ReplicaSet]) -> apps_v1.ReplicaSet | None:
    """The set of the Deployment's present template; the oldest, should there be several."""
    template = deployment.spec.template
    return next((found for found in by_age(sets) if same_template(found.spec.template, template)), None)


def revision_of(annotations: Mapping[str, str]) -> int:
    """0 if there is none, or it is no number."""
    return parse_number(annotations.get(REVISION, "")) or 0


def next_revision(old: Sequence[apps_v1.ReplicaSet]) -> int:
    return max((revision_of(found.metadata.annotations) for found in old), default=0) + 1


def new_set_annotations(deployment: apps_v1.Deployment, current: Mapping[str, str], revision: int) -> dict[str, str]:
    """The annotations of the new set: the Deployment's, and its revision (the one it had before goes to history)."""
    copied = {key: text for key, text in deployment.metadata.annotations.items() if key not in _OWN_ANNOTATIONS}
    annotations = {**current, **copied}
    before = revision_of(current)
    if before >= revision:
        return annotations
    annotations[REVISION] = str(revision)
    if before:
        annotations[REVISION_HISTORY] = _with_history(current.get(REVISION_HISTORY, ""), before)
    return annotations


def _with_history(history: str, revision: int) -> str:
    """The former revisions, the oldest dropped when they become too long."""
    entries = [entry for entry in history.split(",") if entry] + [str(revision)]
    while len(",".join(entries)) > HISTORY_LIMIT_CHARACTERS:
        entries.pop(0)
    return ",".join(entries)


def size_annotations(replicas: int, surge: int) -> dict[str, str]:
    """What a set remembers of the Deployment's size, for scaling in proportion later."""
    return {DESIRED_REPLICAS: str(replicas), MAX_REPLICAS: str(replicas + surge)}


def plan_cleanup(deployment: apps_v1.Deployment, old: Iterable[apps_v1.ReplicaSet]) -> list[apps_v1.ReplicaSet]:
    """Old sets beyond the history limit, those of the smallest revision first; none that still has pods."""
    limit = deployment.spec.revision_history_limit
    alive = [found for found in old if found.metadata.deletion_timestamp is None]
    surplus = len(alive) - (10 if limit is None else limit)
    if surplus <= 0:
        return []
    alive.sort(key=lambda found: (revision_of(found.metadata.annotations), found.metadata.creation_timestamp or ""))
    return [found for found in alive[:surplus] if _is_empty(found)]


def _is_empty(found: apps_v1.ReplicaSet) -> bool:
    settled = (found.metadata.generation or 0) <= (found.status.observed_generation or 0)
    return settled and not found.status.replicas and not found.spec.replicas
