"""What all clients' connections share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from pybernetes.aio.tasks import Scope
from pybernetes.ingress.decide import Decision, Question
from pybernetes.ingress.server.pool import Pool


class Connection(Protocol):
    """A client's; `closed` is done once it is."""

    closed: asyncio.Future[None]

    def close_if_idle(self) -> None:
        """Let what is under way end."""
        ...

    def close(self) -> None: ...


class Gate:
    """The decisions, the backends, and the connections that are open."""

    def __init__(self, decide: Callable[[Question], Decision], scope: Scope) -> None:
        self.decide, self.scope = decide, scope
        self.pool = Pool()
        self.fronts: set[Connection] = set()
        self.draining = False
        self.secure_port = 443

    async def drain(self, seconds: float) -> None:
        """Let what is under way end, then close everything."""
        self.draining = True
        for front in list(self.fronts):
            front.close_if_idle()
        try:
            async with asyncio.timeout(seconds):
                while self.fronts:
                    await next(iter(self.fronts)).closed
        except TimeoutError:
            for front in list(self.fronts):
                front.close()
        self.pool.close()
