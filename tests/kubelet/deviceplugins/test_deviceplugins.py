"""Device plugins that really are at the other end of a socket, from registration to a container's config."""

import asyncio

import pytest
from tests.kubelet.deviceplugins.plugin import FakePlugin
from tests.kubelet.world import InlineWorker

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.grpc.client import Channel
from pybernetes.aio.grpc.errors import GrpcError
from pybernetes.aio.grpc.listening import listening
from pybernetes.aio.tasks import Scope
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1
from pybernetes.kubelet.deviceplugins.allocator import Allocator
from pybernetes.kubelet.deviceplugins.errors import DeviceError
from pybernetes.kubelet.deviceplugins.pod_resources import (
    SERVICE,
    AllocatableResourcesResponse,
    Empty,
    GetPodResourcesRequest,
    GetPodResourcesResponse,
    ListPodResourcesResponse,
    PodResourcesService,
)
from pybernetes.kubelet.deviceplugins.registry import DevicePlugins
from pybernetes.kubelet.deviceplugins.resources import Amount, Resources
from pybernetes.kubelet.dra.claims import Claims
from pybernetes.kubelet.dra.state import ClaimStore
from pybernetes.kubelet.root import Root

GPU = "example.com/gpu"


class Node:
    """A kubelet's part of it; `pods` are those that are active."""

    def __init__(self, path):
        self.root, self.clock, self.pods = Root(path), FakeClock(), []
        self.root.make()
        self.start()

    async def restart(self):
        await self.scope.close()
        self.start()

    def start(self):
        self.scope = Scope("kubelet")
        self.changes: asyncio.Queue[tuple[str, set[str]]] = asyncio.Queue()
        self.resources = Resources(self.clock, lambda name, devices: self.changes.put_nowait((name, set(devices))))
        active = lambda: [pod.metadata.uid for pod in self.pods]  # noqa: E731
        self.allocator = Allocator(self.root, self.resources, active, InlineWorker())
        directory = self.root.device_plugins
        self.registry = DevicePlugins(directory, self.resources, self.scope, self.allocator.save)
        self.scope.spawn(self.registry.run(), "device plugins")

    async def listening(self):
        while not (self.root.device_plugins / "kubelet.sock").exists():
            await asyncio.sleep(0)

    async def granted(self, pod, index=0):
        return await self.allocator.granted(pod, pod.spec.containers[index])


def pod(name, *numbers, init=()):
    """Containers that want so many each."""

    def container(kind, index, number, policy=None):
        limits = {GPU: str(number)} if number else {}
        resources = v1.ResourceRequirements(limits=limits, requests=limits)
        return v1.Container(name=f"{kind}{index}", resources=resources, restart_policy=policy)

    return v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"),
        spec=v1.PodSpec(
            init_containers=[container("i", index, *each) for index, each in enumerate(init)],
            containers=[container("c", index, number) for index, number in enumerate(numbers)],
        ),
    )


@pytest.fixture
async def node(tmp_path):
    node = Node(tmp_path)
    await node.listening()
    yield node
    await node.scope.close()


@pytest.fixture
async def plugin(node):
    """Registered, with two devices that are well and one that is not."""
    plugin = FakePlugin(node.root.device_plugins)
    async with plugin.serve():
        await plugin.register()
        plugin.tell(a="Healthy", b="Healthy", c="Unhealthy")
        assert await node.changes.get() == (GPU, {"a", "b", "c"})
        yield plugin


async def test_the_node_has_what_plugins_announce(node, plugin):
    assert node.resources.amounts() == {GPU: Amount(3, 2)}
    plugin.tell(a="Healthy", b="Unhealthy", c="Unhealthy")
    assert await node.changes.get() == (GPU, {"b"})
    assert node.resources.amounts() == {GPU: Amount(3, 1)}


async def test_a_plugin_that_is_gone_leaves_its_capacity_for_five_minutes(node):
    plugin = FakePlugin(node.root.device_plugins)
    async with plugin.serve():
        await plugin.register()
        plugin.tell(a="Healthy")
        await node.changes.get()
    assert await node.changes.get() == (GPU, {"a"})
    assert node.resources.amounts() == {GPU: Amount(1, 0)}
    await node.clock.advance(299)
    assert node.resources.amounts() == {GPU: Amount(1, 0)}
    await node.clock.advance(2)
    assert node.resources.amounts() == {}
    assert node.resources.removed == {GPU}
    async with plugin.serve():
        await plugin.register()
        plugin.tell(a="Healthy")
        await node.changes.get()
        assert node.resources.amounts() == {GPU: Amount(1, 1)}
        assert not node.resources.removed


async def test_a_plugin_that_registers_again_takes_the_place_of_itself(node, plugin):
    newer = FakePlugin(node.root.device_plugins)
    newer.socket = "newer.sock"
    async with newer.serve():
        await newer.register()
        newer.tell(x="Healthy")
        while node.resources.amounts() != {GPU: Amount(1, 1)}:
            await node.changes.get()
        plugin.tell(a="Healthy")
        await node.allocator.allocate(pod("p", 1))
        assert (plugin.allocated, newer.allocated) == ([], [["x"]])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"version": "v1alpha"},
            'requested API version "v1alpha" is not supported by kubelet. Supported version is ["v1beta1"]',
        ),
        ({"name": "gpu"}, 'the ResourceName "gpu" is invalid'),
    ],
)
async def test_registrations_that_are_refused(node, arguments, words):
    plugin = FakePlugin(node.root.device_plugins)
    async with plugin.serve():
        with pytest.raises(GrpcError) as caught:
            await plugin.register(**arguments)
    assert caught.value.message == words
    assert node.resources.amounts() == {}


async def test_a_container_gets_devices_and_what_they_need(node, plugin):
    node.pods = [pod("p", 2)]
    await node.allocator.allocate(node.pods[0])
    assert plugin.allocated == [["a", "b"]]
    granted = await node.granted(node.pods[0])
    assert granted.variables == {"DEVICES": "a,b"}
    assert [(m.container_path, m.host_path, m.readonly) for m in granted.mounts] == [
        ("/plugin", str(node.root.device_plugins), True),
        ("/made", str(node.root.device_plugins / "made"), False),
    ]
    assert [(d.container_path, d.host_path, d.permissions) for d in granted.devices] == [
        ("/dev/a", "/dev/null", "rw"),
        ("/dev/b", "/dev/null", "rw"),
    ]
    assert granted.annotations == {"example.com/devices": "some"}
    assert granted.cdi_names == ["example.com/gpu=a", "example.com/gpu=b"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda node, plugin: node.pods.append(pod("q", 2)),
            "requested number of devices unavailable for example.com/gpu. Requested: 1, Available: 0",
        ),
        (
            lambda node, plugin: plugin.tell(a="Unhealthy"),
            "no healthy devices present; cannot allocate unhealthy devices example.com/gpu",
        ),
        (lambda node, plugin: setattr(plugin, "error", "boom"), "rpc error: code = Unknown desc = boom"),
    ],
)
async def test_why_a_pod_gets_no_device(node, plugin, change, words):
    change(node, plugin)
    for other in node.pods:
        await node.allocator.allocate(other)
    if not plugin.lists.empty():
        await node.changes.get()
    with pytest.raises(DeviceError) as caught:
        await node.allocator.allocate(pod("p", 1))
    assert str(caught.value) == words


async def test_a_pod_that_cannot_have_everything_has_nothing(node, plugin):
    with pytest.raises(DeviceError):
        await node.allocator.allocate(pod("p", 1, 1, 1))
    await node.allocator.allocate(pod("q", 2))


async def test_devices_of_pods_that_are_done_are_free_again(node, plugin):
    node.pods = [pod("p", 2)]
    await node.allocator.allocate(node.pods[0])
    node.pods = []
    await node.allocator.allocate(pod("q", 2))
    assert plugin.allocated == [["a", "b"], ["a", "b"]]


async def test_init_containers_leave_their_devices_to_others_but_sidecars_keep_them(node, plugin):
    p = pod("p", 1, init=[(1, None), (1, "Always")])
    await node.allocator.allocate(p)
    taken = {each.name: node.allocator.allocations("uid-p", each.name)[0].devices for each in p.spec.init_containers}
    (own,) = node.allocator.allocations("uid-p", "c0")
    assert taken == {"i0": ["a"], "i1": ["a"]}
    assert own.devices == ["b"]


async def test_the_plugin_may_choose_and_is_told_of_starts(node):
    plugin = FakePlugin(node.root.device_plugins, get_preferred_allocation_available=True, pre_start_required=True)
    async with plugin.serve():
        await plugin.register()
        plugin.tell(a="Healthy", b="Healthy", c="Healthy")
        await node.changes.get()
        p = pod("p", 2)
        await node.allocator.allocate(p)
        assert plugin.preferred == [(["a", "b", "c"], [], 2)]
        assert plugin.allocated == [["c", "b"]]
        assert plugin.started == []
        await node.granted(p)
        await node.granted(p)
        assert plugin.started == [["c", "b"], ["c", "b"]]


async def test_a_kubelet_that_starts_anew_knows_who_has_what(node, plugin):
    node.pods = [pod("p", 1)]
    await node.allocator.allocate(node.pods[0])
    await node.restart()
    assert node.resources.amounts() == {GPU: Amount(0, 0)}, "until the plugin registers again"
    await node.allocator.allocate(node.pods[0])
    assert (await node.granted(node.pods[0])).variables == {"DEVICES": "a"}
    with pytest.raises(DeviceError, match="no healthy devices present"):
        await node.allocator.allocate(pod("q", 1))
    await node.listening()
    async with plugin.serve():
        await plugin.register()
        plugin.tell(a="Healthy", b="Healthy")
        await node.changes.get()
        await node.allocator.allocate(pod("q", 1))
    assert plugin.allocated == [["a"], ["b"]]


async def test_resources_that_no_plugin_announced_are_nobodys_business_here(node):
    await node.allocator.allocate(pod("p", 5))


async def test_how_devices_are_is_told_on_their_pods(node, plugin):
    p = pod("p", 1)
    await node.allocator.allocate(p)
    assert _statuses(node, p) == [(GPU, "a", "Healthy")]
    assert node.allocator.users_of(GPU, {"a", "x"}) == {"uid-p"}
    plugin.tell(a="Unhealthy")
    await node.changes.get()
    assert _statuses(node, p) == [(GPU, "a", "Unhealthy")]


def _statuses(node, pod):
    return [
        (status.name, health.resource_id, health.health)
        for status in node.allocator.statuses(pod, pod.spec.containers[0])
        for health in status.resources
    ]


async def test_monitoring_is_told_which_container_has_what(node, plugin):
    node.pods = [pod("p", 1), pod("q", 0)]
    await node.allocator.allocate(node.pods[0])
    claims = Claims(ClaimStore(node.root.own / "none.json", InlineWorker()), None, None, None)
    service = PodResourcesService(lambda: node.pods, node.resources, node.allocator, claims)
    path = node.root.pod_resources / "kubelet.sock"
    async with listening(path, service.methods):
        channel = Channel(path)
        listed = await channel.call(f"{SERVICE}/List", Empty(), ListPodResourcesResponse, 10)
        seen = {
            each.name: [(d.resource_name, d.device_ids) for c in each.containers for d in c.devices]
            for each in listed.pod_resources
        }
        assert seen == {"p": [(GPU, ["a"])], "q": []}
        free = await channel.call(f"{SERVICE}/GetAllocatableResources", Empty(), AllocatableResourcesResponse, 10)
        assert [d.device_ids for d in free.devices] == [["a"], ["b"]]
        request = GetPodResourcesRequest(pod_name="p", pod_namespace="default")
        one = await channel.call(f"{SERVICE}/Get", request, GetPodResourcesResponse, 10)
        assert one.pod_resources == listed.pod_resources[0]
        with pytest.raises(GrpcError, match="pod x in namespace default not found"):
            await channel.call(
                f"{SERVICE}/Get", GetPodResourcesRequest(pod_name="x", pod_namespace="default"), Empty, 10
            )
        channel.close()
