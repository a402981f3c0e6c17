"""Makes and deletes VolumeAttachments; the drivers' attachers carry them out."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api import csi, errors
from pybernetes.api.types import core_v1, meta_v1, storage_v1
from pybernetes.api.types.core_v1 import PersistentVolume as Volume
from pybernetes.api.types.storage_v1 import VolumeAttachment as Attachment
from pybernetes.client.patch import PatchType
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.controllers.attachdetach import plan
from pybernetes.controllers.context import Context, ignore_not_found
from pybernetes.controllers.volume.protection import CLAIM_INDEX, claims_of

WORKERS = 10
VOLUME_INDEX, NODE_INDEX = "volume", "node"


class Attacher:
    """Keys are ("volume", name) and ("node", name).

    A volume leaves a node in steps, each of which is a look at what there is: the node's status stops naming it, then,
    if the kubelet has not begun to use it meanwhile, the attachment is deleted.
    """

    name = "persistentvolume-attach-detach-controller"

    def __init__(self, context: Context) -> None:
        self.context, self.client = context, context.client
        self.queue: WorkQueue[tuple[str, str]] = WorkQueue(context.clock)
        of = context.informers.of
        self.pods, self.nodes = of(core_v1.Pod), of(core_v1.Node)
        self.volumes, self.claims = of(Volume), of(core_v1.PersistentVolumeClaim)
        self.drivers, self.attachments = of(storage_v1.CSIDriver), of(Attachment)
        self.recorder = context.recorder("attachdetach-controller")
        self._leaving: dict[str, float] = {}
        """Attachment -> when it was found that nobody needs it."""
        self._told: set[tuple[str, str]] = set()
        """(volume, node) whose pods know that another node has the volume."""

    async def run(self) -> None:
        """Returns only when cancelled."""
        informers = (self.pods, self.nodes, self.volumes, self.claims, self.drivers, self.attachments)
        for informer in informers:
            await informer.synced.wait()
        self.pods.add_index(CLAIM_INDEX, claims_of)
        self.attachments.add_index(VOLUME_INDEX, lambda one: [one.spec.source.persistent_volume_name or ""])
        self.attachments.add_index(NODE_INDEX, lambda one: [one.spec.node_name])
        self.attachments.subscribe(self._on_attachment)
        self.volumes.subscribe(self._on_volume)
        self.claims.subscribe(self._on_claim)
        self.drivers.subscribe(self._on_driver)
        self.nodes.subscribe(self._on_node)
        self.pods.subscribe(self._on_pod)
        await run_workers(self.queue, self._reconcile, workers=WORKERS, name=self.name)

    # What may change a decision

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        pod = new or old
        if pod is None or not pod.spec.volumes or not pod.spec.node_name:
            return
        for place in {*claims_of(pod), *(claims_of(old) if old is not None else ())}:
            namespace, _, name = place.partition("/")
            self._on_claim(None, self.claims.get(name, namespace))

    def _on_claim(self, old: core_v1.PersistentVolumeClaim | None, new: core_v1.PersistentVolumeClaim | None) -> None:
        claim = new or old
        if claim is not None and claim.spec.volume_name:
            self.queue.add(("volume", claim.spec.volume_name))

    def _on_volume(self, old: Volume | None, new: Volume | None) -> None:
        if new is not None and new.spec.csi is not None:
            self.queue.add(("volume", new.metadata.name or ""))

    def _on_driver(self, old: storage_v1.CSIDriver | None, new: storage_v1.CSIDriver | None) -> None:
        driver = new or old
        for volume in self.volumes.list():
            if driver is not None and volume.spec.csi is not None and volume.spec.csi.driver == driver.metadata.name:
                self._on_volume(None, volume)

    def _on_node(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        node = new or old
        if node is None:
            return
        if old is None or new is None or _judged_by(old) != _judged_by(new):
            name = node.metadata.name or ""
            for each in self.attachments.by_index(NODE_INDEX, name):
                self.queue.add(("volume", each.spec.source.persistent_volume_name or ""))
            self.queue.add(("node", name))

    def _on_attachment(self, old: Attachment | None, new: Attachment | None) -> None:
        one = new or old
        if one is None:
            return
        self.queue.add(("volume", one.spec.source.persistent_volume_name or ""))
        self.queue.add(("node", one.spec.node_name))
        if new is None:
            self._leaving.pop(one.metadata.name or "", None)
        elif old is not None:
            self._tell_progress(old, new)

    # Volumes

    async def _reconcile(self, key: tuple[str, str]) -> float | None:
        if key[0] == "node":
            await self._write_node(key[1])
            return None
        volume = self.volumes.get(key[1])
        return await self._reconcile_volume(volume) if volume is not None and volume.spec.csi is not None else None

    async def _reconcile_volume(self, volume: Volume) -> float | None:
        name = volume.metadata.name or ""
        users = self._users(volume)
        attached = {each.spec.node_name: each for each in self._own_attachments(volume)}
        steps = plan.plan(list(users), list(attached), is_shareable=csi.is_shareable(volume))
        for node in set(attached).difference(steps.superfluous):
            self._stay(attached[node])
        for node in steps.refused:
            self._tell_refused(volume, node, users[node], list(attached) or steps.attach)
        self._told -= {(name, node) for node in (*attached, *steps.attach)}
        for node in steps.attach:
            await self._attach(volume, node)
        delays = [await self._detach(volume, attached[node]) for node in steps.superfluous]
        return min((delay for delay in delays if delay is not None), default=None)

    def _users(self, volume: Volume) -> dict[str, list[core_v1.Pod]]:
        """Node -> the pods there that need the volume."""
        reference, source = volume.spec.claim_ref, volume.spec.csi
        if reference is None or source is None or not csi.is_attachable(self.drivers.get(source.driver)):
            return {}
        claim = self.claims.get(reference.name or "", reference.namespace or "")
        if claim is None or claim.metadata.uid != reference.uid or claim.status.phase != "Bound":
            return {}
        found: dict[str, list[core_v1.Pod]] = {}
        for pod in self.pods.by_index(CLAIM_INDEX, f"{reference.namespace}/{reference.name}"):
            node = pod.spec.node_name or ""
            if node and plan.needs_volumes(pod, self.nodes.get(node)):
                found.setdefault(node, []).append(pod)
        return found

    def _own_attachments(self, volume: Volume) -> Iterable[Attachment]:
        """Those that were made here: others are somebody else's."""
        source = volume.spec.csi
        for each in self.attachments.by_index(VOLUME_INDEX, volume.metadata.name or ""):
            if source and each.metadata.name == csi.attachment_name(
                source.driver, source.volume_handle, each.spec.node_name
            ):
                yield each

    async def _attach(self, volume: Volume, node: str) -> None:
        source = volume.spec.csi
        if source is None:
            return
        wanted = Attachment(
            metadata=meta_v1.ObjectMeta(name=csi.attachment_name(source.driver, source.volume_handle, node)),
            spec=storage_v1.VolumeAttachmentSpec(
                attacher=source.driver,
                node_name=node,
                source=storage_v1.VolumeAttachmentSource(persistent_volume_name=volume.metadata.name),
            ),
        )
        try:
            self.attachments.assume(await self.client.create(wanted))
        except errors.StatusError as error:
            if not errors.is_already_exists(error):
                raise

    def _stay(self, attachment: Attachment) -> None:
        if self._leaving.pop(attachment.metadata.name or "", None) is not None:
            self.queue.add(("node", attachment.spec.node_name))

    async def _detach(self, volume: Volume, attachment: Attachment) -> float | None:
        """The next step; seconds until it is worth another look, None where a change tells."""
        source, name, where = volume.spec.csi, attachment.metadata.name or "", attachment.spec.node_name
        if source is None or attachment.metadata.deletion_timestamp is not None:
            return None
        node, unique = self.nodes.get(where), csi.unique_name(source.driver, source.volume_handle)
        now = self.context.clock.monotonic()
        waited = now - self._leaving.setdefault(name, now)
        decision = plan.detaching(node, unique, waited)
        if decision == "in use":
            left = plan.FORCED_AFTER - waited
            return left + 1 if node is not None and left > 0 and not plan.is_healthy(node) else None
        if node is not None and any(each.name == unique for each in node.status.volumes_attached):
            self.queue.add(("node", where))
            return None
        await ignore_not_found(self.client.delete(Attachment, name, "", uid=attachment.metadata.uid or ""))
        return None

    # Nodes

    async def _write_node(self, name: str) -> None:
        """Say what is attached; then what was left out may be detached."""
        node = self.nodes.get(name)
        if node is None:
            return
        attachments = self.attachments.by_index(NODE_INDEX, name)
        names = self._unique_names()
        leaving = self._releasable(node, names)
        wanted = plan.attached_volumes(attachments, names, leaving)
        if sorted(node.status.volumes_attached, key=lambda one: one.name) != wanted:
            listed = [{"name": one.name, "devicePath": one.device_path} for one in wanted]
            patch = {"status": {"volumesAttached": listed or None}}
            stored = await self.client.patch(core_v1.Node, name, "", patch, PatchType.MERGE, subresource="status")
            self.nodes.assume(stored)
        for each in attachments:
            if each.metadata.name in leaving:
                self.queue.add(("volume", each.spec.source.persistent_volume_name or ""))

    def _releasable(self, node: core_v1.Node, names: dict[str, str]) -> set[str]:
        """The attachments of the node whose volumes may leave it now."""
        found, now = set(), self.context.clock.monotonic()
        for each in self.attachments.by_index(NODE_INDEX, node.metadata.name or ""):
            name = each.metadata.name or ""
            unique = names.get(each.spec.source.persistent_volume_name or "", "")
            if name in self._leaving and plan.detaching(node, unique, now - self._leaving[name]) != "in use":
                found.add(name)
        return found

    def _unique_names(self) -> dict[str, str]:
        return {
            volume.metadata.name or "": csi.unique_name(source.driver, source.volume_handle)
            for volume in self.volumes.list()
            if (source := volume.spec.csi) is not None
        }

    # Telling

    def _tell_progress(self, old: Attachment, new: Attachment) -> None:
        """What the driver's attacher said, to the pods that wait for it."""
        volume = self.volumes.get(new.spec.source.persistent_volume_name or "")
        if volume is None:
            return
        pods = self._users(volume).get(new.spec.node_name, [])
        name, error = volume.metadata.name, new.status.attach_error
        if new.status.attached and not old.status.attached:
            self._tell(pods, "Normal", "SuccessfulAttachVolume", f'AttachVolume.Attach succeeded for volume "{name}" ')
        elif error is not None and error != old.status.attach_error:
            message = f'AttachVolume.Attach failed for volume "{name}" : {error.message or ""}'
            self._tell(pods, "Warning", "FailedAttachVolume", message)

    def _tell_refused(self, volume: Volume, node: str, waiting: list[core_v1.Pod], holders: list[str]) -> None:
        name = volume.metadata.name or ""
        if (name, node) in self._told:
            return
        self._told.add((name, node))
        elsewhere = [pod for holder in holders for pod in self._users(volume).get(holder, [])]
        for pod in waiting:
            why = plan.used_elsewhere(pod.metadata.namespace or "", elsewhere)
            self._tell([pod], "Warning", "FailedAttachVolume", f'Multi-Attach error for volume "{name}" {why}')

    def _tell(self, pods: Iterable[core_v1.Pod], kind: str, reason: str, message: str) -> None:
        for pod in pods:
            self.recorder.event(pod, kind, reason, message)


def _judged_by(node: core_v1.Node) -> tuple[object, ...]:
    status = node.status
    return (
        node.spec.taints,
        status.volumes_in_use,
        status.volumes_attached,
        plan.is_healthy(node),
        node.metadata.annotations,
    )
