"""What an expression may name, and expressions that are ready to be evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from msgspec import Struct

from pybernetes.aio.turns import give_way
from pybernetes.api.cel.ast import Node, uses
from pybernetes.api.cel.checker import check
from pybernetes.api.cel.cost import Range, estimate
from pybernetes.api.cel.errors import CompileError, EvaluationError, InstantiationError, Issue
from pybernetes.api.cel.frame import Frame, Step
from pybernetes.api.cel.functions import Functions, Overload, merged
from pybernetes.api.cel.parser import MAX_DEPTH, parse
from pybernetes.api.cel.program import compile_node
from pybernetes.api.cel.types import DYN, FREE, Type

CALL_LIMIT: Final = 10_000_000
"""What one evaluation may cost (upstream's PerCallLimit is 1,000,000 for admission; its rules of resources share this)."""


class Program(Struct, frozen=True):
    """A compiled expression. `type` is that of its value, `cost` what an evaluation costs at least and at most."""

    source: str
    type: Type
    cost: Range
    _node: Node
    _step: Step

    def uses(self, variable: str) -> bool:
        return uses(self._node, variable)

    def evaluate(self, variables: Mapping[str, object], limit: int = CALL_LIMIT) -> object:
        """The value. Raises EvaluationError, also for too much work."""
        return self.run(variables, limit)[0]

    def run(self, variables: Mapping[str, object], limit: int = CALL_LIMIT) -> tuple[object, int]:
        """The value, and what is left of the limit."""
        frame = Frame(variables, limit)
        try:
            return self._step(frame), frame.left
        except RecursionError as error:
            raise EvaluationError("expression recursion limit exceeded") from error
        except (TypeError, AttributeError) as error:
            # A dynamic value was of another type inside than its signature tells.
            raise EvaluationError("no such overload") from error


class Environment(Struct, frozen=True):
    """Declared variables with their types; functions are Kubernetes' libraries and `more`. `binds`: with `cel.bind`."""

    variables: Mapping[str, Type]
    more: tuple[Functions, ...] = ()
    binds: bool = False

    def compile(self, source: str) -> Program:
        """Raises CompileError, also for a constant part that has no value (InstantiationError)."""
        give_way()
        try:
            node = parse(source, binds=self.binds)
            checked, issues = check(node, self.variables, self._functions())
            if issues:
                raise CompileError(source, issues)
            type_ = DYN if checked.types[node] == FREE else checked.types[node]
            try:
                step = compile_node(node, checked)
            except EvaluationError as error:
                raise InstantiationError(error, type_) from error
            return Program(source, type_, estimate(node, checked), node, step)
        except RecursionError as error:
            raise CompileError(source, [Issue(0, f"expression recursion limit exceeded: {MAX_DEPTH}")]) from error

    def _functions(self) -> Functions:
        return merged([standard_functions(), *self.more]) if self.more else standard_functions()


@cache
def standard_functions() -> Mapping[str, Sequence[Overload]]:
    """The libraries of Kubernetes' base environment."""
    from pybernetes.api.cel.library import (
        addresses,
        authorizer,
        conversions,
        kubernetes,
        lists,
        optionals,
        regex,
        standard,
        strings,
    )

    return merged(
        [
            standard.FUNCTIONS,
            conversions.FUNCTIONS,
            strings.FUNCTIONS,
            regex.FUNCTIONS,
            lists.FUNCTIONS,
            optionals.FUNCTIONS,
            kubernetes.URLS,
            kubernetes.QUANTITIES,
            kubernetes.VERSIONS,
            kubernetes.FORMATS,
            addresses.FUNCTIONS,
            authorizer.FUNCTIONS,
        ]
    )
