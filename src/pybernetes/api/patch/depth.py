"""Trees that are nested more deeply than the interpreter can follow are the sender's fault, not the server's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from pybernetes.api import errors

P = ParamSpec("P")
R = TypeVar("R")
CONTAINERS: Final = (dict, list)
"""What nests; asked by class, which is faster than isinstance."""


def refuses_depth(function: Callable[P, R]) -> Callable[P, R]:
    """The function, raising `StatusError` 400 where its recursion would come to an end."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except RecursionError:
            raise errors.bad_request("exceeded max depth") from None

    return guarded
