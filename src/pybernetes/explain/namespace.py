"""Namespaces: alive, or being deleted and still there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain.causes import Cause, Finding, Ref
from pybernetes.explain.snapshot import Remain, Snapshot, condition, ref
from pybernetes.explain.terms import count, duration, listed

PROBLEMS = {
    "NamespaceDeletionDiscoveryFailure": (
        "it is not known what else it may hold: an API does not answer",
        ("kubectl get apiservices    # the one that is not available: start its server, or delete it",),
    ),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "an API has a version that cannot be read",
        ("kubectl get apiservices",),
    ),
    "NamespaceDeletionContentFailure": ("something in it cannot be deleted", ()),
}


def explain(snapshot: Snapshot, namespace: v1.Namespace) -> Finding:
    """A namespace, and what keeps one that is to go."""
    name = namespace.metadata.name or ""
    if namespace.metadata.deletion_timestamp is None:
        pods = len(snapshot.all(v1.Pod, name))
        return Finding(ref(namespace), f"is active, with {count(pods, 'pod')}")
    facts = f"is being deleted for {duration(snapshot.age(namespace.metadata.deletion_timestamp))}"
    return Finding(ref(namespace), facts, tuple(_causes(snapshot, namespace)), working=True)


def _causes(snapshot: Snapshot, namespace: v1.Namespace) -> Iterator[Cause]:
    for type, (what, steps) in PROBLEMS.items():
        found = condition(namespace.status.conditions, type)
        if found is not None and found.status == "True":
            yield Cause(what, seen=(found.message or "",), steps=steps)
    said = tuple(
        each.message or ""
        for each in namespace.status.conditions
        if each.type in ("NamespaceContentRemaining", "NamespaceFinalizersRemaining") and each.status == "True"
    )
    held = [remain for remain in snapshot.clues.remains if remain.finalizers]
    for remain in held[:5]:
        yield _held(snapshot, namespace.metadata.name or "", remain, said)
    if not held and (free := Counter(remain.resource for remain in snapshot.clues.remains)):
        what = f"it still holds {listed([f'{number} {resource}' for resource, number in free.items()])}, which are on their way out"
        yield Cause(what, seen=said)
    if not snapshot.clues.remains and (others := list(namespace.metadata.finalizers)):
        yield Cause(f"finalizer {listed(others)} of the namespace itself holds it", seen=said)


def _held(snapshot: Snapshot, namespace: str, remain: Remain, said: tuple[str, ...]) -> Cause:
    subject = Ref(remain.resource, remain.name, namespace)
    return Cause(
        f"it still holds {subject}, which finalizer {listed(remain.finalizers)} keeps",
        seen=said,
        steps=(
            f"does the controller of {remain.finalizers[0]} run? If it is gone for good:",
            f"""kubectl patch {subject} -n {namespace} --type=merge -p '{{"metadata":{{"finalizers":null}}}}'""",
        ),
    )
