"""A cache of what is known of texts that clients make up: no client can fill the memory with long ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, ParamSpec, TypeVar, cast

LONGEST: Final = 512
"""Characters; longer texts are looked at anew each time."""

P = ParamSpec("P")
R = TypeVar("R")


class _LongError(Exception):
    """What is raised is not kept."""


def short_cache(maxsize: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """As `lru_cache`, but for calls in which an argument is a text of more than `LONGEST` characters."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @lru_cache(maxsize)
        def cached(*args: P.args, **kwargs: P.kwargs) -> R:
            """Only of what is not known yet is the length looked at: what is known is short."""
            for argument in (*args, *kwargs.values()):
                if argument.__class__ is str and len(argument) > LONGEST:
                    raise _LongError
            return function(*args, **kwargs)

        find = cast("Callable[P, R]", cached)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return find(*args, **kwargs)
            except _LongError:
                return function(*args, **kwargs)

        return call

    return decorate
