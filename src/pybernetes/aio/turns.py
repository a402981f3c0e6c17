"""Long work on the event loop that stops in its midst, so that others have their turn.

Python cannot suspend a function that awaits nothing. What runs in `Turns` has a stack of its own (a greenlet), which can
be left anywhere: the work is no other code than work that is short, stays in the loop's thread, and so shares what the
loop's other work has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from time import perf_counter
from types import coroutine
from typing import Any, Final, TypeVar

from greenlet import getcurrent, greenlet

R = TypeVar("R")

TURN_SECONDS: Final = 0.002
"""So long others wait for one's turn: many times what it costs to leave and to come back."""

_PAUSED: Final = object()
_ENDED: Final = object()


class _Stack(greenlet):
    """Runs one step of a coroutine after the other: making a stack costs thirty times what changing to it does."""

    __slots__ = ("began", "result")
    began: float
    result: Any
    """What a coroutine has returned."""

    def run(self, step: Callable[[Any], Any], value: Any) -> None:
        while True:
            self.began = perf_counter()
            try:
                told = step(value)
            except StopIteration as end:
                self.result, told = end.value, _ENDED
            step, value = self.leave(told)

    def enter(self, *told: object) -> Any:
        """Go on where this stack was left, until it is left again: to who has entered it last, on whatever stack."""
        self.parent = getcurrent()
        return self.switch(*told)

    def enter_with(self, error: BaseException) -> Any:
        """The same; what this stack was left in raises the error."""
        self.parent = getcurrent()
        return self.throw(error)

    def leave(self, told: object) -> Any:
        """Go back to where this stack was entered; what is told when it is entered again."""
        assert self.parent is not None
        return self.parent.switch(told)


def give_way() -> None:
    """To be called time and again within long work: whoever has had their turn waits until others had theirs.

    Elsewhere than in `Turns` it does nothing. Whatever may change during an `await` may change meanwhile.
    """
    stack = getcurrent()
    if type(stack) is _Stack and perf_counter() - stack.began > TURN_SECONDS:
        stack.leave(_PAUSED)
        stack.began = perf_counter()


class Turns:
    """Of one event loop. However many have paused, one goes on at each turn of the loop."""

    def __init__(self) -> None:
        self._idle: list[_Stack] = []
        self._queue = asyncio.Lock()

    @coroutine
    def run(self, work: Coroutine[Any, Any, R]) -> Generator[Any, Any, R]:
        """What a coroutine returns; within it, `give_way` pauses. Cancelled while it pauses, it ends there."""
        step: Callable[[Any], Any] = work.send
        value: Any = None
        while True:
            stack = self._idle.pop() if self._idle else _Stack()
            told = stack.enter(step, value)  # one that raises is not used again
            while told is _PAUSED:
                try:
                    yield from self._others().__await__()
                except BaseException as error:
                    told = stack.enter_with(error)
                else:
                    told = stack.enter()
            self._idle.append(stack)
            if told is _ENDED:
                result: R = stack.result
                stack.result = None  # one that is idle keeps no answer in memory
                return result
            try:
                step, value = work.send, (yield told)
            except BaseException as error:
                step, value = work.throw, error

    async def _others(self) -> None:
        """Until others had their turn."""
        async with self._queue:
            await asyncio.sleep(0)
