"""Silent nodes, taints, evictions, pod ranges and orphaned pods."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest

from pybernetes.api.errors import StatusError
from pybernetes.api.taints import tolerates
from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.patch import PatchType
from pybernetes.controllers import podgc
from pybernetes.controllers.node.eviction import bound_at, seconds_until_eviction
from pybernetes.controllers.node.health import NOT_READY, UNREACHABLE, silent_conditions, taints_of
from pybernetes.controllers.node.ipam import free_range
from pybernetes.controllers.node.zones import Zone
from pybernetes.controllers.options import Options

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def node(name: str = "n", *, spec: core_v1.NodeSpec | None = None, **conditions: str) -> core_v1.Node:
    found = [
        core_v1.NodeCondition(type=type, status=status, last_heartbeat_time="2026-01-01T00:00:00Z", last_transition_time="t0")
        for type, status in conditions.items()
    ]  # fmt: skip
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=name, uid=name, creation_timestamp="2026-01-01T00:00:00Z"),
        spec=spec or core_v1.NodeSpec(),
        status=core_v1.NodeStatus(conditions=found),
    )


def keys(taints: list[core_v1.Taint]) -> set[tuple[str, str]]:
    return {(taint.key.rpartition("/")[2], taint.effect) for taint in taints}


@pytest.mark.parametrize(
    ("found", "evicts", "expected"),
    [
        (node(Ready="True"), True, set()),
        (node(Ready="False"), True, {("not-ready", "NoSchedule"), ("not-ready", "NoExecute")}),
        (node(Ready="Unknown"), True, {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}),
        (node(Ready="Unknown"), False, {("unreachable", "NoSchedule")}),
        (node(Ready="True", MemoryPressure="True", DiskPressure="False"), True, {("memory-pressure", "NoSchedule")}),
        (node(Ready="True", spec=core_v1.NodeSpec(unschedulable=True)), True, {("unschedulable", "NoSchedule")}),
    ],
)
def test_conditions_become_taints(found: core_v1.Node, evicts: bool, expected: set[tuple[str, str]]) -> None:
    assert keys(taints_of(found, evicts=evicts, now="now")) == expected


def test_others_taints_stay_and_ours_keep_their_time() -> None:
    taints = [
        core_v1.Taint(key="dedicated", value="db", effect="NoExecute"),
        core_v1.Taint(key=NOT_READY, effect="NoExecute", time_added="before"),
        core_v1.Taint(key=UNREACHABLE, effect="NoSchedule"),
    ]
    made = taints_of(node(spec=core_v1.NodeSpec(taints=taints), Ready="False"), evicts=True, now="now")
    assert {(taint.key, taint.effect): taint.time_added for taint in made} == {
        ("dedicated", "NoExecute"): None,
        (NOT_READY, "NoSchedule"): "now",
        (NOT_READY, "NoExecute"): "before",
    }


def test_a_silent_node_is_unknown() -> None:
    made = {found.type: found for found in silent_conditions(node(Ready="True", DiskPressure="Unknown"), "now")}
    assert {type: (found.status, found.reason) for type, found in made.items()} == {
        "Ready": ("Unknown", "NodeStatusUnknown"),
        "DiskPressure": ("Unknown", None),
        "MemoryPressure": ("Unknown", "NodeStatusNeverUpdated"),
        "PIDPressure": ("Unknown", "NodeStatusNeverUpdated"),
    }
    assert made["Ready"].message == "Kubelet stopped posting node status."


def taint(seconds_ago: float = 0, key: str = "k", value: str = "") -> core_v1.Taint:
    return core_v1.Taint(
        key=key, value=value, effect="NoExecute", time_added=format_time(NOW - timedelta(seconds=seconds_ago))
    )


def tolerate(key: str = "k", seconds: int | None = None) -> core_v1.Toleration:
    return core_v1.Toleration(key=key, operator="Exists", effect="NoExecute", toleration_seconds=seconds)


@pytest.mark.parametrize(
    ("taints", "tolerations", "expected"),
    [
        ([], [], None),
        ([taint()], [], 0),
        ([taint()], [tolerate()], None),
        ([taint(100)], [tolerate(seconds=300)], 200),
        ([taint(400)], [tolerate(seconds=300)], 0),
        ([taint(), taint(key="other")], [tolerate()], 0),
        ([taint(), taint(10, key="other")], [tolerate(), tolerate("other", 60)], 50),
        ([taint()], [tolerate(seconds=300), tolerate(seconds=20)], 20),
    ],
)
def test_tolerations_decide_when_a_pod_goes(
    taints: list[core_v1.Taint], tolerations: list[core_v1.Toleration], expected: float | None
) -> None:
    assert seconds_until_eviction(taints, tolerations, NOW) == expected


def test_a_number_that_is_tolerated_is_no_reason_to_go() -> None:
    """As the scheduler judges, so do evictions: else a pod would be placed and driven away for ever."""
    found = core_v1.Toleration(key="k", operator="Gt", value="3", effect="NoExecute")
    assert seconds_until_eviction([taint(value="5")], [found], NOW) is None
    assert seconds_until_eviction([taint(value="2")], [found], NOW) == 0


@pytest.mark.parametrize(
    ("since", "expected"),
    [(None, 0), (NOW - timedelta(seconds=10), 50), (NOW - timedelta(seconds=100), 0), (NOW - timedelta(hours=2), 0)],
)
def test_a_pod_that_comes_to_a_tainted_node_has_its_time_there(since: datetime | None, expected: float) -> None:
    assert seconds_until_eviction([taint(3600)], [tolerate(seconds=60)], NOW, since) == expected


def test_a_pod_is_on_its_node_since_it_was_placed() -> None:
    placed = core_v1.PodCondition(type="PodScheduled", status="True", last_transition_time="2026-01-01T00:00:00Z")
    waiting = core_v1.PodCondition(type="PodScheduled", status="False", last_transition_time="2026-01-01T00:00:00Z")
    spec = core_v1.PodSpec(containers=[])
    assert bound_at(core_v1.Pod(spec=spec, status=core_v1.PodStatus(conditions=[placed]))) == NOW
    assert bound_at(core_v1.Pod(spec=spec, status=core_v1.PodStatus(conditions=[waiting]))) is None


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        (core_v1.Toleration(operator="Exists"), True),
        (core_v1.Toleration(key="k", operator="Equal", value="v"), True),
        (core_v1.Toleration(key="k", value="v", effect="NoExecute"), True),
        (core_v1.Toleration(key="k", value="w"), False),
        (core_v1.Toleration(key="k", operator="Exists", effect="NoSchedule"), False),
        (core_v1.Toleration(key="x", operator="Exists"), False),
        (core_v1.Toleration(value="v"), False),
    ],
)
def test_what_a_toleration_covers(toleration: core_v1.Toleration, expected: bool) -> None:
    assert tolerates(toleration, taint(value="v")) is expected


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ([], "10.244.0.0/24"),
        (["10.244.0.0/24", "10.244.2.0/24"], "10.244.1.0/24"),
        (["10.244.0.0/23"], "10.244.2.0/24"),
        (["10.244.0.0/28"], "10.244.1.0/24"),
        (["10.244.0.0/22"], None),
    ],
)
def test_nodes_get_the_first_free_range(used: list[str], expected: str | None) -> None:
    found = free_range(ip_network("10.244.0.0/22"), 24, [ip_network(text) for text in used])
    assert (str(found) if found else None) == expected


def finished(name: str, created: str, reason: str | None = None) -> core_v1.Pod:
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, creation_timestamp=created),
        spec=core_v1.PodSpec(containers=[]),
        status=core_v1.PodStatus(phase="Failed", reason=reason),
    )


def test_the_oldest_finished_pods_beyond_the_threshold_go() -> None:
    pods = [finished("new", "3"), finished("old", "1"), finished("middle", "2"), finished("evicted", "4", "Evicted")]
    assert [pod.metadata.name for pod in podgc.surplus(pods, 2)] == ["evicted", "old"]
    assert podgc.surplus(pods, 0) == []


async def register(world: Any, name: str) -> core_v1.Node:
    made = await world.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name)))
    return await say_ready(world, made)


async def say_ready(world: Any, found: core_v1.Node, status: str = "True") -> core_v1.Node:
    stamp = format_time(datetime.now(UTC))
    condition = core_v1.NodeCondition(
        type="Ready", status=status, last_heartbeat_time=stamp, last_transition_time=stamp
    )
    patch = {"status": {"conditions": [msgspec.to_builtins(condition)]}}
    said: core_v1.Node = await world.client.patch(
        core_v1.Node, found.metadata.name or "", "", patch, PatchType.STRATEGIC, subresource="status"
    )
    return said


async def bound_pod(world: Any, name: str, on: str, **spec: Any) -> core_v1.Pod:
    meta = meta_v1.ObjectMeta(name=name, namespace=world.namespace)
    made = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")], node_name=on, **spec)
    pod: core_v1.Pod = await world.client.create(core_v1.Pod(metadata=meta, spec=made))
    await world.set_pod(pod)
    return pod


async def test_a_node_that_falls_silent_loses_its_pods(world_of: Callable[..., Any]) -> None:
    controllers = "node-lifecycle-controller,taint-eviction-controller,node-ipam-controller"
    options = {
        "node_monitor_grace_period": 1.0,
        "node_eviction_rate": 100.0,
        "allocate_node_cidrs": True,
        "cluster_cidr": "10.244.0.0/16",
    }
    async with world_of(controllers, **options) as world:
        name, other = f"silent-{world.namespace}", f"alive-{world.namespace}"
        await register(world, name)
        alive = await register(world, other)
        try:
            await bound_pod(world, "going", name, tolerations=[tolerate(UNREACHABLE.rpartition("/")[2])])
            staying = core_v1.Toleration(operator="Exists")
            await bound_pod(world, "staying", name, tolerations=[staying])

            async def is_tainted() -> bool:
                await say_ready(world, alive)
                found = await world.client.get(core_v1.Node, name)
                return ("unreachable", "NoExecute") in keys(found.spec.taints)

            await world.eventually(is_tainted)
            found = await world.client.get(core_v1.Node, name)
            ready = next(condition for condition in found.status.conditions if condition.type == "Ready")
            assert (ready.status, ready.reason) == ("Unknown", "NodeStatusUnknown")
            assert (found.spec.pod_cidr or "").startswith("10.244.")

            async def is_marked() -> bool:
                pod = await world.client.get(core_v1.Pod, "staying", world.namespace)
                return all(one.status == "False" for one in pod.status.conditions if one.type == "Ready")

            await world.eventually(is_marked)
            assert (await world.client.get(core_v1.Pod, "staying", world.namespace)).metadata.deletion_timestamp is None
            await say_ready(world, found)

            async def is_clean() -> bool:
                back = await world.client.get(core_v1.Node, name)
                return not keys(back.spec.taints)

            await world.eventually(is_clean)
        finally:
            for left in (name, other):
                await world.client.delete(core_v1.Node, left)


async def test_pods_that_are_going_nowhere_go(world_of: Callable[..., Any]) -> None:
    async with world_of("pod-garbage-collector-controller") as world:
        meta = meta_v1.ObjectMeta(name="p", namespace=world.namespace, finalizers=["test/keep"])
        spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")])
        await world.client.create(core_v1.Pod(metadata=meta, spec=spec))
        await world.client.delete(core_v1.Pod, "p", world.namespace)
        await world.client.patch(core_v1.Pod, "p", world.namespace, {"metadata": {"finalizers": None}})

        async def is_gone() -> bool:
            try:
                await world.client.get(core_v1.Pod, "p", world.namespace)
            except StatusError as error:
                return error.code == 404
            return False

        await world.eventually(is_gone)


async def test_a_pod_that_cannot_be_removed_keeps_no_other(world_of: Callable[..., Any]) -> None:
    async with world_of("pod-garbage-collector-controller") as world:
        world.refuse("patch", "a-stubborn")
        spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")])
        for name in ("a-stubborn", "b"):
            meta = meta_v1.ObjectMeta(name=name, namespace=world.namespace)
            # Nothing is deleted at once that has a finalizer of its own.
            kept = msgspec.structs.replace(meta, finalizers=["test/keep"])
            await world.client.create(core_v1.Pod(metadata=kept, spec=spec))
        for name in ("a-stubborn", "b"):
            await world.client.delete(core_v1.Pod, name, world.namespace)

        def phase(name: str) -> str:
            found = world.pods.get(name, world.namespace)
            return found.status.phase if found is not None else ""

        await world.eventually(lambda: phase("b") == "Failed")
        assert phase("a-stubborn") == "Pending"
        del world.client.patch
        for name in ("a-stubborn", "b"):
            await world.client.patch(core_v1.Pod, name, world.namespace, {"metadata": {"finalizers": None}})


@pytest.mark.parametrize(("ready", "goes"), [("True", False), ("False", True), ("Unknown", True)])
def test_only_nodes_whose_kubelet_is_not_well_are_out_of_service(ready: str, goes: bool) -> None:
    taints = [core_v1.Taint(key=podgc.OUT_OF_SERVICE, effect="NoExecute")]
    assert podgc.is_out_of_service(node(spec=core_v1.NodeSpec(taints=taints), Ready=ready)) is goes


async def test_a_node_is_emptied_also_if_a_pod_cannot_be_told(world_of: Callable[..., Any]) -> None:
    options = {"node_monitor_grace_period": 1.0, "node_eviction_rate": 100.0}
    async with world_of("node-lifecycle-controller", **options) as world:
        names = [f"{name}-{world.namespace}" for name in ("well", "silent")]
        well, _ = [await register(world, name) for name in names]
        try:
            await bound_pod(world, "a-stubborn", names[1])
            await bound_pod(world, "b", names[1])
            world.refuse("patch", "a-stubborn")

            async def is_emptied() -> bool:
                await say_ready(world, well)
                found = await world.client.get(core_v1.Node, names[1])
                return ("unreachable", "NoExecute") in keys(found.spec.taints)

            def is_told() -> bool:
                found = world.pods.get("b", world.namespace)
                return all(one.status == "False" for one in found.status.conditions if one.type == "Ready")

            await world.eventually(is_emptied)
            await world.eventually(is_told)
        finally:
            for name in names:
                await world.client.delete(core_v1.Node, name)


@pytest.mark.parametrize(
    ("silent", "count", "turns"),
    [
        (2, 3, [0.0, 10.0]),
        (3, 6, [0.0, 10.0]),
        (3, 4, [None, None]),
        (60, 100, [0.0, 100.0]),
        (4, 4, [0.0, 10.0]),
    ],
    ids=["few", "less than 55 %", "a small zone is disrupted", "a large zone is disrupted", "a whole zone is silent"],
)
def test_pods_leave_one_silent_node_after_the_other(silent: int, count: int, turns: list[float | None]) -> None:
    """Upstream's rates; a whole zone counts as any, since evictions go on only while another zone has ready nodes."""
    names = [str(number) for number in range(count)]
    zone = Zone(set(names), set(names[silent:]))
    assert [zone.take_turn(name, 1000.0, Options()) for name in names[:2]] == turns
    assert zone.waiting == {name for name, turn in zip(names, turns, strict=False) if turn != 0}
    assert zone.take_turn("0", 1000.0, Options()) == turns[0], "whose turn has come keeps it until it is over"


async def test_two_silent_nodes_are_not_emptied_at_once(world_of: Callable[..., Any]) -> None:
    """The second is taken for pods that are yet to be placed, and waits for its turn, which here never comes."""
    options = {"node_monitor_grace_period": 1.5, "node_eviction_rate": 1e-6}
    async with world_of("node-lifecycle-controller", **options) as world:
        names = [f"{name}-{world.namespace}" for name in ("well", "one", "two")]
        well, *_ = [await register(world, name) for name in names]
        try:

            async def effects() -> list[set[str]]:
                await say_ready(world, well)
                found = [await world.client.get(core_v1.Node, name) for name in names[1:]]
                return [{taint.effect or "" for taint in node.spec.taints} for node in found]

            async def one_is_emptied() -> bool:
                return sorted(map(len, await effects())) == [1, 2]

            await world.eventually(one_is_emptied)
            assert {"NoSchedule"} in await effects()
        finally:
            for name in names:
                await world.client.delete(core_v1.Node, name)
