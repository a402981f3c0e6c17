"""Compaction (`--etcd-compaction-interval`): what is older than one interval is forgotten at the next."""

from __future__ import annotations

import logging

from pybernetes.aio.clock import Clock
from pybernetes.store.backend import Backend, StoreError

log = logging.getLogger(__name__)


async def keep_compacting(backend: Backend, clock: Clock, seconds: float) -> None:
    """Until cancelled. Each server does: a revision that is compacted already costs one call."""
    if seconds <= 0:
        return
    before = 0
    while True:
        await clock.sleep(seconds)
        try:
            if before:
                await backend.compact(before)
            before = await backend.current_revision()
        except StoreError as error:
            log.warning("store not compacted error=%s", error)
