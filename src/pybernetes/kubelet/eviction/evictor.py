"""One look at the node: who has passed a limit, and what the node itself is short of."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable

from msgspec import Struct, field

from pybernetes.aio.threads import Worker
from pybernetes.cri import types as t
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet import names
from pybernetes.kubelet.counted import Counted
from pybernetes.kubelet.events import WARNING, Events
from pybernetes.kubelet.eviction.decide import (
    DISK,
    Passed,
    Shortage,
    Use,
    first_to_go,
    is_limited,
    limited_volumes,
    over_limit,
    shortage_words,
)
from pybernetes.kubelet.eviction.usage import bytes_below
from pybernetes.kubelet.pod.worker import PodWorker
from pybernetes.kubelet.podspec import uid_of
from pybernetes.kubelet.status.context import Verdict

log = logging.getLogger(__name__)

EVICTED = "Evicted"
GRACE_SECONDS = 1


class Evictor(Struct, frozen=True):
    """Called from the kubelet's housekeeping; measures only what somebody has limited or the node is short of."""

    workers: Callable[[], Iterable[PodWorker]]
    runtime: RuntimeService
    events: Events
    threads: Worker
    shortages: Callable[[], list[Shortage]]
    """What there is too little of now."""
    free_disk: Callable[[], Awaitable[object]]
    """Gives back what nobody needs, before any pod has to go."""
    report: Callable[[], None]
    """Has the node's conditions written, so that nothing new comes in place of what goes."""
    counted: Counted = field(default_factory=Counted)

    async def look(self) -> None:
        """End who has passed a limit; of each resource that is short, end one pod."""
        for worker in list(self.workers()):
            if is_limited(worker.pod) and (passed := over_limit(worker.pod, await self._disk_use(worker))):
                self._evict(worker, passed, disrupted=False)
        short = self.shortages()
        if short:
            self.report()
        for shortage in short:
            await self._relieve(shortage)

    async def _relieve(self, shortage: Shortage) -> None:
        message = f"Attempting to reclaim {shortage.resource}"
        self.events.node(WARNING, "EvictionThresholdMet", message)
        if shortage.resource == DISK:
            await self.free_disk()
            left = next((one for one in self.shortages() if one.resource == DISK), None)
            if left is None:
                return
            shortage = left
        workers = {uid_of(worker.pod): worker for worker in self.workers()}
        uses = await self._uses(shortage.resource, workers)
        chosen = first_to_go([(workers[uid].pod, use) for uid, use in uses.items()], shortage.resource)
        if chosen is None:
            log.warning("nothing to evict resource=%s", shortage.resource)
            return
        pod, use = chosen
        passed = Passed(shortage.signal, shortage_words(shortage, pod, use))
        self._evict(workers[uid_of(pod)], passed, disrupted=True)

    def _evict(self, worker: PodWorker, passed: Passed, *, disrupted: bool) -> None:
        self.counted.evictions.inc(passed.signal)
        self.events.pod(worker.pod, WARNING, EVICTED, passed.words)
        worker.end(Verdict(EVICTED, passed.words, disrupted=disrupted), GRACE_SECONDS)

    async def _uses(self, resource: str, workers: dict[str, PodWorker]) -> dict[str, Use]:
        """By pod uid. Memory is asked of the runtime, the disk is measured."""
        if resource == DISK:
            return {uid: await self._disk_use(worker) for uid, worker in workers.items()}
        found: dict[str, Use] = {}
        for stats in await self.runtime.list_pod_sandbox_stats():
            uid = stats.attributes.labels.get(names.POD_UID, "") if stats.attributes else ""
            if uid in workers and stats.linux is not None:
                found[uid] = Use({_name(one): _working_set(one) for one in stats.linux.containers})
        return found

    async def _disk_use(self, worker: PodWorker) -> Use:
        """Of emptyDirs that are on disk, and of what containers have written into their roots.

        The runtime is asked which run: one may have filled the disk since the worker last looked.
        """
        watched = limited_volumes(worker.pod).keys() | {v.name for v in worker.pod.spec.volumes if v.empty_dir and not v.empty_dir.medium}  # fmt: skip
        paths = {name: path for name, path in worker.volume_paths.items() if name in watched}
        volumes = {name: await self.threads.run(bytes_below, path) for name, path in paths.items()}
        running = await self.runtime.list_container_stats(
            t.ContainerStatsFilter(label_selector={names.POD_UID: uid_of(worker.pod)})
        )
        return Use({_name(one): _written(one) for one in running}, volumes)


def _name(stats: t.ContainerStats) -> str:
    metadata = stats.attributes.metadata if stats.attributes else None
    return metadata.name if metadata else ""


def _working_set(stats: t.ContainerStats) -> int:
    used = stats.memory.working_set_bytes if stats.memory else None
    return used.value if used else 0


def _written(stats: t.ContainerStats) -> int:
    used = stats.writable_layer.used_bytes if stats.writable_layer else None
    return used.value if used else 0
