"""Pods through the kubelet on the project's own runtime: real processes, cgroups, mounts and network."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.images import busybox
from tests.isolation import isolate_network
from tests.kubelet.world import InlineWorker, World, a_container, a_pod

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.logs.follow import read_log
from pybernetes.kubelet.logs.reader import Selection
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.network.bridge import remove_bridge
from pybernetes.runtime.options import Options, bridge_config
from pybernetes.runtime.service.runtime import open_runtime

BRIDGE = bridge_config("p8s8", "10.244.0.0/24", "10.244.0.0/16", "10.96.0.0/12")
SECONDS = 20
LOOP = ["sh", "-c", "trap 'exit 0' TERM; echo started; sleep 1000 & wait"]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[World]:
    isolate_network()
    cgroup = f"/p8s-kubelet-test-{os.getpid()}"
    images = Images(tmp_path / "images")
    await images.start()
    await images.load(busybox().write_archive(tmp_path / "busybox.tar", "busybox:latest"))
    streaming = str(tmp_path / "streaming.sock")
    options = Options(tmp_path / "runtime", "builtin", BRIDGE, cgroup=cgroup, streaming=streaming)
    try:
        async with open_runtime(options, images) as runtime, open_scope("test") as scope:
            yield World(
                tmp_path / "kubelet",
                scope,
                clock=SystemClock(),
                cri=(runtime, images),
                cgroup=cgroup,  # type: ignore[arg-type]
            )
    finally:
        await images.close()
        Cgroup(cgroup).kill()
        Cgroup(cgroup).remove()
        remove_bridge(BRIDGE)


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


def put(world: World, pod: v1.Pod) -> None:
    world.kubelet.pod_changed(None, world.api.put(pod))


def is_ready(world: World, name: str = "p") -> bool:
    return world.conditions(name).get("Ready") == "True"


async def log_of(world: World, container: str) -> str:
    attempt = world.kubelet.workers()[0].observed.latest(container)
    assert attempt
    path = Path(attempt.status.log_path)
    return b"".join([piece async for piece in read_log(path, Selection(), InlineWorker())]).decode()


async def test_a_whole_life(node: World) -> None:
    probe = v1.Probe(exec=v1.ExecAction(command=["cat", "/data/ready"]), period_seconds=1)
    mount = v1.VolumeMount(name="data", mount_path="/data")
    init = a_container("i", image="busybox", command=["sh", "-c", "echo x > /data/ready"], volume_mounts=[mount])
    main = a_container("c", image="busybox", command=LOOP, volume_mounts=[mount], readiness_probe=probe)
    volume = v1.Volume(name="data", empty_dir=v1.EmptyDirVolumeSource())
    put(node, a_pod(containers=[main], init_containers=[init], volumes=[volume]))
    await eventually(lambda: is_ready(node))
    assert node.container("i").state.terminated.exit_code == 0
    assert await log_of(node, "c") == "started\n"
    pod = node.api.pods["p"]
    await node.delete("p")
    await eventually(lambda: node.api.deleted)
    node.kubelet.pod_changed(pod, None)
    await eventually(lambda: not node.kubelet.workers())
    assert not list((node.root / "pods").iterdir())
    assert not list((node.root / "logs").iterdir())


async def test_exit_codes_messages_and_restarts(node: World) -> None:
    script = "echo because > /dev/termination-log; exit 7"
    put(node, a_pod(containers=[a_container(image="busybox", command=["sh", "-c", script])]))
    await eventually(lambda: node.status().container_statuses and node.container().restart_count == 1)
    await eventually(
        lambda: node.container().state.waiting and node.container().state.waiting.reason == "CrashLoopBackOff"
    )
    last = node.container().last_state.terminated
    assert (last.exit_code, last.reason, last.message) == (7, "Error", "because\n")


async def test_a_command_that_does_not_exist_is_told_on_the_pod(node: World) -> None:
    put(node, a_pod(restart_policy="Never", containers=[a_container(image="busybox", command=["/nope"])]))
    await eventually(lambda: node.status().phase == "Failed")
    terminated = node.container().state.terminated
    assert (terminated.reason, terminated.exit_code) == ("StartError", 128)
    assert "/nope" in terminated.message


async def test_a_new_kubelet_leaves_running_containers_alone(node: World) -> None:
    put(node, a_pod(containers=[a_container(image="busybox", command=LOOP)]))
    await eventually(lambda: is_ready(node))
    before = node.container()
    async with open_scope("second") as scope:
        await node.scope.close()
        node.restart_kubelet(scope)
        put(node, node.api.pods["p"])
        await eventually(lambda: node.kubelet.workers()[0].observed.running)
        await asyncio.sleep(0.1)
        assert node.container() == before
        await node.kubelet.shutdown_pods(5)


async def test_memory_limits_reach_the_kernel(node: World) -> None:
    limits: dict[str, str | int | float] = {"memory": "16Mi"}
    hungry = ["sh", "-c", "x=a; while :; do x=$x$x; done"]
    container = a_container(image="busybox", command=hungry, resources=v1.ResourceRequirements(limits=limits))
    put(node, a_pod(restart_policy="Never", containers=[container]))
    await eventually(lambda: node.status().phase == "Failed")
    terminated = node.container().state.terminated
    assert (terminated.reason, terminated.exit_code) == ("OOMKilled", 137)


async def test_a_pod_with_ids_of_its_own(node: World) -> None:
    """Root in the pod is nobody on the node, and its files are there what they are in the pod."""
    mount = v1.VolumeMount(name="data", mount_path="/data")
    script = "cat /proc/self/uid_map; stat -c '%u %g' /etc/hosts /data; touch /data/made; sleep 1000"
    main = a_container(image="busybox", command=["sh", "-c", script], volume_mounts=[mount])
    volume = v1.Volume(name="data", empty_dir=v1.EmptyDirVolumeSource())
    context = v1.PodSecurityContext(fs_group=200)
    put(node, a_pod(containers=[main], volumes=[volume], host_users=False, security_context=context))
    await eventually(lambda: is_ready(node))
    made = node.root / "pods" / "uid-p" / "volumes" / "kubernetes.io~empty-dir" / "data" / "made"
    await eventually(made.exists)
    log = Path(node.kubelet.workers()[0].observed.running[0].status.log_path)
    await eventually(lambda: log.read_text().count("\n") == 3)
    told = json.loads((node.root / "pods" / "uid-p" / "userns").read_text())["uidMappings"][0]["hostId"]
    ids, hosts, data = (await log_of(node, "c")).splitlines()
    assert ids.split() == ["0", str(told), "65536"]
    assert (hosts, data) == ("0 0", "0 200")
    assert (made.stat().st_uid, made.stat().st_gid) == (0, 200)
    assert told >= 65536
