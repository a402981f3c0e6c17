"""What every controller is given: the client, the shared informers, time, and a voice for events."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Iterable
from datetime import datetime
from typing import Any, Protocol, TypeVar

from msgspec import Struct, field

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.api import errors
from pybernetes.api.time import format_time
from pybernetes.client.cache import Key
from pybernetes.client.codec import HasMetadata
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.rest import Client
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.controllers.metrics import ControllerMetrics
from pybernetes.controllers.options import Options

log = logging.getLogger(__name__)

T = TypeVar("T", bound=HasMetadata)


class Runnable(Protocol):
    """A controller: made with a Context (which makes its informers), then run until cancelled."""

    async def run(self) -> None: ...


class Context(Struct, frozen=True):
    """Shared by all controllers of a process."""

    client: Client
    informers: Informers
    options: Options
    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=random.Random)
    metrics: ControllerMetrics = field(default_factory=ControllerMetrics)

    def recorder(self, component: str) -> EventRecorder:
        """A voice in the name of one controller ("deployment-controller")."""
        return EventRecorder(self.client, component, clock=self.clock, rng=self.rng)

    def now(self) -> str:
        """The time as it is written on objects."""
        return format_time(self.clock.now())

    def seconds_since(self, moment: datetime) -> float:
        """Seconds from a moment on an object until now; never negative for a clock that runs behind."""
        return max(0.0, (self.clock.now() - moment).total_seconds())


class KeyedController:
    """A controller around one queue of (namespace, name): subclasses subscribe, and reconcile one key at a time."""

    name = ""
    workers = 5

    def __init__(self, context: Context) -> None:
        self.context = context
        self.client = context.client
        self.queue: WorkQueue[Key] = WorkQueue(context.clock)

    async def reconcile(self, key: Key) -> float | None:
        """Bring one object nearer to its spec; a number asks to be called again after so many seconds."""
        raise TypeError(f"{type(self).__name__} does not reconcile")

    async def run(self) -> None:
        """Returns only when cancelled."""
        await run_workers(self.queue, self.reconcile, workers=self.workers, name=self.name)

    def enqueue(self, obj: HasMetadata) -> None:
        self.queue.add(key_of(obj))

    def enqueue_change(self, old: HasMetadata | None, new: HasMetadata | None) -> None:
        """A handler for the informer of the controller's own kind."""
        if (obj := new or old) is not None:
            self.queue.add(key_of(obj))


def key_of(obj: HasMetadata) -> Key:
    return (obj.metadata.namespace or "", obj.metadata.name or "")


async def do_all(calls: Iterable[Awaitable[Any]]) -> None:
    """Await each, one after the other; what one raises (StatusError) is raised when all have had their turn."""
    failed: errors.StatusError | None = None
    for call in calls:
        try:
            await call
        except errors.StatusError as error:
            failed = failed or error
    if failed is not None:
        raise failed


async def ignore_not_found(call: Awaitable[Any]) -> bool:
    """Await a deletion or a patch; False if the object is gone already."""
    try:
        await call
    except errors.StatusError as error:
        if errors.is_not_found(error):
            return False
        raise
    return True
