"""ValidatingAdmissionPolicy: what its validations say of a request, by the actions of its bindings (KEP-3488)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, Final

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.cel.admission import (
    Expression,
    PolicyExpressions,
    Validation,
    compile_annotations,
    compile_validations,
)
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.policies import (  # fmt: skip
    Binding,
    ConfigurationError,
    Evaluation,
    Policies,
    Programs,
)
from pybernetes.apiserver.stages.admit.metrics import AdmissionMetrics
from pybernetes.apiserver.stages.admit.plugin import object_name

_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
_MAX_AUDIT_VALUE: Final = 10 * 1024


class Compiled(Struct, frozen=True):
    """A policy's expressions."""

    expressions: PolicyExpressions
    validations: tuple[Validation, ...]
    annotations: Mapping[str, Expression]


class Denial(Struct, frozen=True):
    """Why a binding is against a request."""

    bound: Binding
    message: str
    reason: str = "Invalid"
    index: int = 0

    @property
    def words(self) -> str:
        return (
            f"ValidatingAdmissionPolicy '{self.bound.policy_name}' with binding '{self.bound.name}' denied request: "
            f"{self.message}"
        )


def compile_policy(spec: Mapping[str, Any]) -> Compiled:
    """Never fails: what is wrong with an expression is told when it is evaluated."""
    expressions = PolicyExpressions.of(spec)
    environment = expressions.environment
    validations = tuple(compile_validations(spec, environment))
    keys = [each["key"] for each in spec.get("auditAnnotations") or ()]
    annotations = dict(zip(keys, compile_annotations(spec, environment), strict=True))
    return Compiled(expressions, validations, annotations)


class PolicyValidator:
    """Asks every policy that a binding applies to the request."""

    def __init__(self, policies: Policies, metrics: AdmissionMetrics) -> None:
        self._policies = policies
        self._metrics = metrics
        self._programs = Programs(self._compile)

    def _compile(self, spec: Mapping[str, Any]) -> Compiled:
        began = perf_counter()
        made = compile_policy(spec)
        self._metrics.compilations.observe(perf_counter() - began)
        return made

    async def __call__(self, attributes: Attributes) -> None:
        denials: list[Denial] = []
        for bound in self._policies.bound(attributes):
            actions = bound.binding["spec"].get("validationActions") or ()
            began = perf_counter()
            found = await self._judge(bound, attributes)
            self._count(bound, actions, found, perf_counter() - began)
            if "Deny" in actions:
                denials += found
            if "Warn" in actions:
                for denial in found:
                    attributes.ctx.warn(_warning(denial))
            if "Audit" in actions and found:
                _audit(attributes, found)
        self._programs.keep(self._policies.all())
        if denials:
            raise _refusal(attributes, denials[0])

    def _count(self, bound: Binding, actions: Sequence[str], found: list[Denial], seconds: float) -> None:
        """Each denial by what it leads to; all that were allowed together."""
        policy, binding = bound.policy_name, bound.name
        if not found:
            self._metrics.checked(policy, binding, "allow", seconds)
        for _ in found:
            for action in actions:
                self._metrics.checked(policy, binding, action.lower(), seconds)

    async def _judge(self, bound: Binding, attributes: Attributes) -> list[Denial]:
        try:
            parameters = await self._policies.parameters(bound, attributes)
            face = await self._policies.matching.versions.face(attributes, bound.resource)
        except (ConfigurationError, StatusError) as error:
            return [Denial(bound, str(error))] if bound.fails else []
        compiled = self._programs.of(bound.policy)
        denials: list[Denial] = []
        for parameter in parameters:
            evaluation = self._policies.evaluation(compiled.expressions, parameter, face)
            began = perf_counter()
            denials += _evaluate(bound, compiled, evaluation, attributes)
            self._metrics.evaluations.observe(perf_counter() - began)
        return denials


def _evaluate(bound: Binding, compiled: Compiled, evaluation: Evaluation, attributes: Attributes) -> Iterator[Denial]:
    try:
        if not evaluation.is_meant():
            return
    except EvaluationError as error:
        if bound.fails:
            yield Denial(bound, str(error))
        return
    for index, validation in enumerate(compiled.validations):
        try:
            if evaluation.value(validation.condition) is not True:
                yield Denial(bound, _message(validation, evaluation), validation.reason, index)
        except EvaluationError as error:
            if bound.fails:
                yield Denial(bound, _failed(validation.condition, error), index=index)
    yield from _annotate(bound, compiled, evaluation, attributes)


def _failed(expression: Expression, error: EvaluationError) -> str:
    return f"expression '{expression.source}' resulted in error: {error}"


def _message(validation: Validation, evaluation: Evaluation) -> str:
    if validation.message_expression is not None:
        try:
            text = evaluation.value(validation.message_expression)
        except EvaluationError:
            text = ""
        if isinstance(text, str) and text.strip() and "\n" not in text.strip():
            return text.strip()
    return validation.message or f"failed expression: {validation.condition.source.strip()}"


def _annotate(bound: Binding, compiled: Compiled, evaluation: Evaluation, attributes: Attributes) -> Iterator[Denial]:
    for key, expression in compiled.annotations.items():
        try:
            value = evaluation.value(expression)
        except EvaluationError as error:
            if bound.fails:
                yield Denial(bound, _failed(expression, error))
            continue
        if isinstance(value, str) and value:
            attributes.ctx.audit[f"{bound.policy_name}/{key}"] = value[:_MAX_AUDIT_VALUE]


def _warning(denial: Denial) -> str:
    return (
        f"Validation failed for ValidatingAdmissionPolicy '{denial.bound.policy_name}' with binding "
        f"'{denial.bound.name}': {denial.message}"
    )


def _audit(attributes: Attributes, denials: list[Denial]) -> None:
    failures = [
        {
            "message": denial.message,
            "policy": denial.bound.policy_name,
            "binding": denial.bound.name,
            "expressionIndex": str(denial.index),
            "validationActions": denial.bound.binding["spec"]["validationActions"],
        }
        for denial in denials
    ]
    attributes.ctx.audit["validation.policy.admission.k8s.io/validation_failure"] = json.dumps(failures)


def _refusal(attributes: Attributes, denial: Denial) -> StatusError:
    """Upstream tells the first denial only."""
    resource = attributes.resource
    refusal = errors.forbidden(resource.group, resource.plural, object_name(attributes), denial.words)
    details: Tree = {**(refusal.details or {}), "causes": [{"message": denial.words}]}
    return StatusError(_CODES[denial.reason], denial.reason, refusal.message, details)
