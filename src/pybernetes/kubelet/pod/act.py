"""The one act that a pod has under way, beside the loop that goes on looking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct

from pybernetes.aio.tasks import Scope
from pybernetes.api.errors import StatusError
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.dra.errors import ClaimError


class _Running(Struct):
    task: asyncio.Task[None]
    grace: int | None
    """Seconds that an ending act gives; None for an act that starts something."""


class Act:
    """Begins and breaks off acts. `done` is called after one that went well, `failed` with the errors of one that did not."""

    def __init__(self, done: Callable[[], None], failed: Callable[[BaseExceptionGroup[Exception]], None]) -> None:
        self._done, self._failed = done, failed
        self._running: _Running | None = None

    @property
    def is_running(self) -> bool:
        return self._running is not None

    @property
    def starts(self) -> bool:
        """Whether one runs that does not end the pod."""
        return self._running is not None and self._running.grace is None

    @property
    def grace(self) -> int | None:
        """Seconds that the ending act gives which is under way; None if there is none."""
        return self._running.grace if self._running is not None else None

    def begin(self, scope: Scope, act: Callable[[], Awaitable[None]], grace: int | None = None) -> None:
        """None may be under way. Errors of the runtime, the system, the API and drivers are `failed`'s."""

        async def guarded() -> None:
            try:
                await act()
            except* (CRIError, ClaimError, OSError, StatusError) as group:
                self._failed(group)
            else:
                self._done()
            finally:
                self._running = None

        self._running = _Running(scope.spawn(guarded(), "act"), grace)

    async def break_off(self) -> None:
        """End the act under way, whatever it does."""
        if self._running is not None:
            task = self._running.task
            task.cancel()
            await asyncio.wait((task,))
            self._running = None
