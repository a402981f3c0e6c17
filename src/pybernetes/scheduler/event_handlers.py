"""What the informers tell, noted in the snapshot; and whom of the pods that wait each change may concern."""

from __future__ import annotations

from collections.abc import Callable

from pybernetes.aio.clock import Clock
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import resource_v1 as resource
from pybernetes.api.types import storage_v1 as storage
from pybernetes.client.codec import ObjectT
from pybernetes.client.informer import Informer, Informers
from pybernetes.scheduler.plugins import dynamic_resources, pod_affinity, spreading, volume_limits
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.queue import Queue
from pybernetes.scheduler.snapshot import Snapshot

FREED = frozenset({
    "NodeResourcesFit", "NodePorts", "PodTopologySpread", "InterPodAffinity", "VolumeRestrictions", volume_limits.NAME,
})  # fmt: skip
"""Plugins whose mind a pod's end may change."""

PLACED = frozenset({spreading.NAME, pod_affinity.NAME})
"""Plugins whose mind another pod's placement, or its labels, may change."""

SHRUNK = frozenset({"NodeResourcesFit"})
"""Plugins whose mind a pod that needs less may change."""

GONE = frozenset({spreading.NAME})
"""Plugins whose mind a node's end may change: a domain that is no more is not the emptiest."""

VOLUMES = frozenset({"VolumeBinding", "VolumeRestrictions", volume_limits.NAME})
"""Plugins whose mind a claim, a volume or a storage class may change."""

LIMITS = frozenset({volume_limits.NAME})
"""Plugins whose mind a driver's word about a node, or an attachment may change."""

ROOM = frozenset({"VolumeBinding"})
"""Plugins whose mind a driver's word about its room may change."""

DEVICES = frozenset({dynamic_resources.NAME})
"""Plugins whose mind a resource claim, a slice or a class of devices may change."""


class EventHandlers:
    """Keep a snapshot and a queue as the API has it, from `subscribe` on."""

    def __init__(self, informers: Informers, snapshot: Snapshot, clock: Clock, name: str) -> None:
        """`name` is the scheduler's, by which pods choose it."""
        self._snapshot = snapshot
        self._clock = clock
        self._name = name
        self._pods = informers.of(core.Pod)
        self._nodes = informers.of(core.Node)
        self._namespaces = informers.of(core.Namespace)
        self._claims = informers.of(core.PersistentVolumeClaim)
        self._volumes = informers.of(core.PersistentVolume)
        self._classes = informers.of(storage.StorageClass)
        self._drivers = informers.of(storage.CSIDriver)
        self._informers, self._follows_csi = informers, False
        self._resource_claims = informers.of(resource.ResourceClaim)
        self._device_classes = informers.of(resource.DeviceClass)
        self._slices = informers.of(resource.ResourceSlice)

    def subscribe(self, queue: Queue) -> None:
        self._queue = queue
        volumes, devices = self._snapshot.volumes, self._snapshot.devices
        self._follow(VOLUMES, self._claims, "PersistentVolumeClaim", volumes.set_claim)
        self._follow(VOLUMES, self._volumes, "PersistentVolume", volumes.set_volume)
        self._follow(VOLUMES, self._classes, "StorageClass", volumes.set_class)
        self._follow(ROOM, self._drivers, "CSIDriver", volumes.csi.set_driver)
        self._drivers.subscribe(lambda old, new: self._follow_csi())
        self._volumes.subscribe(self._on_volume)
        self._follow(DEVICES, self._resource_claims, "ResourceClaim", devices.set_claim)
        self._follow(DEVICES, self._device_classes, "DeviceClass", devices.set_class)
        self._follow(DEVICES, self._slices, "ResourceSlice", devices.set_slice)
        self._namespaces.subscribe(self._on_namespace)
        self._nodes.subscribe(self._on_node)
        self._pods.subscribe(self._on_pod)

    async def wait_synced(self) -> None:
        """Until the snapshot has all that there is: decisions before that would be about an empty world."""
        for informer in (
            self._nodes, self._pods, self._claims, self._volumes, self._classes, self._namespaces,
            self._resource_claims, self._device_classes, self._slices, self._drivers,
        ):  # fmt: skip
            await informer.synced.wait()

    def is_to_place(self, pod: core.Pod) -> bool:
        """Whether the pod waits for this scheduler."""
        return (
            not pod.spec.node_name
            and not _has_ended(pod)
            and (pod.spec.scheduler_name or "default-scheduler") == self._name
            and not pod.spec.scheduling_gates
            and pod.metadata.deletion_timestamp is None
        )

    def take_back(self, uid: str) -> None:
        """No room is kept for the pod any more: others may have it."""
        if self._snapshot.take_back(uid):
            self._queue.wake("AssignedPodDelete", FREED)

    def _follow(
        self,
        plugins: frozenset[str],
        informer: Informer[ObjectT],
        kind: str,
        note: Callable[[ObjectT | None, ObjectT | None], None],
    ) -> None:
        """Each change is noted, and may be what a pod waits for that one of the plugins refused."""

        def changed(old: ObjectT | None, new: ObjectT | None) -> None:
            note(old, new)
            self._queue.wake(event_of(kind, old, new), plugins)

        informer.subscribe(changed)

    def _on_volume(self, old: core.PersistentVolume | None, new: core.PersistentVolume | None) -> None:
        if new is not None and new.spec.csi is not None:
            self._follow_csi()

    def _follow_csi(self) -> None:
        """What only drivers tell of is watched from when there is one, or a volume of one."""
        if self._follows_csi:
            return
        self._follows_csi, of, known = True, self._informers.of, self._snapshot.volumes.csi
        self._follow(LIMITS, of(storage.CSINode), "CSINode", known.set_node)
        self._follow(LIMITS, of(storage.VolumeAttachment), "VolumeAttachment", known.set_attachment)
        self._follow(ROOM, of(storage.CSIStorageCapacity), "CSIStorageCapacity", known.set_capacity)

    def _on_namespace(self, old: core.Namespace | None, new: core.Namespace | None) -> None:
        """Affinity between pods may ask for its labels."""
        namespace = new or old
        name = namespace.metadata.name or "" if namespace is not None else ""
        if self._snapshot.set_namespace(name, new.metadata.labels if new is not None else None) and new is not None:
            self._queue.wake(event_of("Namespace", old, new), frozenset({pod_affinity.NAME}))

    def _on_node(self, old: core.Node | None, new: core.Node | None) -> None:
        if new is not None:
            if self._snapshot.set_node(new):
                self._queue.wake(event_of("Node", old, new))
        elif old is not None:
            self._snapshot.remove_node(old.metadata.name or "")
            self._queue.wake("NodeDelete", GONE)

    def _on_pod(self, old: core.Pod | None, new: core.Pod | None) -> None:
        pod = new or old
        if pod is None:
            return
        if new is None or _has_ended(new):
            self._forget(pod.metadata.uid or "")
        elif new.spec.node_name:
            self._on_assigned(old, new, new.spec.node_name)
        elif self.is_to_place(new):
            self._enqueue(old, new)
        else:
            self._queue.remove(new.metadata.uid or "")

    def _on_assigned(self, old: core.Pod | None, new: core.Pod, node: str) -> None:
        info = PodInfo(new)
        self._queue.remove(info.uid)
        before = self._snapshot.placed(info.uid)
        self._snapshot.place(info, node)
        if before is None or old is None or not old.spec.node_name:
            self._queue.wake("AssignedPodAdd", PLACED)
            return
        if before.pod.metadata.labels != new.metadata.labels:
            self._queue.wake("AssignedPodUpdate", PLACED)
        if before.needs is not info.needs:
            self._queue.wake("AssignedPodUpdate", SHRUNK)

    def _enqueue(self, old: core.Pod | None, new: core.Pod) -> None:
        """A pod that is being placed right now is left alone; one whose status alone has changed keeps its place, unless
        that tells the claims which were made for it."""
        uid = new.metadata.uid or ""
        if self._snapshot.placed(uid) is not None:
            return
        now = self._clock.monotonic()
        info = PodInfo(new, added=now, first=now)
        if new.status.nominated_node_name:
            self._snapshot.promise(info, new.status.nominated_node_name)
        elif old is not None and old.status.nominated_node_name:
            self.take_back(uid)
        if old is None or _judged_by(old) != _judged_by(new):
            self._queue.add(info)
        elif self._queue.knows(uid):
            self._queue.refresh(info)

    def _forget(self, uid: str) -> None:
        self._queue.remove(uid)
        if self._snapshot.remove(uid):
            self._queue.wake("AssignedPodDelete", FREED)


def _has_ended(pod: core.Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def _judged_by(pod: core.Pod) -> tuple[object, ...]:
    """What of a pod decisions look at."""
    return pod.spec, pod.metadata.labels, pod.status.resource_claim_statuses


def event_of(kind: str, old: object, new: object) -> str:
    """What metrics call a change."""
    return f"{kind}{'Add' if old is None else 'Delete' if new is None else 'Update'}"
