"""Attaching and detaching: what is decided, as tables; the life of an attachment on a real API server."""

from collections.abc import Callable
from typing import Any

import pytest

from pybernetes.api import csi
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.api.types import storage_v1 as storage
from pybernetes.client.patch import PatchType
from pybernetes.controllers.attachdetach import plan

DRIVER, UNIQUE = "d.test", "kubernetes.io/csi/d.test^h1"
ATTACHES = {plan.CONTROLLER_ATTACHES: "true"}


@pytest.mark.parametrize(
    ("wanted", "attached", "is_shareable", "attach", "refused", "superfluous"),
    [
        (["a"], [], False, ["a"], [], []),
        (["a", "b"], [], False, ["a"], ["b"], []),
        (["a", "b"], [], True, ["a", "b"], [], []),
        (["b"], ["a"], False, [], ["b"], ["a"]),
        (["a", "b"], ["a"], False, [], ["b"], []),
        (["b"], ["a"], True, ["b"], [], ["a"]),
        ([], ["a"], False, [], [], ["a"]),
        (["a"], ["a"], False, [], [], []),
    ],
)
def test_a_volume_has_one_node_unless_it_can_be_shared(
    wanted: list[str], attached: list[str], is_shareable: bool, attach: list[str], refused: list[str], superfluous: list[str]
) -> None:  # fmt: skip
    assert plan.plan(wanted, attached, is_shareable=is_shareable) == plan.Steps(attach, refused, superfluous)


def node(*, ready: bool = True, in_use: bool = False, out_of_service: bool = False) -> core.Node:
    taints = [core.Taint(key=plan.OUT_OF_SERVICE, effect="NoExecute")] if out_of_service else []
    ready_condition = core.NodeCondition(type="Ready", status="True" if ready else "Unknown")
    return core.Node(
        spec=core.NodeSpec(taints=taints),
        status=core.NodeStatus(conditions=[ready_condition], volumes_in_use=[UNIQUE] if in_use else []),
    )


@pytest.mark.parametrize(
    ("where", "waited", "expected"),
    [
        (None, 0, "now"),
        (node(), 0, "now"),
        (node(in_use=True), 0, "in use"),
        (node(in_use=True), 1000, "in use"),
        (node(in_use=True, ready=False), 300, "in use"),
        (node(in_use=True, ready=False), 361, "forced"),
        (node(in_use=True, out_of_service=True), 0, "forced"),
        (node(ready=False), 0, "now"),
    ],
)
def test_what_is_mounted_stays_attached_while_its_node_may_be_writing(
    where: core.Node | None, waited: float, expected: str
) -> None:
    assert plan.detaching(where, UNIQUE, waited) == expected


def user(name: str, namespace: str = "n") -> core.Pod:
    return core.Pod(metadata=meta.ObjectMeta(name=name, namespace=namespace), spec=core.PodSpec(containers=[]))


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ([], "Volume is already exclusively attached to one node and can't be attached to another"),
        ([user("a"), user("b")], "Volume is already used by pod(s) a, b"),
        ([user("a"), user("x", "other")], "Volume is already used by pod(s) a and 1 pod(s) in different namespaces"),
        ([user("x", "other")], "Volume is already used by 1 pod(s) in different namespaces"),
    ],
)
def test_pods_of_other_namespaces_are_counted_and_not_named(users: list[core.Pod], words: str) -> None:
    assert plan.used_elsewhere("n", users) == words


def test_names_are_those_that_kubelets_and_attachers_look_for() -> None:
    assert csi.unique_name(DRIVER, "h1") == UNIQUE
    name = csi.attachment_name(DRIVER, "h1", "n1")
    assert name == "csi-6dbb4f2e6783da2ed1e67ae11e73fcd970774991daa91d8b7d9759dbced6a6a9"


class Cluster:
    """Two nodes, a claim that is bound to a volume of a driver; the test plays kubelets and attacher."""

    def __init__(self, world: Any) -> None:
        self.world, self.client, self.namespace = world, world.client, world.namespace
        self.volume = f"pv-{world.namespace}"
        self.handle = f"h-{world.namespace}"
        self.unique = csi.unique_name(DRIVER, self.handle)

    async def build(self) -> None:
        for name in ("one", "two"):
            made = core.Node(metadata=meta.ObjectMeta(name=self.node(name), annotations=ATTACHES))
            await self.client.create(made)
            await self.set_node(name, conditions=[{"type": "Ready", "status": "True"}])
        claim = core.PersistentVolumeClaim(
            metadata=meta.ObjectMeta(name="c", namespace=self.namespace),
            spec=core.PersistentVolumeClaimSpec(
                access_modes=["ReadWriteOnce"], storage_class_name="", volume_name=self.volume,
                resources=core.VolumeResourceRequirements(requests={"storage": "1Gi"}),
            ),
        )  # fmt: skip
        stored = await self.client.create(claim)
        patch = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}}
        kind = core.PersistentVolumeClaim
        await self.client.patch(kind, "c", self.namespace, patch, PatchType.MERGE, subresource="status")
        reference = core.ObjectReference(name="c", namespace=self.namespace, uid=stored.metadata.uid)
        spec = core.PersistentVolumeSpec(
            access_modes=["ReadWriteOnce"], capacity={"storage": "1Gi"}, claim_ref=reference,
            csi=core.CSIPersistentVolumeSource(driver=DRIVER, volume_handle=self.handle),
        )  # fmt: skip
        await self.client.create(core.PersistentVolume(metadata=meta.ObjectMeta(name=self.volume), spec=spec))

    def node(self, name: str) -> str:
        return f"{name}-{self.namespace}"

    async def set_node(self, name: str, **status: Any) -> None:
        kind = core.Node
        await self.client.patch(kind, self.node(name), "", {"status": status}, PatchType.MERGE, subresource="status")

    async def run_pod(self, name: str, on: str) -> None:
        source = core.PersistentVolumeClaimVolumeSource(claim_name="c")
        spec = core.PodSpec(
            containers=[core.Container(name="c", image="i")], node_name=self.node(on),
            volumes=[core.Volume(name="data", persistent_volume_claim=source)],
        )  # fmt: skip
        await self.client.create(core.Pod(metadata=meta.ObjectMeta(name=name, namespace=self.namespace), spec=spec))

    async def attachments(self) -> dict[str, storage.VolumeAttachment]:
        """By the short name of the node."""
        listed = (await self.client.list(storage.VolumeAttachment)).items
        own = [one for one in listed if one.spec.source.persistent_volume_name == self.volume]
        return {one.spec.node_name.removesuffix(f"-{self.namespace}"): one for one in own}

    async def attached_to(self, *names: str) -> None:
        async def holds() -> bool:
            return set(await self.attachments()) == set(names)

        await self.world.eventually(holds)

    async def answer(self, name: str, **status: Any) -> None:
        """As the driver's attacher."""
        found = (await self.attachments())[name]
        await self.client.patch(
            storage.VolumeAttachment, found.metadata.name, "", {"status": status}, PatchType.MERGE, subresource="status"
        )

    async def told_attached(self, name: str) -> list[str]:
        found = await self.client.get(core.Node, self.node(name))
        return [one.name for one in found.status.volumes_attached]


async def test_a_volume_follows_its_pods_from_node_to_node(world_of: Callable[..., Any]) -> None:
    async with world_of("persistentvolume-attach-detach-controller") as world:
        cluster = Cluster(world)
        await cluster.build()
        await cluster.run_pod("first", "one")
        await cluster.attached_to("one")
        found = (await cluster.attachments())["one"]
        assert found.metadata.name == csi.attachment_name(DRIVER, cluster.handle, cluster.node("one"))
        assert found.spec.attacher == DRIVER

        await cluster.answer("one", attached=False, attachError={"message": "no room"})
        await world.wait_told(
            "FailedAttachVolume", f'AttachVolume.Attach failed for volume "{cluster.volume}" : no room'
        )
        assert await cluster.told_attached("one") == []
        await cluster.answer("one", attached=True, attachError=None)
        await world.wait_told("SuccessfulAttachVolume", f'AttachVolume.Attach succeeded for volume "{cluster.volume}" ')

        async def is_told() -> bool:
            return await cluster.told_attached("one") == [cluster.unique]

        await world.eventually(is_told)

        await cluster.set_node("one", volumesInUse=[cluster.unique])
        await cluster.run_pod("second", "two")
        message = f'Multi-Attach error for volume "{cluster.volume}" Volume is already used by pod(s) first'
        await world.wait_told("FailedAttachVolume", message)
        await cluster.client.delete(core.Pod, "first", cluster.namespace, grace_period_seconds=0)
        await world.eventually(lambda: all(pod.metadata.name != "first" for pod in world.pods.list()))
        # Still mounted there: it is told as attached, and is.
        await cluster.set_node("one", volumesInUse=[cluster.unique], conditions=[{"type": "Ready", "status": "True", "message": "again"}])  # fmt: skip
        assert await cluster.told_attached("one") == [cluster.unique]
        assert set(await cluster.attachments()) == {"one"}

        await cluster.set_node("one", volumesInUse=None)
        await cluster.attached_to("two")
        assert await cluster.told_attached("one") == []


async def test_drivers_that_want_no_attaching_get_none(world_of: Callable[..., Any]) -> None:
    async with world_of("persistentvolume-attach-detach-controller") as world:
        cluster = Cluster(world)
        await cluster.build()
        await cluster.run_pod("first", "one")
        await cluster.attached_to("one")
        spec = storage.CSIDriverSpec(attach_required=False)
        await cluster.client.create(storage.CSIDriver(metadata=meta.ObjectMeta(name=DRIVER), spec=spec))
        await cluster.attached_to()
        await cluster.client.delete(storage.CSIDriver, DRIVER)
        await cluster.attached_to("one")


async def test_a_claim_that_grows_is_told_who_sees_to_it(world_of: Callable[..., Any]) -> None:
    async with world_of("persistentvolume-expander-controller") as world:
        cluster = Cluster(world)
        await cluster.build()
        grown = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        made = storage.StorageClass(
            metadata=meta.ObjectMeta(name=cluster.volume), provisioner=DRIVER, allow_volume_expansion=True
        )
        await cluster.client.create(made)
        kind = core.PersistentVolumeClaim
        named = {"metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": cluster.volume}}}
        await cluster.client.patch(kind, "c", cluster.namespace, named)
        await cluster.client.patch(kind, "c", cluster.namespace, grown)
        await world.wait_told("ExternalExpanding", "waiting for an external controller to expand this PVC")
