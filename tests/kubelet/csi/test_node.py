"""Volumes of a CSI driver on a node: a real API server, a real driver on a real socket, real mounts."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from tests.apiservers import running_apiserver
from tests.csidriver import Driver

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.grpc.errors import Code
from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.aio.threads import Worker
from pybernetes.api import csi
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1 as meta
from pybernetes.api.types import storage_v1 as storage
from pybernetes.client.config import Config
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client, connect
from pybernetes.kubelet.api import PodApi
from pybernetes.kubelet.events import Events
from pybernetes.kubelet.plugins.handler import CSI_PLUGIN
from pybernetes.kubelet.plugins.watcher import PluginWatcher
from pybernetes.kubelet.root import Root
from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes.csi.door import CsiDoor
from pybernetes.kubelet.volumes.files import VolumeError
from pybernetes.kubelet.volumes.usage import Usage

from ..fakes import FakeRecorder

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        yield server.url


class Node:
    """The kubelet's part for CSI on a node of its own; the test plays the rest of the kubelet, and the attacher."""

    def __init__(self, client: Client, informers: Informers, path: Path, scope: Scope) -> None:
        self.client, self.informers, self.name = client, informers, f"n{next(_numbers)}"
        self.root, self.threads = Root(path / "kubelet"), Worker("files")
        self.root.make()
        self.driver = Driver(self.root, path / "data", name=f"{self.name}.test")
        self.socket = self.root.plugins_registry / "d.sock"
        self.own = informers.of(v1.Node, field_selector=f"metadata.name={self.name}")
        self.recorder, self.scope = FakeRecorder(), scope
        self.reported = asyncio.Event()
        self.door = self.restarted()

    def restarted(self) -> CsiDoor:
        """As a new kubelet has it."""
        self.door = CsiDoor(
            self.root, self.client, self.own, self.name, SystemClock(), self.threads, PodApi(self.client),
            Events(self.recorder, self.name), self.reported.set, self.scope,
        )  # fmt: skip
        return self.door

    async def report(self) -> None:
        """As the node's reporter."""
        while True:
            await self.reported.wait()
            self.reported.clear()
            patch = {"status": {"volumesInUse": self.door.in_use() or None}}
            await self.client.patch(v1.Node, self.name, "", patch, PatchType.MERGE, subresource="status")

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Plugins are followed while the block lasts."""
        watcher = PluginWatcher(self.root, {CSI_PLUGIN: self.door}, SystemClock())
        async with open_scope("watcher") as scope:
            scope.spawn(watcher.run(), "plugins")
            yield

    async def csi_node(self) -> storage.CSINode:
        return await self.client.get(storage.CSINode, self.name)

    async def say(self, **spec: object) -> None:
        """What the driver says of itself."""
        said = storage.CSIDriverSpec(**spec)
        await self.client.create(storage.CSIDriver(metadata=meta.ObjectMeta(name=self.driver.name), spec=said))

    async def attach(self, volume: v1.PersistentVolume, **metadata: str) -> None:
        handle = volume.spec.csi.volume_handle if volume.spec.csi else ""
        name = csi.attachment_name(self.driver.name, handle, self.name)
        source = storage.VolumeAttachmentSource(persistent_volume_name=volume.metadata.name)
        spec = storage.VolumeAttachmentSpec(attacher=self.driver.name, node_name=self.name, source=source)
        await self.client.create(storage.VolumeAttachment(metadata=meta.ObjectMeta(name=name), spec=spec))
        status = {"status": {"attached": True, "attachmentMetadata": metadata}}
        await self.client.patch(storage.VolumeAttachment, name, "", status, PatchType.MERGE, subresource="status")
        listed = [{"name": csi.unique_name(self.driver.name, handle), "devicePath": ""}]
        status = {"status": {"volumesAttached": listed}}
        await self.client.patch(v1.Node, self.name, "", status, PatchType.MERGE, subresource="status")

    def volume(self, handle: str = "h", **spec: object) -> v1.PersistentVolume:
        source = v1.CSIPersistentVolumeSource(driver=self.driver.name, volume_handle=handle, volume_attributes={"a": "b"})  # fmt: skip
        given = {"access_modes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "csi": source} | spec
        return v1.PersistentVolume(metadata=meta.ObjectMeta(name=f"pv-{handle}"), spec=v1.PersistentVolumeSpec(**given))

    def pod(self, uid: str = "u1", **spec: object) -> v1.Pod:
        metadata = meta.ObjectMeta(name=f"pod-{uid}", namespace="default", uid=uid)
        return v1.Pod(metadata=metadata, spec=v1.PodSpec(containers=[], service_account_name="default", **spec))

    def directory(self, uid: str = "u1") -> Path:
        return self.root.pods / uid


@pytest_asyncio.fixture
async def node(apiserver: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(Config(servers=(apiserver,)), user_agent="test"))
        informers = Informers(client)
        scope = await stack.enter_async_context(open_scope("node"))
        made = Node(client, informers, tmp_path, scope)
        await client.create(v1.Node(metadata=meta.ObjectMeta(name=made.name)))
        await stack.enter_async_context(informers.running())
        await informers.wait_synced()
        scope.spawn(made.report(), "report")
        yield made
        await scope.close()
        await made.threads.close()


@pytest_asyncio.fixture
async def ready(node: Node) -> AsyncIterator[Node]:
    """With its driver registered."""
    async with node.driver.serving(node.socket), node.watching():
        await eventually(lambda: bool(node.driver.registered))
        yield node


async def eventually(condition: object) -> None:
    async with asyncio.timeout(30):
        while True:
            found = condition()  # type: ignore[operator]
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.005)


async def test_a_driver_that_registers_is_on_the_objects_of_its_node_until_it_goes(node: Node) -> None:
    async with node.watching():
        async with node.driver.serving(node.socket):
            await eventually(lambda: bool(node.driver.registered))
            assert node.driver.registered[0].plugin_registered
            found = await node.csi_node()
            assert found.metadata.owner_references[0].kind == "Node"
            (entry,) = found.spec.drivers
            assert (entry.name, entry.node_id, entry.topology_keys) == (node.driver.name, "n1", ["zone.test/zone"])
            assert entry.allocatable
            assert entry.allocatable.count == 3
            own = await node.client.get(v1.Node, node.name)
            assert own.metadata.labels["zone.test/zone"] == "a"
            assert json.loads(own.metadata.annotations["csi.volume.kubernetes.io/nodeid"]) == {node.driver.name: "n1"}

        async def is_gone() -> bool:
            return not (await node.csi_node()).spec.drivers

        await eventually(is_gone)


async def test_a_driver_stays_on_the_node_over_a_restart_of_the_kubelet(node: Node) -> None:
    async with node.driver.serving(node.socket):
        async with node.watching():
            await eventually(lambda: bool(node.driver.registered))
        assert (await node.csi_node()).spec.drivers


async def test_a_driver_that_contradicts_the_nodes_labels_is_refused(node: Node) -> None:
    await node.client.patch(v1.Node, node.name, "", {"metadata": {"labels": {"zone.test/zone": "b"}}})
    async with node.driver.serving(node.socket), node.watching():
        await eventually(lambda: bool(node.driver.registered))
        told = node.driver.registered[0]
        assert not told.plugin_registered
        assert 'detected topology value collision: driver reported "zone.test/zone":"a"' in told.error


async def test_a_volume_is_attached_staged_once_and_published_for_each_pod(ready: Node) -> None:
    volume = ready.volume()
    first = asyncio.ensure_future(ready.door.set_up_volume(ready.pod("u1"), volume, read_only=False))

    async def is_told() -> bool:
        found = await ready.client.get(v1.Node, ready.name)
        return found.status.volumes_in_use == [csi.unique_name(ready.driver.name, "h")]

    await eventually(is_told)
    assert not first.done()
    assert not ready.driver.named("NodeStageVolume")
    await ready.attach(volume, device="/dev/x")
    made = await first
    second = await ready.door.set_up_volume(ready.pod("u2"), volume, read_only=True)
    (made.path / "file").write_text("shared")
    assert (second.path / "file").read_text() == "shared"

    (staged,) = ready.driver.named("NodeStageVolume")
    assert staged.publish_context == {"device": "/dev/x"}
    assert staged.staging_target_path.startswith(f"/var/lib/kubelet/plugins/kubernetes.io/csi/{ready.driver.name}/")
    assert staged.volume_capability.access_mode.mode == 7
    published = ready.driver.named("NodePublishVolume")
    target = "/var/lib/kubelet/pods/{}/volumes/kubernetes.io~csi/pv-h/mount"
    assert [request.target_path for request in published] == [target.format("u1"), target.format("u2")]
    assert [request.readonly for request in published] == [False, True]
    data = json.loads((made.path.parent / "vol_data.json").read_text())
    assert data == {
        "attachmentID": csi.attachment_name(ready.driver.name, "h", ready.name), "driverName": ready.driver.name,
        "nodeName": ready.name, "specVolID": "pv-h", "volumeHandle": "h", "volumeLifecycleMode": "Persistent",
    }  # fmt: skip

    told = await ready.door.usage(second.path)
    assert told == Usage(capacity=100, available=70, used=30, inodes=10, inodes_free=7, inodes_used=3)
    await ready.door.tear_down(ready.directory("u1"))
    assert not ready.door.serves(made.path)
    assert not made.path.parent.exists()
    assert not ready.driver.named("NodeUnstageVolume")
    # After a restart only the disk knows what the other pod has.
    async with restarted(ready):
        assert ready.door.in_use() == [csi.unique_name(ready.driver.name, "h")]
        await ready.door.tear_down(ready.directory("u2"))
    assert len(ready.driver.named("NodeUnstageVolume")) == 1
    assert ready.door.in_use() == []
    assert not mounting.mounts_below(ready.root.own)


@asynccontextmanager
async def restarted(node: Node) -> AsyncIterator[None]:
    told = len(node.driver.registered)
    node.restarted()
    async with node.watching():
        await eventually(lambda: len(node.driver.registered) > told)
        yield


async def test_what_was_perhaps_staged_is_unstaged(ready: Node) -> None:
    await ready.say(attach_required=False)
    ready.driver.fail("NodeStageVolume", Code.DEADLINE_EXCEEDED)
    with pytest.raises(VolumeError) as told:
        await ready.door.set_up_volume(ready.pod(), ready.volume(), read_only=False)
    assert told.value.told("data") == (
        'MountVolume.MountDevice failed for volume "pv-h" : rpc error: code = DeadlineExceeded desc = by request'
    )
    await ready.door.tear_down(ready.directory())
    assert len(ready.driver.named("NodeUnstageVolume")) == 1


async def test_what_was_for_sure_not_staged_is_not_unstaged(ready: Node) -> None:
    await ready.say(attach_required=False)
    ready.driver.fail("NodeStageVolume", Code.INVALID_ARGUMENT)
    with pytest.raises(VolumeError):
        await ready.door.set_up_volume(ready.pod(), ready.volume(), read_only=False)
    await ready.door.tear_down(ready.directory())
    assert not ready.driver.named("NodeUnstageVolume")
    assert not list((ready.root.plugins / "kubernetes.io/csi" / ready.driver.name).iterdir())


async def test_a_pod_keeps_its_volume_until_the_driver_takes_it_away(ready: Node) -> None:
    await ready.say(attach_required=False)
    made = await ready.door.set_up_volume(ready.pod(), ready.volume(), read_only=False)
    ready.driver.fail("NodeUnpublishVolume", Code.INTERNAL)
    with pytest.raises(VolumeError, match="Internal"):
        await ready.door.tear_down(ready.directory())
    assert mounting.is_mount_point(made.path)
    await ready.door.tear_down(ready.directory())
    assert not made.path.exists()


async def test_an_inline_volume_is_told_about_its_pod_and_lives_with_it(ready: Node) -> None:
    await ready.say(
        attach_required=False, pod_info_on_mount=True, volume_lifecycle_modes=["Ephemeral"], requires_republish=True
    )
    source = v1.CSIVolumeSource(driver=ready.driver.name, volume_attributes={"size": "1"})
    made = await ready.door.set_up_inline(ready.pod(), "scratch", source)
    assert made.republish
    (request,) = ready.driver.named("NodePublishVolume")
    assert request.volume_context == {
        "size": "1", "csi.storage.k8s.io/pod.name": "pod-u1", "csi.storage.k8s.io/pod.namespace": "default",
        "csi.storage.k8s.io/pod.uid": "u1", "csi.storage.k8s.io/serviceAccount.name": "default",
        "csi.storage.k8s.io/ephemeral": "true",
    }  # fmt: skip
    assert not ready.driver.named("NodeStageVolume")
    with pytest.raises(VolumeError, match=r'volume mode "Persistent" not supported by driver .*only supports \["Ephem'):
        await ready.door.set_up_volume(ready.pod("u2"), ready.volume(), read_only=False)
    await ready.door.tear_down(ready.directory())
    assert not made.path.exists()


async def test_without_a_driver_it_is_said_so(node: Node) -> None:
    await node.say(attach_required=False)
    with pytest.raises(VolumeError) as told:
        await node.door.set_up_volume(node.pod(), node.volume(), read_only=False)
    assert told.value.told("data") == (
        'MountVolume.MountDevice failed for volume "pv-h" : kubernetes.io/csi: attacher.MountDevice failed to create '
        f"newCsiDriverClient: driver name {node.driver.name} not found in the list of registered CSI drivers"
    )


async def test_a_volume_for_one_pod_is_not_given_to_two(ready: Node) -> None:
    await ready.say(attach_required=False)
    volume = ready.volume(access_modes=["ReadWriteOncePod"])
    await ready.door.set_up_volume(ready.pod("u1"), volume, read_only=False)
    with pytest.raises(VolumeError, match="ReadWriteOncePod access mode and is already in use by another pod"):
        await ready.door.set_up_volume(ready.pod("u2"), volume, read_only=False)
    await ready.door.tear_down(ready.directory("u1"))
    await ready.door.set_up_volume(ready.pod("u2"), volume, read_only=False)
    await ready.door.tear_down(ready.directory("u2"))


async def test_fs_group_owns_what_the_drivers_policy_lets(ready: Node) -> None:
    await ready.say(attach_required=False, fs_group_policy="File")
    pod = ready.pod(security_context=v1.PodSecurityContext(fs_group=1234))
    made = await ready.door.set_up_volume(pod, ready.volume(), read_only=False)
    assert made.path.stat().st_gid == 1234
    await ready.door.tear_down(ready.directory())


async def test_a_volume_grows_when_it_comes_to_a_pod(ready: Node) -> None:
    await ready.say(attach_required=False)
    name = f"claim-{ready.name}"
    spec = v1.PersistentVolumeClaimSpec(
        access_modes=["ReadWriteOnce"], storage_class_name="", resources=v1.VolumeResourceRequirements(requests={"storage": "2Gi"})
    )  # fmt: skip
    claim = await ready.client.create(
        v1.PersistentVolumeClaim(metadata=meta.ObjectMeta(name=name, namespace="default"), spec=spec)
    )
    condition = {"type": "FileSystemResizePending", "status": "True"}
    status = {
        "phase": "Bound", "capacity": {"storage": "1Gi"}, "allocatedResources": {"storage": "2Gi"},
        "allocatedResourceStatuses": {"storage": "NodeResizePending"}, "conditions": [condition],
    }  # fmt: skip
    kind = v1.PersistentVolumeClaim
    await ready.client.patch(kind, name, "default", {"status": status}, PatchType.MERGE, subresource="status")
    reference = v1.ObjectReference(name=name, namespace="default", uid=claim.metadata.uid)
    volume = ready.volume(ready.name, capacity={"storage": "2Gi"}, claim_ref=reference)
    await ready.client.create(volume)

    ready.driver.fail("NodeExpandVolume", Code.INTERNAL, "no luck")
    await ready.door.set_up_volume(ready.pod("u1"), volume, read_only=False)
    told = await ready.client.get(kind, name, "default")
    assert told.status.allocated_resource_statuses == {"storage": "NodeResizeInProgress"}
    assert "no luck" in (told.status.conditions[1].message or "")

    await ready.door.set_up_volume(ready.pod("u1"), volume, read_only=False)
    asked = ready.driver.named("NodeExpandVolume")[1]
    assert asked.capacity_range.required_bytes == 2 * 2**30
    assert asked.volume_path.endswith(f"/pv-{ready.name}/mount")
    told = await ready.client.get(kind, name, "default")
    assert told.status.capacity == {"storage": "2Gi"}
    assert (told.status.allocated_resource_statuses, told.status.conditions) == ({}, [])
    await ready.door.tear_down(ready.directory())
