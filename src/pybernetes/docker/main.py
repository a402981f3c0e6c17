"""Docker's API as a component that is started by its first connection and ends when it is idle."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.idle import Idle
from pybernetes.aio.web import serve_until_idle
from pybernetes.cri.door import open_door
from pybernetes.docker.app import make_app
from pybernetes.docker.service import Service
from pybernetes.runtime.snapshots import files

IDLE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Options:
    """`runtimes` gives the sockets of the cluster's runtimes as of now, the one to ask about images first. See `Service`."""

    runtimes: Callable[[], Sequence[Path]]
    scratch: Path
    root: Path
    cluster: str
    insecure: Sequence[str] = ()
    idle_seconds: float = IDLE_SECONDS


async def run(options: Options, sockets: Sequence[socket.socket]) -> None:
    """Serve until cancelled or idle. Build contexts that a kill has left are swept first."""
    if options.scratch.exists():
        await asyncio.to_thread(files.sweep_tree, options.scratch)
    clock = SystemClock()
    idle = Idle(options.idle_seconds, clock)
    async with open_door(options.runtimes) as door:
        service = Service(door, options.scratch, options.root, options.cluster, clock.now, options.insecure)
        await serve_until_idle(make_app(service, idle), sockets, idle, ends_with_client=True)
