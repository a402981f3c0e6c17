"""Container events (KEP-3386), to every reader that keeps up."""

import asyncio
from collections.abc import AsyncIterator

from pybernetes.cri import types as t

_BACKLOG = 1024


class Events:
    """A broadcast. A reader that falls behind by 1024 events is ended, and lists again."""

    def __init__(self) -> None:
        self._readers: set[asyncio.Queue[t.ContainerEventResponse | None]] = set()

    def publish(self, event: t.ContainerEventResponse) -> None:
        for queue in list(self._readers):
            if queue.full():
                self._end(queue)
            else:
                queue.put_nowait(event)

    def _end(self, queue: asyncio.Queue[t.ContainerEventResponse | None]) -> None:
        self._readers.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)

    async def read(self) -> AsyncIterator[t.ContainerEventResponse]:
        """Every event from now on."""
        queue: asyncio.Queue[t.ContainerEventResponse | None] = asyncio.Queue(_BACKLOG)
        self._readers.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._readers.discard(queue)
