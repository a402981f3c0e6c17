"""Expressions of policies and match conditions, evaluated with the values of one request within their budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from pybernetes.api.cel.admission import CALL_LIMIT, Expression
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.frame import Lazy, LazyMap
from pybernetes.api.tree import Tree

BUDGET: Final = 10_000_000
"""What the expressions of one part of a policy may cost together."""
CONDITIONS_BUDGET: Final = 2_500_000


class OutOfBudgetError(EvaluationError):
    """Whatever else was to be evaluated is not."""

    def __init__(self) -> None:
        super().__init__("validation failed due to running out of cost budget, no further validation rules will be run")


class Evaluation:
    """Variables are worked out once, when they are first named."""

    def __init__(self, values: dict[str, object], variables: Mapping[str, Expression] = MappingProxyType({})) -> None:
        self._left = BUDGET
        self._values = values
        if variables:
            named = LazyMap()
            for name, expression in variables.items():
                named[name] = Lazy(partial(self._variable, name, expression))
            values["variables"] = named

    def begin(self, budget: int = BUDGET) -> None:
        """The next part of a policy, with a budget of its own."""
        self._left = budget

    def value(self, expression: Expression) -> object:
        """Raises EvaluationError in the words in which clients are told, also for what could not be compiled."""
        try:
            return self._run(expression)
        except OutOfBudgetError:
            raise
        except EvaluationError as error:
            if expression.program is None:
                raise
            raise EvaluationError(f"expression '{expression.source}' resulted in error: {error}") from error

    def without(self, *names: str) -> None:
        """From now on these are not known."""
        for name in names:
            self._values.pop(name, None)

    def _variable(self, name: str, expression: Expression) -> object:
        try:
            return self._run(expression)
        except OutOfBudgetError:
            raise
        except EvaluationError as error:
            raise EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from error

    def _run(self, expression: Expression) -> object:
        if expression.program is None:
            raise EvaluationError(f"compilation error: {expression.error}")
        value, left = expression.program.run(self._values, CALL_LIMIT)
        self._left -= CALL_LIMIT - left
        if self._left < 0:
            raise OutOfBudgetError
        return value

    def see(self, new: Tree | None) -> None:
        """From now on `object` is this one."""
        self._values["object"] = new

    def hold(self, conditions: Iterable[Expression]) -> bool:
        """Whether all match conditions hold: one that does not decides, whatever is wrong with others.

        Raises EvaluationError.
        """
        self.begin(CONDITIONS_BUDGET)
        wrong: list[str] = []
        for expression in conditions:
            try:
                if self.value(expression) is False:
                    return False
            except OutOfBudgetError:
                raise
            except EvaluationError as error:
                wrong.append(str(error))
        self.begin()
        if wrong:
            raise EvaluationError(together(wrong))
        return True


def together(messages: Iterable[str]) -> str:
    """Several errors as one, each once."""
    once = list(dict.fromkeys(messages))
    return once[0] if len(once) == 1 else f"[{', '.join(once)}]"
