"""The plugins of what users configure. What they need is loaded once something is configured: at a start, nothing is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, TypeAlias

from pybernetes.aio.tasks import Scope
from pybernetes.api.scheme import Resource
from pybernetes.apiserver.admission import Attributes, Operation
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.stages.admit.metrics import AdmissionMetrics
from pybernetes.apiserver.stages.admit.plugin import Plugin
from pybernetes.apiserver.stages.authorize.attributes import Authorizer
from pybernetes.apiserver.stages.objects import Objects

GROUP: Final = "admissionregistration.k8s.io"

Ask: TypeAlias = Callable[[Attributes], Awaitable[None]]


class Configured(Plugin):
    """A plugin that is idle until there is an object of `configuration`."""

    configuration: ClassVar[str]
    subresources = frozenset()

    def __init__(
        self,
        objects: Objects,
        registry: ServedRegistry,
        authorizer: Authorizer,
        scope: Scope,
        metrics: AdmissionMetrics,
    ) -> None:
        self._objects = objects
        self._metrics = metrics
        self._registry = registry
        self._authorizer = authorizer
        self._scope = scope
        self._ask: Ask | None = None
        self._configured = 0
        self.is_idle = True
        registry.subscribe(builtin(GROUP, "v1", self.configuration), self._on_change)

    def _on_change(self, old: Item | None, new: Item | None) -> None:
        self._configured += (old is None) - (new is None)
        if self.is_idle is bool(self._configured):
            self.is_idle = not self._configured
            self.on_turn()

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        return True

    def load(self) -> Ask:
        """Import and make what does the work."""
        raise NotImplementedError

    async def ask(self, attributes: Attributes) -> None:
        self._ask = self._ask or self.load()
        await self._ask(attributes)


class ValidatingAdmissionPolicy(Configured):
    """Policies in CEL that refuse, warn or note (KEP-3488)."""

    name = "ValidatingAdmissionPolicy"
    configuration = "validatingadmissionpolicies"

    def load(self) -> Ask:
        from pybernetes.apiserver.stages.admit.dynamic.faces import Versions
        from pybernetes.apiserver.stages.admit.dynamic.policies import Policies
        from pybernetes.apiserver.stages.admit.dynamic.validating_policy import PolicyValidator

        versions = Versions(self._registry)
        return PolicyValidator(Policies(self.configuration, self._objects, versions, self._authorizer), self._metrics)

    validate = Configured.ask


class MutatingAdmissionPolicy(Configured):
    """Policies in CEL that change objects (KEP-3962)."""

    name = "MutatingAdmissionPolicy"
    configuration = "mutatingadmissionpolicies"

    def load(self) -> Ask:
        from pybernetes.apiserver.stages.admit.dynamic.faces import Versions
        from pybernetes.apiserver.stages.admit.dynamic.made import Maker
        from pybernetes.apiserver.stages.admit.dynamic.mutating_policy import PolicyMutator
        from pybernetes.apiserver.stages.admit.dynamic.policies import Policies

        versions = Versions(self._registry)
        policies = Policies(self.configuration, self._objects, versions, self._authorizer)
        return PolicyMutator(policies, Maker(self._registry, versions))

    mutate = Configured.ask


class MutatingAdmissionWebhook(Configured):
    """Webhooks that change objects."""

    name = "MutatingAdmissionWebhook"
    configuration = "mutatingwebhookconfigurations"

    def load(self) -> Ask:
        from pybernetes.apiserver.stages.admit.dynamic.faces import Versions
        from pybernetes.apiserver.stages.admit.dynamic.made import Maker
        from pybernetes.apiserver.stages.admit.dynamic.mutating_webhook import WebhookMutator
        from pybernetes.apiserver.stages.admit.dynamic.webhooks import Webhooks

        versions = Versions(self._registry)
        webhooks = Webhooks(self.configuration, self._objects, versions, self._authorizer, self._scope, self._metrics)
        return WebhookMutator(webhooks, Maker(self._registry, versions))

    mutate = Configured.ask


class ValidatingAdmissionWebhook(Configured):
    """Webhooks that refuse."""

    name = "ValidatingAdmissionWebhook"
    configuration = "validatingwebhookconfigurations"

    def load(self) -> Ask:
        from pybernetes.apiserver.stages.admit.dynamic.faces import Versions
        from pybernetes.apiserver.stages.admit.dynamic.validating_webhook import WebhookValidator
        from pybernetes.apiserver.stages.admit.dynamic.webhooks import Webhooks

        versions = Versions(self._registry)
        return WebhookValidator(
            Webhooks(self.configuration, self._objects, versions, self._authorizer, self._scope, self._metrics)
        )

    validate = Configured.ask
