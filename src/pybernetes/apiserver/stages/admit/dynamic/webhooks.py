"""Webhooks that a request meets, and what their answers mean (AdmissionReview v1)."""

from __future__ import annotations

import base64
import logging
import uuid
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any, Final

import msgspec
from msgspec import Struct

from pybernetes.aio.tasks import Scope
from pybernetes.api import errors
from pybernetes.api.caching import short_cache
from pybernetes.api.cel.admission import Expression, compile_condition, conditions_environment
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.errors import StatusError
from pybernetes.api.json_text import read_json
from pybernetes.api.schema import Json
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.faces import Face, Versions
from pybernetes.apiserver.stages.admit.dynamic.matching import Matching
from pybernetes.apiserver.stages.admit.dynamic.variables import admission_request, variables_of
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

    @property
    def name(self) -> str:
        return str(self.source["name"])

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
        for configuration in configurations:
            for source in configuration.get("webhooks") or ():
                webhook = Webhook(configuration["metadata"]["name"], source)
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
        values = variables_of(face, self._authorizer)
        failed: list[str] = []
        for condition in conditions:
            expression = compiled_condition(condition["expression"])
            try:
                if expression.program is None:
                    raise EvaluationError(expression.error)
                if expression.program.evaluate(values) is not True:
                    return False
            except EvaluationError as error:
                failed.append(str(error))
        if failed and not webhook.ignores_failure:
            raise refuse(face.attributes, ", ".join(failed))
        return not failed

    async def call(self, webhook: Webhook, face: Face) -> Tree | None:
        """The response of a webhook that allows the request; None for one that failed and whose failures are ignored.

        Raises StatusError for a denial, and for a failure that counts.
        """
        attributes = face.attributes
        if attributes.dry_run and webhook.source.get("sideEffects") not in _NO_SIDE_EFFECTS:
            raise errors.bad_request(f'admission webhook "{webhook.name}" does not support dry run')
        review = _review(face)
        seconds = webhook.source.get("timeoutSeconds") or DEFAULT_SECONDS
        began, called = perf_counter(), self._metrics.webhook_called
        about = webhook.name, self._kind, attributes.operation, began
        try:
            answer = await self._post(webhook, review, seconds)
            response = _response(answer, review["request"]["uid"])
        except CallError as error:
            if webhook.ignores_failure:
                log.warning("webhook failed, failing open webhook=%s error=%s", webhook.name, error)
                called(*about)
                self._metrics.fail_open.inc(webhook.name, self._kind)
                return None
            called(*about, error="calling_webhook_error")
            raise errors.internal(f'failed calling webhook "{webhook.name}": {error}') from error
        for text in response.get("warnings") or ():
            attributes.ctx.warn(str(text))
        for key, value in (response.get("auditAnnotations") or {}).items():
            attributes.ctx.audit[f"{webhook.name}/{key}"] = str(value)
        if response.get("allowed") is not True:
            denial = _denial(webhook.name, response.get("status") or {})
            called(*about, error="no_error", code=denial.code)
            raise denial
        called(*about)
        return response

    async def _post(self, webhook: Webhook, review: Tree, seconds: float) -> Any:
        try:
            return await self._client.post(self._scope, webhook.source["clientConfig"], review, seconds)
        except CallError as error:
            raise CallError(f"failed to call webhook: {error}") from error


@short_cache(256)
def compiled_condition(source: str) -> Expression:
    return compile_condition(conditions_environment(), source)


def _review(face: Face) -> Tree:
    request = {
        "uid": str(uuid.uuid4()),
        **admission_request(face),
        "object": face.object,
        "oldObject": face.old,
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


class _Answer(msgspec.Struct, rename="camel"):
    """An AdmissionResponse, for the types of its fields."""

    uid: str = ""
    allowed: bool = False
    status: Tree | None = None
    patch: str | None = None
    patch_type: str | None = None
    audit_annotations: dict[str, str] | None = None
    warnings: list[str] | None = None


class _Status(msgspec.Struct):
    code: int | None = None
    message: str | None = None
    reason: str | None = None
    details: Tree | None = None


def _response(answer: Any, uid: str) -> Tree:
    """Raises CallError for what is no answer to the request."""
    if not isinstance(answer, dict) or answer.get("kind") != "AdmissionReview":
        raise CallError(
            "received invalid webhook response: expected webhook response of admission.k8s.io/v1, AdmissionReview"
        )
    response = answer.get("response")
    if not isinstance(response, dict):
        raise CallError("webhook response was absent")
    try:
        msgspec.convert(response, _Answer)
        msgspec.convert(response.get("status") or {}, _Status)
    except msgspec.ValidationError as error:
        raise CallError(f"received invalid webhook response: {error}") from error
    if response.get("uid") != uid:
        shown = response.get("uid", "")
        raise CallError(f'received invalid webhook response: expected response.uid="{uid}", got "{shown}"')
    return response


def _denial(name: str, status: Tree) -> StatusError:
    denied = f'admission webhook "{name}" denied the request'
    if status.get("message"):
        message = f"{denied}: {status['message']}"
    elif status.get("reason"):
        message = f"{denied}: {status['reason']}"
    else:
        message = f"{denied} without explanation"
    code = status.get("code") or 0
    return StatusError(code if code >= 400 else 400, status.get("reason") or "", message, status.get("details"))


def patch_of(response: Tree) -> list[Json] | None:
    """The operations of a mutating webhook's JSON patch. Raises CallError for what is none."""
    if not response.get("patch"):
        return None
    if response.get("patchType") != "JSONPatch":
        raise CallError(f'received invalid webhook response: invalid patch type: "{response.get("patchType", "")}"')
    try:
        operations = read_json(base64.b64decode(response["patch"]))
    except ValueError as error:
        raise CallError(f"received invalid webhook response: {error}") from error
    if not isinstance(operations, list):
        raise CallError("received invalid webhook response: the patch is no list of operations")
    return operations
