"""MutatingAdmissionPolicy: changes that a policy makes to objects, as a merge or as a JSON patch (KEP-3962)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from pybernetes.api.cel.admission import Mutation, PolicyExpressions, compile_mutations
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.errors import StatusError
from pybernetes.api.patch.json_patch import JSONPatchError, JSONPatchTestError, json_patch
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.faces import Face
from pybernetes.apiserver.stages.admit.dynamic.made import Maker
from pybernetes.apiserver.stages.admit.dynamic.policies import (  # fmt: skip
    Binding,
    ConfigurationError,
    Evaluation,
    Policies,
    Programs,
)
from pybernetes.apiserver.stages.admit.plugin import refuse

_AGAIN: Final = "IfNeeded"


class Compiled(Struct, frozen=True):
    """A policy's expressions."""

    expressions: PolicyExpressions
    mutations: tuple[Mutation, ...]


def compile_policy(spec: Mapping[str, Any]) -> Compiled:
    """Never fails: what is wrong with an expression is told when it is evaluated."""
    expressions = PolicyExpressions.of(spec)
    return Compiled(expressions, tuple(compile_mutations(spec, expressions.environment)))


class PolicyMutator:
    """Policies that ask for it are applied once more when others have changed the object behind them."""

    def __init__(self, policies: Policies, maker: Maker) -> None:
        self._policies = policies
        self._programs = Programs(compile_policy)
        self._maker = maker

    async def __call__(self, attributes: Attributes) -> None:
        if attributes.object is None:
            return
        seen: list[tuple[Binding, Tree]] = []
        for bound in self._policies.bound(attributes):
            await self._apply(bound, attributes)
            seen.append((bound, copy.deepcopy(attributes.object)))
        for bound, known in seen[:-1]:
            if bound.policy["spec"].get("reinvocationPolicy") == _AGAIN and known != attributes.object:
                await self._apply(bound, attributes)
        self._programs.keep(self._policies.all())

    async def _apply(self, bound: Binding, attributes: Attributes) -> None:
        compiled = self._programs.of(bound.policy)
        try:
            parameters = await self._policies.parameters(bound, attributes)
            face = await self._policies.matching.versions.face(attributes, bound.resource)
            for parameter in parameters:
                evaluation = self._policies.evaluation(compiled.expressions, parameter, face)
                if not evaluation.is_meant():
                    continue
                for mutation in compiled.mutations:
                    await self._mutate(mutation, evaluation, face)
        except (ConfigurationError, EvaluationError, StatusError) as error:
            if bound.fails:
                raise _refusal(bound, attributes, str(error)) from error

    async def _mutate(self, mutation: Mutation, evaluation: Evaluation, face: Face) -> None:
        try:
            value = evaluation.value(mutation.expression)
        except EvaluationError as error:
            source = mutation.expression.source
            raise EvaluationError(f"expression '{source}' resulted in error: {error}") from error
        before = face.object
        if mutation.is_patch:
            if not isinstance(value, list):
                raise EvaluationError("must evaluate to list of JSONPatch")
            try:
                made = json_patch(before, [dict(each) for each in value])
            except StatusError as error:
                if isinstance(error.__cause__, JSONPatchTestError):
                    return  # a test that does not hold says that the patch is not for this object
                if isinstance(error.__cause__, JSONPatchError):
                    raise EvaluationError(f"JSON Patch: {error.__cause__}") from error
                raise
        else:
            if not isinstance(value, dict):
                raise EvaluationError("must evaluate to Object")
            made = self._maker.merged(face, before or {}, value)
        await self._maker.replace(face, made)
        evaluation.see(face.object)


def _refusal(bound: Binding, attributes: Attributes, cause: str) -> StatusError:
    """A 403 whose reason is Invalid, as upstream has it."""
    words = f"policy '{bound.policy_name}' with binding '{bound.name}' denied request: {cause}"
    refusal = refuse(attributes, words)
    details = {**(refusal.details or {}), "causes": [{"message": words}]}
    return StatusError(refusal.code, "Invalid", words, details)
