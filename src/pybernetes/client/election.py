"""Leader election over a Lease: one of several processes does the work, another takes over when it falls silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.api import errors
from pybernetes.api.types import coordination_v1, meta_v1
from pybernetes.client.events import EventRecorder
from pybernetes.client.rest import Client
from pybernetes.telemetry.metrics import Computed, Registry

log = logging.getLogger(__name__)

leading: Final[dict[str, bool]] = {}
"""The leases that this process stands for, and whether it holds them."""


def add_election_metrics(metrics: Registry) -> None:
    metrics.add(
        Computed(
            "leader_election_master_status",
            "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master. "
            "'name' is the string used to identify the lease. Please make sure to group by name.",
            ("name",),
            lambda: [((name,), int(holds)) for name, holds in leading.items()],
        )
    )


class Timing(Struct, frozen=True):
    """Seconds: a leader that has not renewed for `lease` may be replaced; one that fails to for `deadline` stops."""

    lease: int = 15
    deadline: float = 10.0
    retry: float = 2.0


class LeadershipLostError(Exception):
    """The lease could not be renewed in time: another process may lead by now."""


@dataclass
class Elector:
    """One candidate's view of the lease."""

    client: Client
    lease: str
    namespace: str
    identity: str
    timing: Timing = field(default_factory=Timing)
    clock: Clock = field(default_factory=SystemClock)
    recorder: EventRecorder | None = None

    def __post_init__(self) -> None:
        self._seen: coordination_v1.Lease | None = None
        self._seen_at = 0.0

    async def acquire(self) -> None:
        """Returns once this candidate leads."""
        while not await self._try_once():
            await self.clock.sleep(self.timing.retry)
        log.info("became leader lease=%s/%s identity=%s", self.namespace, self.lease, self.identity)
        if self.recorder is not None and self._seen is not None:
            self.recorder.event(self._seen, "Normal", "LeaderElection", f"{self.identity} became leader")

    async def hold(self) -> None:
        """Renew until that fails for too long; raises LeadershipLostError then."""
        renewed = self.clock.monotonic()
        while True:
            await self.clock.sleep(self.timing.retry)
            if await self._try_once():
                renewed = self.clock.monotonic()
            elif self.clock.monotonic() - renewed >= self.timing.deadline:
                raise LeadershipLostError(f"lease {self.namespace}/{self.lease}")

    async def release(self) -> None:
        """Give the lease up, so that another candidate need not wait for it to run out."""
        if self._seen is None or self._seen.spec.holder_identity != self.identity:
            return
        spec = msgspec.structs.replace(self._seen.spec, holder_identity="", lease_duration_seconds=1)
        try:
            await self.client.update(msgspec.structs.replace(self._seen, spec=spec))
        except errors.StatusError as error:
            log.info("lease not released lease=%s error=%s", self.lease, error.message)

    async def _try_once(self) -> bool:
        """Take or renew the lease if it is free or ours."""
        try:
            current = await self._read()
            if current is None:
                made = coordination_v1.Lease(
                    metadata=meta_v1.ObjectMeta(name=self.lease, namespace=self.namespace), spec=self._spec(None)
                )
                self._observe(await self.client.create(made))
                return True
            if self._is_taken(current):
                return False
            mine = msgspec.structs.replace(current, spec=self._spec(current.spec))
            self._observe(await self.client.update(mine))
            return True
        except errors.StatusError as error:
            if not errors.is_conflict(error) and not errors.is_already_exists(error):
                log.warning("lease not renewed lease=%s error=%s", self.lease, error.message)
            return False

    async def _read(self) -> coordination_v1.Lease | None:
        try:
            return await self.client.get(coordination_v1.Lease, self.lease, self.namespace)
        except errors.StatusError as error:
            if errors.is_not_found(error):
                return None
            raise

    def _is_taken(self, current: coordination_v1.Lease) -> bool:
        """Whether another holds it and has renewed lately, by this machine's clock: others' clocks may differ."""
        holder = current.spec.holder_identity
        if self._seen is None or self._seen.spec != current.spec:
            self._observe(current)
        if not holder or holder == self.identity:
            return False
        duration = current.spec.lease_duration_seconds or self.timing.lease
        return self.clock.monotonic() - self._seen_at < duration

    def _observe(self, lease: coordination_v1.Lease) -> None:
        self._seen, self._seen_at = lease, self.clock.monotonic()

    def _spec(self, old: coordination_v1.LeaseSpec | None) -> coordination_v1.LeaseSpec:
        now = _micro(self.clock.now())
        keeps = old is not None and old.holder_identity == self.identity
        transitions = (old.lease_transitions or 0) + (0 if keeps else 1) if old is not None else 0
        return coordination_v1.LeaseSpec(
            holder_identity=self.identity,
            lease_duration_seconds=self.timing.lease,
            acquire_time=old.acquire_time if keeps and old is not None else now,
            renew_time=now,
            lease_transitions=transitions,
        )


async def run_leader_election(
    client: Client,
    *,
    lease: str,
    namespace: str,
    identity: str,
    run: Callable[[], Awaitable[None]],
    timing: Timing | None = None,
    clock: Clock | None = None,
    recorder: EventRecorder | None = None,
) -> None:
    """Wait until this process leads, then do `run()` while it does.

    Returns when `run` does; raises LeadershipLostError (after `run` was cancelled) when the lease is lost. The lease
    is given up at the end, also on cancellation.
    """
    elector = Elector(client, lease, namespace, identity, timing or Timing(), clock or SystemClock(), recorder)
    leading[lease] = False
    await elector.acquire()
    leading[lease] = True
    try:
        async with open_scope(f"leader/{lease}") as scope:
            work = scope.spawn(_awaited(run), "run")
            hold = scope.spawn(elector.hold(), "renew")
            await asyncio.wait({work, hold}, return_when=asyncio.FIRST_COMPLETED)
            # The one that ended tells how: the work by its result, the renewal by its error.
            await (hold if hold.done() else work)
    finally:
        leading[lease] = False
        await asyncio.shield(elector.release())


async def _awaited(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _micro(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
