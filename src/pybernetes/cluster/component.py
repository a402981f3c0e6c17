"""What the supervisor is to keep running, and what it knows of each process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pybernetes.aio.backoff import Backoff
from pybernetes.cluster.listening import Listener

END_PODS = signal.SIGUSR1
"""Tells an agent to end its pods gracefully and then itself."""


@dataclass(frozen=True, slots=True)
class Component:
    """A process to keep running. `main` runs in the fork and returns when told to end by SIGTERM.

    `module` is imported before the fork, so that components share its memory and start again at once.
    One that `listens` is started by the first connection and may end (with code 0) when it is idle: the supervisor
    holds its sockets, so that no connection is refused or lost whether it runs or not.
    One that `reloads` takes SIGHUP for the word that components came or went.
    """

    name: str
    main: Callable[[], None]
    module: str = ""
    ends_pods: bool = False
    listens: tuple[Listener, ...] = ()
    reloads: bool = False


class Upkeep(Protocol):
    """What has to be done now and then while the components run."""

    def due(self) -> float:
        """When it is due next, in Unix seconds."""
        ...

    def run(self) -> None:
        """Called in a fork when it is due, and when the clock was set. Raises what it likes: it is tried again."""
        ...


@dataclass(slots=True)
class Child:
    """What the supervisor knows of a component's process; pid 0 while it waits for its next start.

    `start_at` is infinite while only a connection will start it, at `rested` or later.
    """

    component: Component
    pid: int = 0
    restarts: int = -1
    started: float = 0.0
    start_at: float = 0.0
    rested: float = 0.0
    watched: bool = False
    backoff: Backoff = field(default_factory=lambda: Backoff(initial=0.05, limit=10.0))

    def describe(self) -> dict[str, Any]:
        """As `p8s status` tells it; the uptime in seconds."""
        uptime = round(time.monotonic() - self.started, 1) if self.pid else 0
        listens = {"listens": [str(held) for held in self.component.listens if held.bound]}
        return {
            "name": self.component.name,
            "pid": self.pid,
            "restarts": max(0, self.restarts),
            "uptime": uptime,
            **(listens if self.component.listens else {}),
        }
