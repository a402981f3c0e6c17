"""Webhooks that the API server asks: at admission, and to convert custom resources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from pybernetes.api.types import admissionregistration_v1 as admission
from pybernetes.api.types import apiextensions_v1 as extensions
from pybernetes.explain import backend, terminating
from pybernetes.explain.causes import Cause, Finding, Ref
from pybernetes.explain.snapshot import Snapshot, condition, ref
from pybernetes.explain.terms import count, listed

Configuration: TypeAlias = admission.ValidatingWebhookConfiguration | admission.MutatingWebhookConfiguration
Webhook: TypeAlias = admission.ValidatingWebhook | admission.MutatingWebhook


def explain(snapshot: Snapshot, configuration: Configuration) -> Finding:
    """A configuration: whom the API server asks, and what happens while nobody answers."""
    if configuration.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, configuration)
    causes: list[Cause] = []
    for webhook in configuration.webhooks:
        if because := tuple(_silent(snapshot, webhook)):
            what = f"webhook {webhook.name} does not answer: {_effect(webhook)}"
            step = "start its service, or delete the configuration if it is gone for good: "
            steps = (step + snapshot.command("delete", ref(configuration)),)
            causes.append(Cause(what, steps=steps, because=because))
    return Finding(ref(configuration), f"has the API server ask {count(len(configuration.webhooks), 'webhook')}", tuple(causes))  # fmt: skip


def unanswered(snapshot: Snapshot, name: str) -> tuple[Ref | None, tuple[Cause, ...]]:
    """The configuration that a webhook of that name is of, and why nobody answers for it."""
    configurations: list[Configuration] = [
        *snapshot.all(admission.ValidatingWebhookConfiguration),
        *snapshot.all(admission.MutatingWebhookConfiguration),
    ]
    for configuration in configurations:
        for webhook in configuration.webhooks:
            if webhook.name == name:
                return ref(configuration), tuple(_silent(snapshot, webhook))
    return None, ()


def explain_definition(snapshot: Snapshot, definition: extensions.CustomResourceDefinition) -> Finding:
    """A custom resource's definition: whether it is served, and whether its versions can be converted."""
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


def _silent(snapshot: Snapshot, webhook: Webhook) -> Iterator[Cause]:
    service = webhook.client_config.service
    return backend.silent(snapshot, service.name, service.namespace) if service is not None else iter(())


def _effect(webhook: Webhook) -> str:
    """What a request that it is to be asked about comes to."""
    what = listed([f"{'/'.join(rule.operations)} of {'/'.join(rule.resources)}" for rule in webhook.rules])
    if webhook.failure_policy == "Ignore":
        return (
            f"{what} goes on without it (failurePolicy Ignore), after a wait of up to {webhook.timeout_seconds or 10} s"
        )
    return f"{what} is refused (failurePolicy Fail){_where(webhook)}"


def _where(webhook: Webhook) -> str:
    selector = webhook.namespace_selector
    chosen: Sequence[str] = (
        (*selector.match_labels, *(each.key for each in selector.match_expressions)) if selector else ()
    )
    return f" in namespaces chosen by {listed(chosen)}" if chosen else " in every namespace"
