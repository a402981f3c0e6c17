"""Custom resources: what can be said of an object whose kind nobody here knows.

By the conventions that controllers follow: conditions that ought to be True (Ready, Available) or False (Stalled,
Degraded), events, finalizers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from pybernetes.api.scheme import Resource
from pybernetes.api.types import apiextensions_v1 as extensions
from pybernetes.api.types import meta_v1
from pybernetes.api.types.base import Object
from pybernetes.explain import definition as definitions
from pybernetes.explain import generic, terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.snapshot import Snapshot, condition, ref

GOOD = ("Ready", "Available", "Healthy", "Synced", "Succeeded", "Established", "Accepted", "Programmed")
"""The first that is True is what is said of the object."""
BAD = frozenset({"Stalled", "Degraded", "Failed", "Error", "Failure"})
UNDER_WAY = frozenset({"Reconciling", "Progressing"})


class Condition(Object, frozen=True, kw_only=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class Custom(Object, frozen=True, kw_only=True):
    """An object of a custom resource, as far as all of them are alike."""

    kind: str
    metadata: meta_v1.ObjectMeta
    conditions: tuple[Condition, ...] = ()


def definition_of(snapshot: Snapshot, word: str) -> extensions.CustomResourceDefinition | None:
    """The custom resource that goes by this name."""
    return next((each for each in snapshot.all(extensions.CustomResourceDefinition) if is_called(each, word)), None)


def is_called(definition: extensions.CustomResourceDefinition, word: str) -> bool:
    """Whether a custom resource goes by a name: plural, singular, kind or short, with its group or without."""
    name, _, group = word.lower().partition(".")
    spec = definition.spec
    known = {spec.names.plural, spec.names.singular or "", spec.names.kind.lower(), *spec.names.short_names}
    return name in known and group in ("", spec.group)


def resource_of(definition: extensions.CustomResourceDefinition) -> Resource:
    """How its objects are asked for: in the version in which they are stored, if that is served."""
    spec = definition.spec
    served = [version for version in spec.versions if version.served]
    version = next((each.name for each in served if each.storage), served[0].name if served else spec.versions[0].name)
    return Resource(
        spec.group, version, spec.names.plural, spec.names.kind, spec.names.singular or spec.names.kind.lower(), spec.scope == "Namespaced",
    )  # fmt: skip


def read(tree: dict[str, Any]) -> Custom:
    """Of the status only what looks like conditions: a controller may write there what it likes."""
    status = tree.get("status")
    found = status.get("conditions") if isinstance(status, dict) else None
    conditions: list[Condition] = []
    for each in found if isinstance(found, list) else []:
        try:
            conditions.append(msgspec.convert(each, Condition))
        except msgspec.ValidationError:
            continue
    metadata = msgspec.convert(tree["metadata"] | {"managedFields": []}, meta_v1.ObjectMeta)
    return Custom(kind=tree["kind"], metadata=metadata, conditions=tuple(conditions))


def explain(snapshot: Snapshot, definition: extensions.CustomResourceDefinition, obj: Custom) -> Finding:
    """An object of a custom resource."""
    if obj.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, obj)
    causes = [*_conditions(snapshot, obj), *generic.explain(snapshot, obj).causes]
    served = definitions.explain(snapshot, definition)
    if served.is_broken:
        causes.append(served.as_cause())
    good = [each for name in GOOD if (each := condition(obj.conditions, name)) is not None and each.status == "True"]
    state = good[0].type if good else "and says nothing of its state" if not obj.conditions else "not ready"
    working = any((each := condition(obj.conditions, name)) is not None and each.status == "True" for name in UNDER_WAY)
    return Finding(ref(obj), f"is there, {state}", tuple(causes), working)


def _conditions(snapshot: Snapshot, obj: Custom) -> Iterator[Cause]:
    for each in obj.conditions:
        wrong = "False" if each.type in GOOD else "True" if each.type in BAD else None
        if each.status == wrong:
            what = f"its condition {each.type} is {each.status}: {each.reason or 'without a reason'}"
            yield Cause(what, seen=(each.message,), steps=(snapshot.command("describe", ref(obj)),))
