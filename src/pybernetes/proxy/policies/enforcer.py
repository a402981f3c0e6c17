"""The loop between informers and backend: policies that a change concerns are worked out anew."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from typing import Protocol

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import open_scope
from pybernetes.aio.threads import Worker
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import networking_v1 as networking
from pybernetes.client.informer import Informers
from pybernetes.proxy.backends.nftables.pieces import Pieces
from pybernetes.proxy.policies.members import member_of
from pybernetes.proxy.policies.world import World

log = logging.getLogger(__name__)


class Backend(Protocol):
    """What makes the rules hold. Calls block and come from one thread."""

    def sync(self, changed: Mapping[str, Pieces | None], *, whole: bool = False) -> None:
        """Take pieces by owner, None for those that are gone. Raises OSError; the next call makes up for it."""
        ...

    def remove(self) -> None:
        """Leave nothing. Safe to repeat. Raises OSError."""
        ...

    def is_intact(self) -> bool:
        """Whether what was made is still there."""
        ...


class Enforcer:
    """Keeps the policies of one node. Pods and namespaces are watched only while there is a policy."""

    def __init__(self, informers: Informers, backend: Backend, node_name: str, clock: Clock) -> None:
        self._client, self._backend, self._node_name, self._clock = informers.client, backend, node_name, clock
        self._policies = informers.of(networking.NetworkPolicy)
        self._wake = asyncio.Event()
        self._whole = True
        self._world: World | None = None

    async def run(self, check_seconds: float) -> None:
        """Returns only when cancelled; the rules stay. What an earlier run has left is replaced by what holds now."""
        worker = Worker("policies")
        try:
            await self._policies.synced.wait()
            self._policies.subscribe(self._on_policy)
            async with open_scope("policies") as scope:
                scope.spawn(self._check(worker, check_seconds), "check")
                for _ in itertools.count():
                    if not len(self._policies):
                        await self._remove(worker)
                    while not len(self._policies):
                        await self._wait()
                    await self._enforce(worker)
        finally:
            await worker.close()

    async def _enforce(self, worker: Worker) -> None:
        """Until no policy is left."""
        informers = Informers(self._client, self._clock)
        pods, namespaces = informers.of(v1.Pod), informers.of(v1.Namespace)
        async with informers.running():
            await informers.wait_synced()
            self._world, self._whole = World(), True
            try:
                namespaces.subscribe(self._on_namespace)
                pods.subscribe(self._on_pod)
                for policy in self._policies.list():
                    self._on_policy(None, policy)
                await self._sync_while_needed(worker, self._world)
            finally:
                self._world = None

    async def _sync_while_needed(self, worker: Worker, world: World) -> None:
        backoff = Backoff(initial=0.1, limit=10.0)
        pending: dict[str, Pieces | None] = {}
        while len(self._policies):
            pending |= world.changes()
            try:
                if pending or self._whole:
                    await worker.run(self._backend.sync, dict(pending), whole=self._whole)
            except OSError as error:
                log.error("policies cannot be written error=%r changes=%d", str(error), len(pending))
                self._whole = True
                await self._clock.sleep(backoff.next())
                continue
            self._whole = False
            pending.clear()
            backoff.reset()
            await self._wait()

    async def _wait(self) -> None:
        await self._wake.wait()
        self._wake.clear()

    async def _remove(self, worker: Worker) -> None:
        backoff = Backoff(initial=0.1, limit=10.0)
        while True:
            try:
                return await worker.run(self._backend.remove)
            except OSError as error:
                log.error("policies cannot be removed error=%r", str(error))
                await self._clock.sleep(backoff.next())

    def _on_policy(self, old: networking.NetworkPolicy | None, new: networking.NetworkPolicy | None) -> None:
        changed = new or old
        if self._world is not None and changed is not None:
            self._world.put_policy(f"{changed.metadata.namespace}/{changed.metadata.name}", new)
        self._wake.set()

    def _on_pod(self, old: v1.Pod | None, new: v1.Pod | None) -> None:
        changed = new or old
        if self._world is not None and changed is not None:
            key = f"{changed.metadata.namespace}/{changed.metadata.name}"
            if self._world.put_member(key, member_of(new, self._node_name) if new is not None else None):
                self._wake.set()

    def _on_namespace(self, old: v1.Namespace | None, new: v1.Namespace | None) -> None:
        changed = new or old
        if self._world is not None and changed is not None:
            labels = new.metadata.labels if new is not None else None
            if self._world.put_namespace(changed.metadata.name or "", labels):
                self._wake.set()

    async def _check(self, worker: Worker, seconds: float) -> None:
        while True:
            await self._clock.sleep(seconds)
            if not self._wake.is_set() and not await worker.run(self._backend.is_intact):
                log.warning("policies are gone, writing them again")
                self._whole = True
                self._wake.set()
