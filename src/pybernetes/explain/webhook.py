"""Webhooks that the API server asks at admission. Those that convert custom resources are their definition's affair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from pybernetes.api.types import admissionregistration_v1 as admission
from pybernetes.explain import backend, terminating
from pybernetes.explain.causes import Cause, Finding, Ref
from pybernetes.explain.snapshot import Snapshot, ref
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
