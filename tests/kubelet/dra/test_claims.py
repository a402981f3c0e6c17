"""Claims of pods, prepared by drivers that really are at the other end of a socket."""

import asyncio

import pytest
from tests.kubelet.dra.driver import FakeDriver
from tests.kubelet.world import InlineWorker

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import open_scope
from pybernetes.api.errors import not_found
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1, resource_v1
from pybernetes.kubelet.dra import messages as m
from pybernetes.kubelet.dra.claims import Claims
from pybernetes.kubelet.dra.drivers import Drivers
from pybernetes.kubelet.dra.errors import ClaimError
from pybernetes.kubelet.dra.health import Health
from pybernetes.kubelet.dra.state import ClaimStore
from pybernetes.kubelet.plugins.handler import Plugin, PluginRefused


class Node:
    """A kubelet's part of it; `wiped` has the drivers whose slices are deleted, `came` counts drivers that came."""

    def __init__(self, root, scope, clock):
        self.root, self.scope, self.clock = root, scope, clock
        self.objects, self.wiped, self.changed, self.came = {}, [], [], asyncio.Event()
        self.restart()

    def restart(self):
        store = ClaimStore(self.root / "claims.json", InlineWorker())
        store.load()
        self.health = Health(self.clock, lambda *device: self.changed.append(device))

        async def wipe(name):
            self.wiped.append(name)

        async def get(name, namespace):
            if name not in self.objects:
                raise not_found("resource.k8s.io", "resourceclaims", name)
            return self.objects[name]

        self.drivers = Drivers(self.scope, self.clock, self.health, wipe, self.came.set)
        self.claims = Claims(store, self.drivers, self.health, get)

    def claim(self, name, *pods, drivers=("gpu.example.com",), uid="", allocated=True):
        """A claim that is reserved for these pods."""
        results = [
            resource_v1.DeviceRequestAllocationResult(request="r", driver=driver, pool="pool", device=f"dev-{name}")
            for driver in drivers
        ]
        allocation = resource_v1.AllocationResult(devices=resource_v1.DeviceAllocationResult(results=results))
        self.objects[name] = resource_v1.ResourceClaim(
            metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid=uid or f"uid-{name}"),
            status=resource_v1.ResourceClaimStatus(
                allocation=allocation if allocated else None,
                reserved_for=[
                    resource_v1.ResourceClaimConsumerReference(resource="pods", name=pod, uid=f"uid-{pod}")
                    for pod in pods
                ],
            ),
        )


def pod(name, *claims, request=""):
    container = v1.Container(
        name="c",
        resources=v1.ResourceRequirements(claims=[v1.ResourceClaim(name=c, request=request or None) for c in claims]),
    )
    return v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"),
        spec=v1.PodSpec(
            containers=[container],
            resource_claims=[v1.PodResourceClaim(name=claim, resource_claim_name=claim) for claim in claims],
        ),
    )


def cdi_names(node, pod):
    return node.claims.cdi_names(pod, pod.spec.containers[0])


@pytest.fixture
async def node(tmp_path):
    async with open_scope("test") as scope:
        yield Node(tmp_path, scope, FakeClock())


@pytest.fixture
async def driver(node):
    driver = FakeDriver(node.root / "driver.sock")
    async with driver.serve():
        await node.drivers.register(driver.plugin)
        yield driver


async def test_a_pod_gets_what_its_driver_prepared_and_gives_it_up(node, driver):
    node.claim("a", "p"), node.claim("b", "p")
    p = pod("p", "a", "b")
    await node.claims.prepare(p)
    await node.claims.prepare(p)
    assert driver.prepared == ["uid-a", "uid-b"], "what is prepared is not asked for again"
    assert cdi_names(node, p) == ["example.com/gpu=a", "example.com/gpu=b"]
    await node.claims.unprepare("uid-p")
    await node.claims.unprepare("uid-p")
    assert driver.given_up == ["uid-a", "uid-b"]
    assert not node.claims.pods()


async def test_pods_share_a_claim_until_the_last_of_them_is_gone(node, driver):
    node.claim("a", "p", "q")
    await asyncio.gather(node.claims.prepare(pod("p", "a")), node.claims.prepare(pod("q", "a")))
    assert driver.prepared == ["uid-a"]
    await node.claims.unprepare("uid-p")
    assert driver.given_up == []
    await node.claims.unprepare("uid-q")
    assert driver.given_up == ["uid-a"]


@pytest.mark.parametrize(("request_name", "found"), [("", True), ("r", True), ("s", False)])
async def test_a_container_gets_the_devices_of_the_request_that_it_names(node, driver, request_name, found):
    node.claim("a", "p")
    p = pod("p", "a", request=request_name)
    await node.claims.prepare(p)
    assert cdi_names(node, p) == (["example.com/gpu=a"] if found else [])


async def test_what_a_driver_refuses_is_told_in_its_words_and_tried_again(node, driver):
    node.claim("a", "p")
    driver.errors = ["no luck", "", "still busy"]
    with pytest.raises(ClaimError, match=r"^NodePrepareResources failed for ResourceClaim a: no luck$"):
        await node.claims.prepare(pod("p", "a"))
    await node.claims.prepare(pod("p", "a"))
    with pytest.raises(ClaimError, match=r"^NodeUnprepareResources failed for ResourceClaim a: still busy$"):
        await node.claims.unprepare("uid-p")
    await node.claims.unprepare("uid-p")
    assert not node.claims.are_prepared_for("uid-p")


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda node: None, 'fetch ResourceClaim a: resourceclaims.resource.k8s.io "a" not found'),
        (lambda node: node.claim("a"), "pod p (uid-p) is not allowed to use ResourceClaim a (uid-a)"),
        (lambda node: node.claim("a", "p", allocated=False), "ResourceClaim a: not allocated"),
        (lambda node: node.claim("a", "p", drivers=("other.io",)), "DRA driver other.io is not registered"),
    ],
)
async def test_what_cannot_be_prepared_leaves_nothing_to_give_up(node, driver, prepare, words):
    prepare(node)
    with pytest.raises(ClaimError) as caught:
        await node.claims.prepare(pod("p", "a"))
    assert str(caught.value) == words
    assert not node.claims.are_prepared_for("uid-p")


async def test_a_claim_of_a_template_is_its_pods_own(node, driver):
    node.claim("made", "p")
    p = v1.Pod(
        metadata=meta_v1.ObjectMeta(name="p", namespace="default", uid="uid-p"),
        spec=v1.PodSpec(
            containers=[], resource_claims=[v1.PodResourceClaim(name="a", resource_claim_template_name="t")]
        ),
        status=v1.PodStatus(resource_claim_statuses=[v1.PodResourceClaimStatus(name="a", resource_claim_name="made")]),
    )
    with pytest.raises(ClaimError) as caught:
        await node.claims.prepare(p)
    assert str(caught.value) == "ResourceClaim default/made was not created for Pod default/p (Pod is not owner)"


async def test_a_kubelet_that_starts_anew_knows_what_is_prepared_and_asks_once_more(node, driver):
    node.claim("a", "p")
    p = pod("p", "a")
    await node.claims.prepare(p)
    node.restart()
    assert node.claims.pods() == {"uid-p"}
    assert cdi_names(node, p) == ["example.com/gpu=a"]
    await node.drivers.register(driver.plugin)
    await node.claims.prepare(p)
    assert driver.prepared == ["uid-a", "uid-a"]
    await node.claims.unprepare("uid-p")
    node.restart()
    assert not node.claims.pods()


async def test_a_claim_whose_namesake_is_still_prepared_waits(node, driver):
    node.claim("a", "p")
    await node.claims.prepare(pod("p", "a"))
    node.claim("a", "q", uid="uid-2")
    with pytest.raises(ClaimError, match="old ResourceClaim with same name a and different UID uid-a still exists"):
        await node.claims.prepare(pod("q", "a"))
    await node.claims.unprepare("uid-p")
    await node.claims.prepare(pod("q", "a"))


async def test_the_newest_instance_that_can_be_reached_is_asked(node, driver):
    newer = FakeDriver(node.root / "newer.sock")
    async with newer.serve():
        await node.drivers.register(newer.plugin)
        while node.drivers.get(newer.name).plugin != newer.plugin or not node.drivers.get(newer.name).is_connected:
            await asyncio.sleep(0)
        node.claim("a", "p")
        await node.claims.prepare(pod("p", "a"))
        assert (driver.prepared, newer.prepared) == ([], ["uid-a"])
        await node.drivers.deregister(newer.plugin)
    await node.claims.unprepare("uid-p")
    assert driver.given_up == ["uid-a"]


async def test_the_old_api_is_spoken_where_a_driver_knows_no_other(node):
    old = FakeDriver(node.root / "old.sock", service="v1beta1.DRAPlugin")
    async with old.serve():
        await node.drivers.register(old.plugin)
        node.claim("a", "p")
        await node.claims.prepare(pod("p", "a"))
    assert old.prepared == ["uid-a"]


def test_services_that_nobody_speaks_are_refused(node):
    with pytest.raises(PluginRefused) as caught:
        node.drivers.validate(Plugin("d", node.root / "s", ("v9.DRAPlugin",), node.root))
    assert str(caught.value).endswith(
        'none of services supported by the plugin (["v9.DRAPlugin"]) are supported by the kubelet '
        '(["v1.DRAPlugin" "v1beta1.DRAPlugin"])'
    )


async def test_slices_of_a_driver_are_deleted_once_it_is_away_for_thirty_seconds(node):
    driver = FakeDriver(node.root / "driver.sock")
    async with driver.serve():
        await node.drivers.register(driver.plugin)
        await node.came.wait()
        await node.clock.advance(60)
        assert node.wiped == []
        await node.drivers.deregister(driver.plugin)
        await node.clock.advance(29)
        assert node.wiped == []
        await node.clock.advance(2)
        assert node.wiped == [driver.name]


async def test_a_driver_that_comes_back_in_time_keeps_its_slices(node):
    driver = FakeDriver(node.root / "driver.sock")
    async with driver.serve():
        await node.drivers.register(driver.plugin)
        await node.came.wait()
        node.came.clear()
    while node.drivers.get(driver.name).is_connected:  # the connection is lost, the plugin stays registered
        await asyncio.sleep(0)
    await node.clock.advance(20)
    async with driver.serve():
        while not node.came.is_set():
            await node.clock.advance(0.5)
            await asyncio.sleep(0.001)
        await node.clock.advance(60)
        assert node.wiped == []


async def test_how_devices_are_is_told_for_as_long_as_it_holds(node, driver):
    node.claim("a", "p")
    p = pod("p", "a")
    await node.claims.prepare(p)
    assert _statuses(node, p) == [("claim:a", "example.com/gpu=a", "Unknown", None)]
    device = m.DeviceIdentifier(pool_name="pool", device_name="dev-a")
    ill = m.DeviceHealth(device=device, health=2, message="hot", health_check_timeout_seconds=5)
    driver.health.put_nowait(m.NodeWatchResourcesResponse(devices=[ill]))
    while not node.changed:
        await asyncio.sleep(0)
    assert node.changed == [("gpu.example.com", "pool", "dev-a")]
    assert node.claims.users_of(*node.changed[0]) == {"uid-p"}
    assert _statuses(node, p) == [("claim:a", "example.com/gpu=a", "Unhealthy", "hot")]
    await node.clock.advance(6)
    assert _statuses(node, p) == [("claim:a", "example.com/gpu=a", "Unknown", None)]


def _statuses(node, pod):
    return [
        (status.name, health.resource_id, health.health, health.message)
        for status in node.claims.statuses(pod, pod.spec.containers[0])
        for health in status.resources
    ]
