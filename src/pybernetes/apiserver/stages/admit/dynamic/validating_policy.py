"""ValidatingAdmissionPolicy: what its validations say of a request, by the actions of its bindings (KEP-3488)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
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
from pybernetes.apiserver.stages.admit.dynamic.annotations import annotate, annotate_json
from pybernetes.apiserver.stages.admit.dynamic.evaluation import Evaluation, OutOfBudgetError
from pybernetes.apiserver.stages.admit.dynamic.policies import (  # fmt: skip
    Binding,
    ConfigurationError,
    Policies,
    Programs,
)
from pybernetes.apiserver.stages.admit.metrics import AdmissionMetrics
from pybernetes.apiserver.stages.admit.plugin import object_name

_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
_MAX_AUDIT_VALUE: Final = 10 * 1024
_MAX_MESSAGE: Final = 5 * 1024
"""Bytes of what a message expression comes to."""


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
        by = f" with binding '{self.bound.name}'" if self.bound.binding is not None else ""
        return f"ValidatingAdmissionPolicy '{self.bound.policy_name}'{by} denied request: {self.message}"


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
        for _, group in groupby(self._policies.bound(attributes), key=lambda bound: bound.policy_name):
            annotations: dict[str, list[str]] = {}
            for bound in group:
                denials += await self._apply(bound, attributes, annotations)
                name = bound.policy_name
            for key, texts in annotations.items():
                annotate(attributes, f"{name}/{key}", ", ".join(texts))
        self._programs.keep(self._policies.all())
        if denials:
            raise _refusal(attributes, denials[0])

    async def _apply(self, bound: Binding, attributes: Attributes, annotations: dict[str, list[str]]) -> list[Denial]:
        """What is against the request, once the binding's other actions were taken."""
        if bound.error:
            return [Denial(bound, bound.error)] if bound.fails else []
        actions = bound.spec.get("validationActions") or ()
        began = perf_counter()
        compiled = self._programs.of(bound.policy)
        try:
            evaluations = await self._evaluations(bound, compiled, attributes)
        except (ConfigurationError, StatusError) as error:
            return [Denial(bound, str(error))] if bound.fails else []
        denials: list[Denial] = []
        for evaluation in evaluations:
            started = perf_counter()
            found, unannotated = _evaluate(bound, compiled, evaluation, annotations)
            self._metrics.evaluations.observe(perf_counter() - started)
            self._count(bound, actions, found, perf_counter() - began)
            denials += [*(found if "Deny" in actions else ()), *unannotated]
            if "Warn" in actions:
                for denial in found:
                    attributes.ctx.warn(_warning(denial))
            if "Audit" in actions:
                _audit(attributes, found)
        return denials

    async def _evaluations(self, bound: Binding, compiled: Compiled, attributes: Attributes) -> list[Evaluation]:
        """One for each parameter. Raises ConfigurationError, StatusError."""
        parameters = await self._policies.parameters(bound, attributes)
        face = await self._policies.matching.versions.face(attributes, bound.resource)
        return [self._policies.evaluation(compiled.expressions, parameter, face) for parameter in parameters]

    def _count(self, bound: Binding, actions: Sequence[str], found: list[Denial], seconds: float) -> None:
        """Each denial by what it leads to; all that were allowed together."""
        policy, binding = bound.policy_name, bound.name
        if not found:
            self._metrics.checked(policy, binding, "allow", seconds)
        for _ in found:
            for action in actions:
                self._metrics.checked(policy, binding, action.lower(), seconds)


def _evaluate(
    bound: Binding, compiled: Compiled, evaluation: Evaluation, annotations: dict[str, list[str]]
) -> tuple[list[Denial], list[Denial]]:
    """What is against a request by the validations, and by annotations that have no value."""
    try:
        if not evaluation.hold(compiled.expressions.conditions.values()):
            return [], []
        found = list(_denials(bound, compiled, evaluation))
    except EvaluationError as error:
        return [Denial(bound, str(error))] if bound.fails else [], []
    return found, list(_annotate(bound, compiled, evaluation, annotations))


def _denials(bound: Binding, compiled: Compiled, evaluation: Evaluation) -> Iterator[Denial]:
    """Raises OutOfBudgetError: nothing that was found until then counts."""
    for index, validation in enumerate(compiled.validations):
        try:
            if evaluation.value(validation.condition) is not True:
                yield Denial(bound, _message(validation, evaluation), validation.reason, index)
        except OutOfBudgetError:
            raise
        except EvaluationError as error:
            if bound.fails:
                yield Denial(bound, str(error), index=index)


def _message(validation: Validation, evaluation: Evaluation) -> str:
    if validation.message_expression is not None:
        try:
            text = evaluation.value(validation.message_expression)
        except OutOfBudgetError as error:
            return f"failed messageExpression: {error}"
        except EvaluationError:
            text = ""
        text = text.strip() if isinstance(text, str) else ""
        if text and "\n" not in text and len(text.encode()) <= _MAX_MESSAGE:
            return text
    return validation.message or f"failed expression: {validation.condition.source.strip()}"


def _annotate(
    bound: Binding, compiled: Compiled, evaluation: Evaluation, found: dict[str, list[str]]
) -> Iterator[Denial]:
    """Add to what bindings annotate; an error denies, whatever the binding's actions are."""
    evaluation.begin()
    evaluation.without("authorizer", "authorizer.requestResource")
    for key, expression in compiled.annotations.items():
        try:
            value = evaluation.value(expression)
        except EvaluationError as error:
            if bound.fails:
                yield Denial(bound, str(error))
            continue
        text = value.strip() if isinstance(value, str) else ""
        if text and (text := text[:_MAX_AUDIT_VALUE]) not in found.setdefault(key, []):
            found[key].append(text)


def _warning(denial: Denial) -> str:
    return (
        f"Validation failed for ValidatingAdmissionPolicy '{denial.bound.policy_name}' with binding "
        f"'{denial.bound.name}': {denial.message}"
    )


def _audit(attributes: Attributes, denials: list[Denial]) -> None:
    """One failure is told: annotations are not changed."""
    for denial in denials:
        failure = {
            "message": denial.message,
            "policy": denial.bound.policy_name,
            "binding": denial.bound.name,
            "expressionIndex": denial.index,
            "validationActions": denial.bound.spec["validationActions"],
        }
        annotate_json(attributes, "validation.policy.admission.k8s.io/validation_failure", [failure])


def _refusal(attributes: Attributes, denial: Denial) -> StatusError:
    """Upstream tells the first denial only."""
    resource = attributes.resource
    refusal = errors.forbidden(resource.group, resource.plural, object_name(attributes), denial.words)
    details: Tree = {**(refusal.details or {}), "causes": [{"message": denial.words}]}
    return StatusError(_CODES[denial.reason], denial.reason, refusal.message, details)
