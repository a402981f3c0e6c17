"""Definitions of custom resources: whether they are served, and whether their versions can be converted."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.types import apiextensions_v1 as extensions
from pybernetes.explain import backend, terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.snapshot import Snapshot, condition, ref
from pybernetes.explain.terms import listed


def explain(snapshot: Snapshot, definition: extensions.CustomResourceDefinition) -> Finding:
    """Whether it is served, and whether its versions can be converted."""
    if definition.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, definition)
    causes = [*_refused(definition), *_unconverted(snapshot, definition)]
    versions = [version.name for version in definition.spec.versions if version.served]
    facts = f"{definition.spec.names.kind} is served as {listed(versions)}" if versions else "is not served"
    return Finding(ref(definition), facts if not causes else "is not served as it should be", tuple(causes))


def _refused(definition: extensions.CustomResourceDefinition) -> Iterator[Cause]:
    """Conditions that are false: names that another has, a schema that says too little."""
    for type, wanted in (("NamesAccepted", "True"), ("Established", "True"), ("NonStructuralSchema", "False")):
        found = condition(definition.status.conditions, type)
        if found is not None and found.status not in (wanted, "Unknown"):
            yield Cause(f"condition {type} is {found.status}: {found.reason}", seen=(found.message or "",))


def _unconverted(snapshot: Snapshot, definition: extensions.CustomResourceDefinition) -> Iterator[Cause]:
    conversion = definition.spec.conversion
    client = conversion.webhook.client_config if conversion is not None and conversion.webhook is not None else None
    service = client.service if client is not None else None
    if service is None:
        return
    if because := tuple(backend.silent(snapshot, service.name, service.namespace)):
        stored = listed(definition.status.stored_versions)
        what = f"its conversion webhook does not answer: objects stored as {stored} cannot be read in another version, and namespaces that hold them cannot be deleted"
        steps = ("start that server; or, if the versions do not differ: " + snapshot.command(
            "patch", ref(definition), """--type=merge -p '{"spec":{"conversion":{"strategy":"None","webhook":null}}}'"""),)  # fmt: skip
        yield Cause(what, steps=steps, because=because)
