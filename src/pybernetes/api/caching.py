"""A cache of what is known of texts that clients make up: no client can fill the memory with long ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, ParamSpec, TypeVar, cast

LONGEST: Final = 512
"""Characters; longer texts are looked at anew each time."""

P = ParamSpec("P")
R = TypeVar("R")


def short_cache(maxsize: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """As `lru_cache`, but for calls in which an argument is a text of more than `LONGEST` characters."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        cached = cast("Callable[P, R]", lru_cache(maxsize)(function))

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for argument in args:
                if argument.__class__ is str and len(argument) > LONGEST:
                    return function(*args, **kwargs)
            for argument in kwargs.values() if kwargs else ():
                if argument.__class__ is str and len(argument) > LONGEST:
                    return function(*args, **kwargs)
            return cached(*args, **kwargs)

        return call

    return decorate
