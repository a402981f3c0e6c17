"""The kubelet: gives every pod of the node a worker, and tells each worker what concerns it."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from msgspec import Struct

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.tasks import Scope
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1
from pybernetes.cri.errors import CRIError
from pybernetes.cri.types import ContainerEventType
from pybernetes.kubelet import names
from pybernetes.kubelet.admission import admit, resize_refusal
from pybernetes.kubelet.dra.claims import has_claims
from pybernetes.kubelet.events import WARNING
from pybernetes.kubelet.observed import observe
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.ending import Stopper
from pybernetes.kubelet.pod.worker import PodWorker, Stage
from pybernetes.kubelet.podspec import grace_seconds, is_mirror, is_terminal, name_of, namespace_of, uid_of
from pybernetes.kubelet.resizing import Refusal
from pybernetes.kubelet.status.context import Verdict
from pybernetes.kubelet.volumes.csi.places import has_volumes
from pybernetes.kubelet.volumes.podvolumes import remove_directory

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 1.0
_ENDS = (ContainerEventType.CONTAINER_STOPPED_EVENT, ContainerEventType.CONTAINER_DELETED_EVENT)


class _Entry(Struct):
    """A worker and the task that runs it."""

    worker: PodWorker
    task: asyncio.Task[None]


class Kubelet:
    """The workers of one node. All methods are called on the event loop; workers live in `scope`."""

    def __init__(self, doors: PodDoors, scope: Scope, node: Callable[[], v1.Node]) -> None:
        self._doors, self._scope, self._node = doors, scope, node
        self._entries: dict[str, _Entry] = {}
        self._stopping = False

    # Where pods come from

    def pod_changed(self, old: v1.Pod | None, new: v1.Pod | None) -> None:
        """A change of a pod of the API. Mirror pods only carry the status of static ones: see `static`."""
        pod = new or old
        if pod is None or is_mirror(pod):
            return
        if new is None:
            self.remove(uid_of(pod), old)
        else:
            self.add(new, new)

    def add(self, pod: v1.Pod, carrier: v1.Pod | None) -> None:
        """A pod is desired, or has changed; `carrier` is the API object for its status, None while there is none."""
        entry = self._entries.get(uid_of(pod))
        if entry is not None:
            entry.worker.update(pod, carrier)
            self._room_changed(entry.worker)
        elif not self._stopping:
            self._begin(pod, self._admit(pod)).update(pod, carrier)

    def remove(self, uid: str, last: v1.Pod | None = None) -> None:
        """A pod is desired no more."""
        if entry := self._entries.get(uid):
            entry.worker.remove(last)

    def _admit(self, pod: v1.Pod) -> Verdict | None:
        """Pods that have been running here before are not asked again."""
        if is_terminal(pod) or pod.metadata.deletion_timestamp or pod.status.start_time:
            return None
        others = (worker.pod for worker in self.active())
        verdict = admit(pod, self._node(), others, self._doors.allowed_sysctls)
        self._doors.counted.containers_per_pod.observe(len(pod.spec.containers))
        if verdict is not None:
            self._doors.counted.pod_rejected(verdict.reason)
            self._doors.events.pod(pod, WARNING, verdict.reason, verdict.message)
        return verdict

    def _begin(self, pod: v1.Pod, verdict: Verdict | None = None) -> PodWorker:
        worker = PodWorker(self._doors, pod, verdict=verdict)
        uid = uid_of(pod)

        async def run() -> None:
            try:
                await worker.run()
            finally:
                self._entries.pop(uid, None)
                self._room_changed(worker)

        self._entries[uid] = _Entry(worker, self._scope.spawn(run(), f"pod/{namespace_of(pod)}/{name_of(pod)}"))
        return worker

    def room(self, pod: v1.Pod) -> Refusal | None:
        """Whether the node has what a running pod asks for beside the others; why not, if so."""
        others = (worker.pod for worker in self.active() if uid_of(worker.pod) != uid_of(pod))
        return resize_refusal(pod, self._node(), others)

    def _room_changed(self, cause: PodWorker) -> None:
        """Pods that wait for more may get it now."""
        for worker in self.workers():
            if worker is not cause and worker.is_refused:
                worker.poke()

    # What is here

    def workers(self) -> list[PodWorker]:
        return [entry.worker for entry in self._entries.values()]

    def active(self) -> Iterable[PodWorker]:
        """Workers whose pods still take something of the node."""
        return [w for w in self.workers() if w.stage in (Stage.LIVING, Stage.ENDING) and not is_terminal(w.pod)]

    def worker(self, uid: str) -> PodWorker | None:
        entry = self._entries.get(uid)
        return entry.worker if entry else None

    def find(self, namespace: str, name: str, uid: str = "") -> PodWorker | None:
        """By name; of two with the same name the one that is not going."""
        found = [w for w in self.workers() if namespace_of(w.pod) == namespace and name_of(w.pod) == name]
        chosen = [w for w in found if not uid or uid_of(w.pod) == uid]
        return min(chosen, key=lambda w: w.pod.metadata.deletion_timestamp is not None, default=None)

    def retry_claims(self) -> None:
        """A driver of devices can be reached: pods that wait for their claims may go on."""
        for worker in self.workers():
            if has_claims(worker.pod):
                worker.retry()

    def devices_changed(self, uids: Iterable[str]) -> None:
        """Something is to be told of the devices that these pods have."""
        for uid in uids:
            if entry := self._entries.get(uid):
                entry.worker.poke()

    def objects_changed(self, uid: str) -> None:
        if entry := self._entries.get(uid):
            entry.worker.objects_changed()

    # What the runtime tells

    async def follow_runtime(self) -> None:
        """Wake the workers of containers that ended; after a lost stream all of them look again."""
        while True:
            try:
                async for event in self._doors.runtime.get_container_events():
                    # What was created and started was so by a worker, which knows.
                    if event.container_event_type in _ENDS:
                        labels = event.pod_sandbox_status.labels if event.pod_sandbox_status else {}
                        self._wake(labels.get(names.POD_UID, ""))
            except CRIError as error:
                log.warning("lost the runtime's events error=%s", error)
            await self._wait_for_runtime()
            self._wake("")
            self._scope.spawn(self._wake_later(), "look again")

    async def _wait_for_runtime(self) -> None:
        backoff = Backoff(initial=0.05, limit=1.0)
        while True:
            await self._doors.clock.sleep(backoff.next())
            try:
                await self._doors.runtime.version()
                return
            except CRIError as error:
                log.debug("the runtime does not answer error=%s", error)

    async def _wake_later(self) -> None:
        """For what ended after the first look and before the new stream of events stood."""
        await self._doors.clock.sleep(LOOK_AGAIN_SECONDS)
        self._wake("")

    def _wake(self, uid: str) -> None:
        """One worker, or all of them if it is not known whose event it was."""
        if uid:
            if entry := self._entries.get(uid):
                entry.worker.runtime_changed()
            return
        for worker in self.workers():
            worker.poke()

    async def adopt_orphans(self) -> None:
        """End what the runtime still has of pods that nobody desires, and what drivers have prepared for them.

        Call once the sources are complete.
        """
        gone = self._doors.claims.pods() - self._entries.keys()
        known = {uid: _pod_of({names.POD_UID: uid}) for uid in gone}
        for sandbox in await self._doors.runtime.list_pod_sandbox():
            uid = sandbox.labels.get(names.POD_UID, "")
            if uid and uid not in self._entries:
                known[uid] = _pod_of(sandbox.labels)
        for uid, pod in known.items():
            self._doors.counted.orphans.inc()
            log.info("ending orphan pod=%s/%s uid=%s", namespace_of(pod), name_of(pod), uid)
            self._begin(pod).remove()
        await self._clean_directories()

    async def _clean_directories(self) -> None:
        root = self._doors.root / "pods"
        if not root.is_dir():
            return
        for directory in list(root.iterdir()):
            if directory.name in self._entries:
                continue
            if has_volumes(directory):  # which takes as long as their drivers do
                self._begin(_pod_of({names.POD_UID: directory.name})).remove()
            else:
                await self._doors.threads.run(remove_directory, directory)

    # The node's end

    async def shutdown_pods(self, grace: int) -> None:
        """End all containers within `grace` seconds, keeping the pods' objects: they start again with the node.

        The kubelet takes no new pods from now on. Returns when nothing runs.
        """
        self._stopping = True
        workers = self.workers()
        for entry in self._entries.values():
            entry.task.cancel()
        await self._scope.close()
        stopper = Stopper(self._doors)
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                observed = await observe(self._doors.runtime, uid_of(worker.pod))
                group.create_task(stopper.stop_pod(worker.pod, observed, min(grace, grace_seconds(worker.pod))))


def _pod_of(labels: dict[str, str]) -> v1.Pod:
    """What is left of a pod whose object is gone: its name."""
    meta = meta_v1.ObjectMeta(
        name=labels.get(names.POD_NAME), namespace=labels.get(names.POD_NAMESPACE), uid=labels[names.POD_UID]
    )
    return v1.Pod(metadata=meta, spec=v1.PodSpec(containers=[], termination_grace_period_seconds=1))
