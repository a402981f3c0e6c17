"""Webhooks that a request meets, and calls to them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any, Final

from msgspec import Struct

from pybernetes.aio.tasks import Scope
from pybernetes.api import errors
from pybernetes.api.caching import short_cache
from pybernetes.api.cel.admission import Expression, compile_condition, conditions_environment
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.annotations import annotate
from pybernetes.apiserver.stages.admit.dynamic.evaluation import Evaluation
from pybernetes.apiserver.stages.admit.dynamic.faces import Face, Versions
from pybernetes.apiserver.stages.admit.dynamic.matching import Matching
from pybernetes.apiserver.stages.admit.dynamic.reviews import Response, denial, new_review, read_response
from pybernetes.apiserver.stages.admit.dynamic.variables import variables_of
from pybernetes.apiserver.stages.admit.metrics import AdmissionMetrics
from pybernetes.apiserver.stages.admit.plugin import refuse
from pybernetes.apiserver.stages.authorize.attributes import Authorizer
from pybernetes.apiserver.stages.objects import Objects
from pybernetes.apiserver.webhook_client import CallError, WebhookClient

log = logging.getLogger(__name__)
GROUP: Final = "admissionregistration.k8s.io"
DEFAULT_SECONDS: Final = 10
_NO_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")


class Webhook(Struct, frozen=True):
    """One webhook of a configuration."""

    configuration: str
    source: Tree
    index: int
    """Among all that are configured."""

    @property
    def name(self) -> str:
        return str(self.source["name"])

    @property
    def key(self) -> tuple[str, int]:
        """Tells it from others, which may have its name."""
        return self.configuration, self.index

    @property
    def ignores_failure(self) -> bool:
        return bool(self.source.get("failurePolicy") == "Ignore")


class Webhooks:
    """Those of one kind of configuration (`plural`)."""

    def __init__(
        self,
        plural: str,
        objects: Objects,
        versions: Versions,
        authorizer: Authorizer,
        scope: Scope,
        metrics: AdmissionMetrics,
    ) -> None:
        self._plural = plural
        self._scope = scope
        self._metrics = metrics
        self._kind = "admit" if plural.startswith("mutating") else "validating"
        self._objects = objects
        self._authorizer = authorizer
        self._matching = Matching(objects, versions)
        self._client = WebhookClient(objects)

    async def met(self, attributes: Attributes) -> AsyncIterator[tuple[Webhook, Face]]:
        """Those whose rules and selectors fit the request, in order, each with the request as it is to see it.

        Raises StatusError for a condition that fails, and for objects that cannot be converted.
        """
        if self._matching.is_exempt(attributes):
            return
        configurations = sorted(self._objects.list(GROUP, self._plural), key=lambda one: str(one["metadata"]["name"]))
        index = -1
        for configuration in configurations:
            for source in configuration.get("webhooks") or ():
                index += 1
                webhook = Webhook(configuration["metadata"]["name"], source, index)
                resource = self._matching.match(source, "rules", attributes)
                if resource is None:
                    continue
                face = await self._matching.versions.face(attributes, resource)
                if self._meets_conditions(webhook, face):
                    yield webhook, face

    def _meets_conditions(self, webhook: Webhook, face: Face) -> bool:
        conditions = webhook.source.get("matchConditions")
        if not conditions:
            return True
        evaluation = Evaluation(variables_of(face, self._authorizer))
        try:
            return evaluation.hold(compiled_condition(condition["expression"]) for condition in conditions)
        except EvaluationError as error:
            if webhook.ignores_failure:
                return False
            raise refuse(face.attributes, str(error)) from error

    async def call(self, webhook: Webhook, face: Face) -> Response:
        """The response of a webhook that allows the request.

        Raises StatusError for a denial, CallError for a failure, which `failed` judges.
        """
        attributes = face.attributes
        if attributes.dry_run and webhook.source.get("sideEffects") not in _NO_SIDE_EFFECTS:
            raise errors.bad_request(f"admission webhook {quote(webhook.name)} does not support dry run")
        review = new_review(face, webhook.source.get("admissionReviewVersions") or ())
        seconds = webhook.source.get("timeoutSeconds") or DEFAULT_SECONDS
        began = perf_counter()
        answer = await self._post(webhook, review, seconds)
        response = read_response(answer, review, mutates=self._kind == "admit")
        for text in response.warnings or ():
            attributes.ctx.warn(text)
        for key, value in (response.audit_annotations or {}).items():
            annotate(attributes, f"{webhook.name}/{key}", value)
        about = webhook.name, self._kind, attributes.operation, began
        if not response.allowed:
            refusal = denial(webhook.name, response.status or {})
            self._metrics.webhook_called(*about, error="no_error", code=refusal.code)
            raise refusal
        self._metrics.webhook_called(*about)
        return response

    def failed(self, webhook: Webhook, face: Face, error: CallError, began: float) -> None:
        """A webhook did not answer as it should. Raises StatusError if its failures count."""
        attributes = face.attributes
        about = webhook.name, self._kind, attributes.operation, began
        if not webhook.ignores_failure:
            self._metrics.webhook_called(*about, error="calling_webhook_error")
            raise errors.internal(f"failed calling webhook {quote(webhook.name)}: {error}") from error
        log.warning("webhook failed, failing open webhook=%s error=%s", webhook.name, error)
        self._metrics.webhook_called(*about)
        self._metrics.fail_open.inc(webhook.name, self._kind)

    async def _post(self, webhook: Webhook, review: Tree, seconds: float) -> Any:
        try:
            return await self._client.post(self._scope, webhook.source["clientConfig"], review, seconds)
        except CallError as error:
            raise CallError(f"failed to call webhook: {error}") from error


@short_cache(256)
def compiled_condition(source: str) -> Expression:
    return compile_condition(conditions_environment(), source)
