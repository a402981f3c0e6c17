"""Pods that use more than they may, and pods that go for the node's sake: decisions as tables, then in a node in memory."""

from pathlib import Path
from typing import Any

import pytest

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.admission import admit
from pybernetes.kubelet.eviction.decide import (
    Shortage,
    Use,
    first_to_go,
    is_limited,
    over_limit,
    pressure_refusal,
    shortage_words,
)
from pybernetes.kubelet.eviction.evictor import Evictor
from pybernetes.kubelet.eviction.usage import bytes_below

from .world import InlineWorker, World, a_container, a_pod

MIB = 1 << 20


def scratch(limit: str | None, medium: str | None = None) -> v1.Volume:
    return v1.Volume(name="scratch", empty_dir=v1.EmptyDirVolumeSource(size_limit=limit, medium=medium))


def limited(**limits: str) -> v1.Container:
    given = {name.replace("_", "-"): amount for name, amount in limits.items()}
    return a_container(resources=v1.ResourceRequirements(limits=given))


def requesting(name: str, memory: str, priority: int = 0) -> v1.Pod:
    resources = v1.ResourceRequirements(requests={"memory": memory})
    return a_pod(name, containers=[a_container(resources=resources)], priority=priority)


@pytest.mark.parametrize(
    ("spec", "use", "expected"),
    [
        ({"volumes": [scratch("1Mi")]}, Use(volumes={"scratch": 2 * MIB}), 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '),
        ({"volumes": [scratch("1Mi")]}, Use(volumes={"scratch": MIB}), ""),
        ({"volumes": [scratch("1Mi", "Memory")]}, Use(volumes={"scratch": 2 * MIB}), ""),
        ({"volumes": [scratch(None)]}, Use(volumes={"scratch": 2 * MIB}), ""),
        ({"containers": [limited(ephemeral_storage="1Mi")]}, Use({"c": 2 * MIB}), "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "),
        ({"containers": [limited(ephemeral_storage="1Mi"), a_container("d")]}, Use({"c": 2 * MIB}), 'Container c exceeded its local ephemeral storage limit "1Mi". '),
        ({"containers": [limited(ephemeral_storage="3Mi")], "volumes": [scratch(None)]}, Use({"c": 2 * MIB}, {"scratch": 2 * MIB}),
         "Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. "),
    ],
)  # fmt: skip
def test_limits_on_the_disk(spec: dict[str, Any], use: Use, expected: str) -> None:
    passed = over_limit(a_pod(**spec), use)
    assert (passed.words if passed else "") == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [({}, False), ({"volumes": [scratch("1Mi")]}, True), ({"containers": [limited(ephemeral_storage="1Mi")]}, True),
     ({"containers": [limited(memory="1Mi")]}, False)],
)  # fmt: skip
def test_only_what_is_limited_is_measured(spec: dict[str, Any], expected: bool) -> None:
    assert is_limited(a_pod(**spec)) == expected


def test_who_goes_first() -> None:
    within, small, large = requesting("within", "100Mi"), requesting("small", "1Mi"), requesting("large", "1Mi")
    dear, critical = requesting("dear", "1Mi", 1000), requesting("critical", "1Mi", 2_000_001_000)
    uses = [(within, 90), (small, 20), (large, 30), (dear, 500), (critical, 900)]
    listed = [(pod, Use({"c": used * MIB})) for pod, used in uses]
    order = []
    while (chosen := first_to_go(listed, "memory")) is not None:
        order.append(chosen[0].metadata.name)
        listed.remove(chosen)
    assert order == ["large", "small", "dear", "within"]


def test_the_pod_is_told_what_was_short() -> None:
    words = shortage_words(Shortage("memory", 100 * MIB, 50 * MIB), requesting("p", "1Mi"), Use({"c": 20 * MIB}))
    assert words == (
        "The node was low on resource: memory. Threshold quantity: 102400Ki, available: 51200Ki. "
        "Container c was using 20480Ki, request is 1Mi, has larger consumption of memory. "
    )


@pytest.mark.parametrize(
    ("pod", "pressures", "expected"),
    [
        (a_pod(), [], ""),
        (a_pod(), ["MemoryPressure"], "The node had condition: [MemoryPressure]. "),
        (requesting("p", "1Mi"), ["MemoryPressure"], ""),
        (requesting("p", "1Mi"), ["DiskPressure"], "The node had condition: [DiskPressure]. "),
        (requesting("p", "1Mi", 2_000_000_000), ["DiskPressure"], ""),
    ],
)
def test_a_node_under_pressure_takes_few_pods(pod: v1.Pod, pressures: list[str], expected: str) -> None:
    conditions = [v1.NodeCondition(type=type_, status="True") for type_ in pressures]
    assert pressure_refusal(pod, conditions) == expected
    verdict = admit(pod, v1.Node(status=v1.NodeStatus(conditions=conditions)), ())
    assert (verdict.message if verdict else "") == (f"Pod was rejected: {expected}" if expected else "")


def test_files_are_counted_once_and_mounts_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"x" * MIB)
    before = bytes_below(tmp_path)
    assert MIB <= before < MIB + 65536
    (tmp_path / "again").hardlink_to(tmp_path / "deep" / "file")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert bytes_below(tmp_path) < before + 65536
    assert bytes_below(tmp_path / "missing") == 0


class Short:
    """A node that is short of something until somebody helps."""

    def __init__(self, *found: Shortage) -> None:
        self.found, self.freed = list(found), 0

    def shortages(self) -> list[Shortage]:
        return self.found

    async def free_disk(self) -> None:
        self.freed += 1


def evictor(world: World, short: Short) -> Evictor:
    events = world.kubelet.workers()[0]._doors.events
    return Evictor(
        world.kubelet.active, world.runtime, events, InlineWorker(), short.shortages, short.free_disk,
        lambda: None,
    )  # fmt: skip


async def test_a_full_volume_ends_its_pod(world: World) -> None:
    await world.apply(a_pod(volumes=[scratch("1Mi")]))
    worker = world.kubelet.workers()[0]
    await evictor(world, Short()).look()
    assert world.status().phase == "Running"
    (worker.volume_paths["scratch"] / "file").write_bytes(b"x" * 2 * MIB)
    await evictor(world, Short()).look()
    await world.advance(1)
    words = 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '
    assert (world.status().phase, world.status().reason, world.status().message) == ("Failed", "Evicted", words)
    assert "DisruptionTarget" not in world.conditions()
    assert ("Evicted", words) in world.recorder.told


async def test_a_node_without_memory_ends_one_pod_at_a_time(world: World) -> None:
    await world.apply(requesting("modest", "100Mi"))
    await world.apply(requesting("greedy", "1Mi"))
    world.runtime.memory = {"modest": 50 * MIB, "greedy": 60 * MIB}
    await evictor(world, Short(Shortage("memory", 100 * MIB, 10 * MIB))).look()
    await world.advance(1)
    assert (world.status("greedy").phase, world.status("modest").phase) == ("Failed", "Running")
    assert world.conditions("greedy")["DisruptionTarget"] == "True"
    assert ("EvictionThresholdMet", "Attempting to reclaim memory") in world.recorder.told


async def test_images_go_before_pods(world: World) -> None:
    await world.apply(a_pod(volumes=[scratch(None)]))

    class Relieved(Short):
        async def free_disk(self) -> None:
            self.found.clear()

    await evictor(world, Relieved(Shortage("ephemeral-storage", 100 * MIB, 10 * MIB))).look()
    await world.advance(1)
    assert world.status().phase == "Running"
    await evictor(world, Short(Shortage("ephemeral-storage", 100 * MIB, 10 * MIB))).look()
    await world.advance(1)
    assert (world.status().phase, world.status().reason) == ("Failed", "Evicted")


async def test_who_fills_the_disk_at_once_is_told_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look comes between the start of the container and the worker's next look at it."""
    start, short = world.runtime.start_container, Short(Shortage("ephemeral-storage", 100 * MIB, 10 * MIB))
    world.runtime.written = {"c": MIB}

    async def start_and_fill(container_id: str) -> None:
        await start(container_id)
        await evictor(world, short).look()

    monkeypatch.setattr(world.runtime, "start_container", start_and_fill)
    await world.apply(a_pod())
    await world.advance(1)
    assert world.status().reason == "Evicted"
    assert world.status().message == (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 102400Ki, available: 10240Ki. "
        "Container c was using 1024Ki, request is 0, has larger consumption of ephemeral-storage. "
    )
