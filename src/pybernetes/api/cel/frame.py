"""What an evaluation carries along: its variables, and the work that it may still do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from pybernetes.aio.turns import give_way
from pybernetes.api.cel.errors import CostError, EvaluationError

_STRETCH: Final = 500
"""Costs about a tenth of a turn of the event loop: so often an evaluation asks whether its turn is over."""


class Frame:
    """The variables of one evaluation, and the work that it may still do: `left`, of which something is looked at when it
    falls below `mark`."""

    __slots__ = ("left", "mark", "variables")

    def __init__(self, variables: Mapping[str, object], limit: int) -> None:
        self.variables = dict(variables)
        self.left = limit
        self.mark = max(0, limit - _STRETCH)

    def spend(self, cost: int) -> None:
        """Raises CostError for more than is left. May give way to others.

        Where most of an evaluation passes this stands written out: the call would cost a third of the time.
        """
        self.left -= cost
        if self.left < self.mark:
            self.pass_mark()

    def pass_mark(self) -> None:
        """Raises CostError if nothing is left; else the next mark is set, and others may have their turn."""
        if self.left < 0:
            raise CostError
        self.mark = max(0, self.left - _STRETCH)
        give_way()


Step: TypeAlias = Callable[[Frame], Any]
"""A compiled part of an expression."""


class Lazy:
    """A variable that is worked out when it is first asked for."""

    __slots__ = ("_compute", "_error", "_value")

    def __init__(self, compute: Callable[[], object]) -> None:
        self._compute: Callable[[], object] | None = compute
        self._value: object = None
        self._error: EvaluationError | None = None

    def get(self) -> object:
        if self._compute is not None:
            compute, self._compute = self._compute, None
            try:
                self._value = compute()
            except EvaluationError as error:
                self._error = error
        if self._error is not None:
            raise self._error
        return self._value


class LazyMap(dict[str, object]):
    """A map of such variables."""

    def get(self, key: str, default: object = None) -> object:
        found = super().get(key, default)
        return found.get() if isinstance(found, Lazy) else found


def truth(value: object) -> bool:
    """The value of a condition. Raises EvaluationError for one that is no bool."""
    if isinstance(value, bool):
        return value
    raise EvaluationError("no such overload")


class ListKey(list[object]):
    """A list as a key of a map, which upstream lets be written down: nothing finds it again."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]


def hashable(key: object) -> object:
    """A key of a map. Raises EvaluationError for what cannot be one."""
    if isinstance(key, str | int | None):
        return key
    if isinstance(key, float):
        return int(key) if key.is_integer() else key
    if isinstance(key, list):
        return ListKey(key)
    raise EvaluationError("unsupported key type")
