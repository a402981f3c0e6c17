"""Resources that change in place: granted or refused, carried out or by a restart, and told."""

import json
from typing import Any

import msgspec
import pytest

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.admission import resize_refusal
from pybernetes.kubelet.cgroups import pod_totals
from pybernetes.kubelet.resizing import Refusal

from .world import World, a_container, a_pod


def resources(cpu: str, memory: str = "64Mi") -> v1.ResourceRequirements:
    return v1.ResourceRequirements(requests={"cpu": cpu, "memory": memory}, limits={"cpu": cpu, "memory": memory})


def sized(name: str, cpu: str, memory: str = "64Mi", **fields: Any) -> v1.Pod:
    return a_pod(name, containers=[a_container(resources=resources(cpu, memory), **fields)])


@pytest.fixture
def node(world: World) -> World:
    world.node = v1.Node(status=v1.NodeStatus(allocatable={"cpu": "2", "memory": "1Gi", "pods": "10"}))
    return world


async def ask(world: World, name: str, cpu: str, memory: str = "64Mi") -> None:
    """The API has the pod with other resources now."""
    pod = world.api.pods[name]
    changed = [msgspec.structs.replace(one, resources=resources(cpu, memory)) for one in pod.spec.containers]
    meta = msgspec.structs.replace(pod.metadata, generation=(pod.metadata.generation or 0) + 1)
    await world.apply(
        msgspec.structs.replace(pod, metadata=meta, spec=msgspec.structs.replace(pod.spec, containers=changed))
    )
    await world.advance(1)


def condition(world: World, type: str, name: str = "p") -> tuple[str | None, str | None] | None:
    found = (one for one in world.status(name).conditions if one.type == type)
    return next(((one.reason, one.message) for one in found), None)


@pytest.mark.parametrize(
    ("cpu", "others", "expected"),
    [
        ("1", [], None),
        ("1", ["1"], None),
        ("1500m", ["1"], Refusal("Deferred", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000")),
        ("3", ["1"], Refusal("Infeasible", "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000")),
    ],
)  # fmt: skip
def test_what_the_node_can_give(node: World, cpu: str, others: list[str], expected: Refusal | None) -> None:
    assert resize_refusal(sized("p", cpu), node.node, [sized("o", other) for other in others]) == expected


@pytest.mark.parametrize(("cpu", "order"), [("1", ["sandbox", "container"]), ("100m", ["container", "sandbox"])])
async def test_a_running_container_is_changed_without_a_restart(node: World, cpu: str, order: list[str]) -> None:
    await node.apply(sized("p", "500m"))
    before = node.container()
    await ask(node, "p", cpu)
    after = node.container()
    assert (after.container_id, after.restart_count) == (before.container_id, 0)
    assert after.resources == resources(cpu)
    assert after.allocated_resources == {"cpu": cpu, "memory": "64Mi"}
    assert [found.rstrip("0123456789") for found in node.runtime.updates] == order
    assert condition(node, "PodResizeInProgress") is None
    assert [reason for reason, _ in node.recorder.told if reason.startswith("Resize")] == ["ResizeStarted", "ResizeCompleted"]  # fmt: skip


async def test_a_container_that_wants_it_is_restarted(node: World) -> None:
    policy = [v1.ContainerResizePolicy(resource_name="memory", restart_policy="RestartContainer")]
    await node.apply(sized("p", "500m", resize_policy=policy))
    await ask(node, "p", "600m")
    assert node.container().restart_count == 0
    await ask(node, "p", "600m", "128Mi")
    assert node.container().restart_count == 1
    assert node.container().resources == resources("600m", "128Mi")
    assert ("Killing", "Container c resize requires restart") in node.recorder.told


async def test_the_pod_grows_before_a_container_that_is_restarted(node: World) -> None:
    """On cgroup v1 a container's limit may not be above its pod's."""
    policy = [v1.ContainerResizePolicy(resource_name="cpu", restart_policy="RestartContainer")]
    await node.apply(sized("p", "500m", resize_policy=policy))
    await ask(node, "p", "1")
    assert node.container().restart_count == 1
    assert [found.rstrip("0123456789") for found in node.runtime.updates] == ["sandbox"]
    assert condition(node, "PodResizeInProgress") is None
    await ask(node, "p", "200m")
    assert node.container().restart_count == 2
    assert [found.rstrip("0123456789") for found in node.runtime.updates] == ["sandbox", "sandbox"]


async def test_a_request_of_memory_is_a_resource_like_others(node: World) -> None:
    """No cgroup knows of it, and yet a container may want to be restarted for it."""
    policy = [v1.ContainerResizePolicy(resource_name="memory", restart_policy="RestartContainer")]
    given = v1.ResourceRequirements(requests={"memory": "32Mi"}, limits={"memory": "64Mi"})
    await node.apply(a_pod("p", containers=[a_container(resources=given, resize_policy=policy)]))
    pod = node.api.pods["p"]
    more = msgspec.structs.replace(given, requests={"memory": "40Mi"})
    changed = [msgspec.structs.replace(one, resources=more) for one in pod.spec.containers]
    await node.apply(msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, containers=changed)))
    await node.advance(2)
    assert node.container().restart_count == 1
    assert condition(node, "PodResizeInProgress") is None


async def test_a_pod_changes_as_a_whole(node: World) -> None:
    """Its containers have its limits for their own; requests and limits of the whole are told in the status."""
    await node.apply(a_pod("p", containers=[a_container()], resources=resources("500m")))
    assert node.status().resources == resources("500m")
    assert node.status().allocated_resources == {"cpu": "500m", "memory": "64Mi"}
    pod = node.api.pods["p"]
    await node.apply(msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, resources=resources("1"))))
    await node.advance(2)
    assert [found.rstrip("0123456789") for found in node.runtime.updates] == ["sandbox", "container"]
    assert node.status().resources == resources("1")
    assert node.status().allocated_resources == {"cpu": "1", "memory": "64Mi"}
    assert node.container().restart_count == 0


async def test_less_memory_than_is_used_is_not_given(node: World) -> None:
    await node.apply(sized("p", "500m"))
    node.runtime.memory["p"] = 50 << 20
    await ask(node, "p", "500m", "32Mi")
    words = 'cannot decrease memory limits: attempting to set container "c" memory limit (33554432) below current usage (52428800)'  # fmt: skip
    assert condition(node, "PodResizeInProgress") == ("Error", words)
    assert node.runtime.updates == []
    node.runtime.memory["p"] = 10 << 20
    await node.advance(10)
    assert node.container().resources == resources("500m", "32Mi")


async def test_a_pod_as_a_whole_is_not_given_less_memory_than_it_uses(node: World) -> None:
    own = resources("100m", "16Mi")
    await node.apply(a_pod("p", containers=[a_container(resources=own)], resources=resources("500m")))
    node.runtime.memory["p"] = 50 << 20
    pod = node.api.pods["p"]
    less = msgspec.structs.replace(pod.spec, resources=resources("500m", "32Mi"))
    await node.apply(msgspec.structs.replace(pod, spec=less))
    await node.advance(2)
    words = (
        "cannot decrease memory limits: attempting to set pod memory limit (33554432) below current usage (52428800)"
    )
    assert condition(node, "PodResizeInProgress") == ("Error", words)
    assert node.status().resources == resources("500m"), "what it still has"
    node.runtime.memory["p"] = 10 << 20
    await node.advance(10)
    assert condition(node, "PodResizeInProgress") is None
    assert node.status().resources == resources("500m", "32Mi")


def test_all_that_a_pod_takes() -> None:
    """Whatever has a limit counts, and requests default to limits; the init phase counts if it is more."""
    small, large = a_container("c", resources=resources("1")), a_container("i", resources=resources("2", "1Mi"))
    pod = a_pod("p", containers=[small, a_container("d")], init_containers=[large])
    assert pod_totals(pod) == resources("2")


async def test_what_does_not_fit_waits_until_it_does(node: World) -> None:
    await node.apply(sized("p", "500m"))
    await node.apply(sized("other", "1"))
    await ask(node, "p", "1500m")
    words = "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"
    assert condition(node, "PodResizePending") == ("Deferred", words)
    assert node.container().resources == resources("500m")
    asked = {"limits": {"cpu": "1500m", "memory": "64Mi"}, "requests": {"cpu": "1500m", "memory": "64Mi"}}
    told = next(text for reason, text in node.recorder.told if reason == "ResizeDeferred")
    generation = node.api.pods["p"].metadata.generation
    assert json.loads(told.removeprefix("Pod resize Deferred: ")) == {
        "containers": [{"name": "c", "resources": asked}], "generation": generation, "error": words
    }  # fmt: skip
    await node.vanish(node.api.pods["other"])
    await node.advance(2)
    assert condition(node, "PodResizePending") is None
    assert node.container().resources == resources("1500m")


async def test_what_never_fits_is_told_and_survives_the_kubelet(node: World) -> None:
    await node.apply(sized("p", "500m"))
    await ask(node, "p", "3")
    words = "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"
    assert condition(node, "PodResizePending") == ("Infeasible", words)
    node.restart_kubelet(node.scope)
    await node.apply(node.api.pods["p"])
    assert node.container().resources == resources("500m")
    assert node.runtime.updates == []


async def test_a_change_that_fails_is_told_and_tried_again(node: World) -> None:
    await node.apply(sized("p", "500m"))
    node.runtime.update_error = CRIError("device or resource busy")
    await ask(node, "p", "1")
    assert condition(node, "PodResizeInProgress") == ("Error", "device or resource busy")
    assert node.container().resources == resources("500m")
    node.runtime.update_error = None
    await node.advance(5)
    assert condition(node, "PodResizeInProgress") is None
    assert node.container().resources == resources("1")
