"""The audit webhook (`--audit-webhook-config-file`): events are sent in batches, behind the requests' backs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import msgspec
from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.api.errors import StatusError
from pybernetes.client.config import Config
from pybernetes.client.rest import connect

log = logging.getLogger(__name__)
TRIES: Final = 5


class Batching(Struct, frozen=True):
    """Upstream's defaults: how many events may wait, how many go at once, how long the first one waits for others."""

    buffer: int = 10_000
    size: int = 400
    seconds: float = 30.0
    backoff_seconds: float = 10.0


class Webhook:
    """A sink. Events that find the buffer full, and those that the webhook does not take in five tries, are lost."""

    def __init__(self, config: Config, batching: Batching, clock: Clock) -> None:
        self._config = config
        self._batching = batching
        self._clock = clock
        self._waiting: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()

    def write(self, event: dict[str, Any]) -> None:
        if len(self._waiting) >= self._batching.buffer:
            log.error("audit event lost id=%s err=%s", event["auditID"], "audit buffer queue blocked")
            return
        self._waiting.append(event)
        self._arrived.set()
        if len(self._waiting) >= self._batching.size:
            self._full.set()

    async def run(self) -> None:
        """Until cancelled; what waits then is sent once more."""
        async with connect(self._config, user_agent="kube-apiserver") as client:

            async def post(events: list[dict[str, Any]]) -> None:
                body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": events}
                await client.request("POST", "", body=msgspec.json.encode(body))

            try:
                while True:
                    await self._arrived.wait()
                    await self._collect()
                    await self._send(post, self._take())
            finally:
                if self._waiting:
                    await self._send(post, self._take(), tries=1)

    async def _collect(self) -> None:
        """Until a batch is full, or its first event has waited for long enough."""
        try:
            async with asyncio.timeout(self._batching.seconds):
                await self._full.wait()
        except TimeoutError:
            pass

    def _take(self) -> list[dict[str, Any]]:
        batch, self._waiting = self._waiting[: self._batching.size], self._waiting[self._batching.size :]
        if not self._waiting:
            self._arrived.clear()
        if len(self._waiting) < self._batching.size:
            self._full.clear()
        return batch

    async def _send(self, post: Any, events: list[dict[str, Any]], tries: int = TRIES) -> None:
        for attempt in range(tries):
            try:
                await post(events)
                return
            except StatusError as error:
                if attempt == tries - 1:
                    log.error("audit events lost count=%d err=%s", len(events), error)
                    return
                await self._clock.sleep(self._batching.backoff_seconds)
