"""MutatingAdmissionPolicy: changes that a policy makes to objects, as a merge or as a JSON patch (KEP-3962)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from pybernetes.api.cel.admission import Mutation, PolicyExpressions, compile_mutations
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.errors import StatusError
from pybernetes.api.patch.json_patch import JSONPatchError, JSONPatchTestError, patched
from pybernetes.api.schema import Json
from pybernetes.api.tree import Tree, copied
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.evaluation import Evaluation
from pybernetes.apiserver.stages.admit.dynamic.faces import Face
from pybernetes.apiserver.stages.admit.dynamic.made import Maker
from pybernetes.apiserver.stages.admit.dynamic.mutations import configuration_of, operations_of
from pybernetes.apiserver.stages.admit.dynamic.policies import (  # fmt: skip
    Binding,
    ConfigurationError,
    Policies,
    Programs,
)
from pybernetes.apiserver.stages.admit.dynamic.rounds import Invoked
from pybernetes.apiserver.stages.admit.plugin import refuse

_NAME: Final = "MutatingAdmissionPolicy"


class Compiled(Struct, frozen=True):
    """A policy's expressions."""

    expressions: PolicyExpressions
    mutations: tuple[Mutation, ...]


class Failure(Struct, frozen=True):
    """Why a policy could not be applied; `reason` is empty for one that is configured wrong."""

    bound: Binding
    cause: str
    reason: str = ""

    @property
    def words(self) -> str:
        policy = self.bound.policy_name
        if self.bound.binding is None:
            return f'policy "{policy}" denied request: {self.cause}'
        return f"policy '{policy}' with binding '{self.bound.name}' denied request: {self.cause}"


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
        failures: list[Failure] = []
        met = await self._met(attributes, failures)
        if met:
            invoked = Invoked.of(attributes, _NAME)
            applied = False
            for bound, parameter in met:
                applied |= await self._apply(bound, parameter, attributes, invoked, failures)
            if applied:
                invoked.change()  # also those that changed nothing, and the last ones
            invoked.end()
        self._programs.keep(self._policies.all())
        counted = [failure for failure in failures if failure.bound.fails]
        if counted:
            raise _refusal(attributes, counted)

    async def _met(self, attributes: Attributes, failures: list[Failure]) -> list[tuple[Binding, Tree | None]]:
        """Bindings with their parameters: who is asked does not depend on what others change."""
        met: list[tuple[Binding, Tree | None]] = []
        for bound in self._policies.bound(attributes):
            if bound.error:
                failures.append(Failure(bound, bound.error))
                continue
            try:
                met += [(bound, parameter) for parameter in await self._policies.parameters(bound, attributes)]
            except (ConfigurationError, StatusError) as error:
                failures.append(Failure(bound, str(error)))
        return met

    async def _apply(
        self,
        bound: Binding,
        parameter: Tree | None,
        attributes: Attributes,
        invoked: Invoked,
        failures: list[Failure],
    ) -> bool:
        """Whether any of the policy's mutations was applied. Raises StatusError, which no failure policy ignores."""
        compiled = self._programs.of(bound.policy)
        face = await self._policies.matching.versions.face(attributes, bound.resource)
        evaluation = self._policies.evaluation(compiled.expressions, parameter, face)
        try:
            if not evaluation.hold(compiled.expressions.conditions.values()):
                return False
        except EvaluationError as error:
            failures.append(Failure(bound, str(error), "Invalid"))
            return False
        key = bound.policy_name, bound.name, _name(parameter)
        if invoked.skips(key):
            return False
        before, applied = copied(attributes.object), False
        for mutation in compiled.mutations:
            evaluation.begin()
            try:
                made = self._made(mutation, evaluation, face)
            except EvaluationError as error:
                failures.append(Failure(bound, str(error), "Invalid"))
                continue
            await self._maker.replace(face, made, strict=mutation.is_patch)
            evaluation.see(face.object)
            applied = True
        changed = before != attributes.object
        invoked.called(key, bound.policy["spec"].get("reinvocationPolicy", ""), changed=changed)
        return applied

    def _made(self, mutation: Mutation, evaluation: Evaluation, face: Face) -> Json:
        """What a mutation makes of the object. Raises EvaluationError."""
        value = evaluation.value(mutation.expression)
        if not mutation.is_patch:
            config = configuration_of(value, self._maker.schema(face), *face.kind)
            return self._maker.merged(face, face.object or {}, config)
        try:
            return patched(face.object, operations_of(value))
        except JSONPatchTestError:
            return face.object  # a test that does not hold says that the patch is not for this object
        except JSONPatchError as error:
            raise EvaluationError(f"JSON Patch: {error}") from error


def _name(parameter: Tree | None) -> tuple[str, str]:
    metadata = (parameter or {}).get("metadata") or {}
    return metadata.get("namespace", ""), metadata.get("name", "")


def _refusal(attributes: Attributes, failures: list[Failure]) -> StatusError:
    """A 403 in the words of the first failure, with the causes of all."""
    refusal = refuse(attributes, failures[0].words)
    details = {**(refusal.details or {}), "causes": [{"message": failure.words} for failure in failures]}
    return StatusError(refusal.code, failures[0].reason or refusal.reason, failures[0].words, details)
