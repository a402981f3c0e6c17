"""One pull for all who want the same image at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from msgspec import Struct, field

from pybernetes.aio.tasks import Scope
from pybernetes.cri.service import PullProgress

Progress = Callable[[PullProgress], None]
Work = Callable[[Progress], Coroutine[Any, Any, str]]


class _Flight(Struct, eq=False):
    """Work under way: who wants to hear of its progress, how many wait for its result."""

    result: asyncio.Future[str]
    task: asyncio.Task[None] | None = None
    listeners: list[Progress] = field(default_factory=list)
    waiting: int = 0

    def report(self, progress: PullProgress) -> None:
        for listener in list(self.listeners):
            listener(progress)


class Flights:
    """Work by key, in tasks of the given scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._flights: dict[Hashable, _Flight] = {}

    async def join(self, key: Hashable, work: Work, progress: Progress | None = None) -> str:
        """The result of `work`, which runs once for all who ask for the key meanwhile.

        It is cancelled when the last of them is. Its error is raised to each.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.get_running_loop().create_future())
            flight.task = self._scope.spawn(self._run(key, flight, work), "pull")
        if progress:
            flight.listeners.append(progress)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.result)
        finally:
            flight.waiting -= 1
            if progress:
                flight.listeners.remove(progress)
            if not flight.waiting and flight.task and not flight.result.done():
                self._forget(key, flight)
                flight.task.cancel()

    async def _run(self, key: Hashable, flight: _Flight, work: Work) -> None:
        try:
            result = await work(flight.report)
        except Exception as error:
            if flight.waiting:
                flight.result.set_exception(error)
        else:
            flight.result.set_result(result)
        finally:
            self._forget(key, flight)
            flight.result.cancel()

    def _forget(self, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
