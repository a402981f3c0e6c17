"""Two runtimes on one store of images, the second for a node in a network namespace of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from msgspec.structs import replace

from pybernetes.cri import types as t
from pybernetes.cri.testsuite import Lab, remove_all
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.launcher.client import Zygote
from pybernetes.runtime.network.bridge import ensure_bridge, remove_bridge
from pybernetes.runtime.network.uplink import UPLINK, ensure_node, remove_node
from pybernetes.runtime.options import Options
from pybernetes.runtime.service.runtime import open_runtime

from .conftest import BRIDGE, IMAGE

SECOND = replace(BRIDGE, node_range=IPv4Network("10.244.1.0/24"), uplink=UPLINK)
LINK = "p8s9-n1"


@dataclass(slots=True)
class Machine:
    """Opens the runtimes of two nodes, as often as a test likes."""

    folder: Path
    images: Images
    zygote: Zygote
    cgroup: str

    @asynccontextmanager
    async def node(self, number: int) -> AsyncIterator[Lab]:
        root = self.folder / f"node{number}"
        options = Options(
            root=root,
            oci_runtime="builtin",
            bridge=SECOND if number else BRIDGE,
            netns=self.folder / "netns" if number else None,
            cgroup=f"{self.cgroup}/node{number}",
            streaming=str(self.folder / f"streaming{number}.sock"),
        )
        async with open_runtime(options, self.images, self.zygote) as runtime:
            yield Lab(runtime, IMAGE, self.folder / f"logs{number}", options.cgroup)


@pytest.fixture
async def machine(tmp_path: Path, images: Images, cgroup: str) -> AsyncIterator[Machine]:
    ensure_bridge(BRIDGE)
    ensure_node(BRIDGE, SECOND, LINK, tmp_path / "netns")
    zygote = Zygote(f"{cgroup}/monitors")
    machine = Machine(tmp_path, images, zygote, cgroup)
    yield machine
    for number in (1, 0):
        async with machine.node(number) as lab:
            await remove_all(lab.runtime)
    await asyncio.to_thread(zygote.close)
    remove_node(SECOND, LINK, tmp_path / "netns")
    remove_bridge(BRIDGE)


async def test_a_recovering_runtime_leaves_the_other_nodes_containers_alone(machine: Machine) -> None:
    async with machine.node(0) as first, machine.node(1) as second:
        pod = await second.run_pod()
        container = await pod.start(second.container("sleep", "1000"))
        mine = await (await first.run_pod()).start(first.container("sleep", "1000"))
    async with machine.node(0) as first:
        assert {each.id for each in await first.runtime.list_containers()} == {mine}
        assert set(machine.images.snapshots.containers()) == {container, mine}
        async with machine.node(1) as second:
            status = await second.runtime.container_status(container)
            assert status.state == t.ContainerState.CONTAINER_RUNNING
            said = await second.runtime.exec_sync(container, ["cat", "/etc/hostname"], 10)
            assert said.exit_code == 0


async def test_a_root_without_a_record_is_taken_away_by_its_own_runtime(machine: Machine) -> None:
    """What a runtime leaves that died while it made a container."""
    async with machine.node(0), machine.node(1):
        image = machine.images.resolve(IMAGE)
        directory = machine.folder / "node1" / "containers" / "half-made"
        directory.mkdir()
        await machine.images.snapshots.mount(image, "half-made")
    async with machine.node(0):
        assert "half-made" in machine.images.snapshots.containers()
    async with machine.node(1):
        assert "half-made" not in machine.images.snapshots.containers()
    assert not directory.exists()


async def test_the_host_network_is_the_nodes_own(machine: Machine) -> None:
    options = t.NamespaceOption(network=t.NamespaceMode.NODE, pid=t.NamespaceMode.CONTAINER)
    context = t.LinuxContainerSecurityContext(namespace_options=options)
    sandbox = t.LinuxPodSandboxConfig(security_context=t.LinuxSandboxSecurityContext(namespace_options=options))
    spaces = []
    for number in (0, 1):
        async with machine.node(number) as lab:
            pod = await lab.run_pod(lab.pod(linux=sandbox))
            container = await pod.start(
                lab.container("sleep", "1000", linux=t.LinuxContainerConfig(security_context=context))
            )
            said = await lab.runtime.exec_sync(container, ["readlink", "/proc/self/ns/net"], 10)
            spaces.append(said.stdout.decode().strip())
    pinned = os.stat(machine.folder / "netns").st_ino
    assert spaces == [os.readlink("/proc/self/ns/net"), f"net:[{pinned}]"]


async def test_pods_of_both_nodes_reach_one_another(machine: Machine) -> None:
    async with machine.node(0) as first, machine.node(1) as second:
        addresses = []
        for lab in (first, second):
            pod = await lab.run_pod()
            container = await pod.start(lab.container("sh", "-c", "mkdir /w; echo ok > /w/a; exec httpd -f -h /w"))
            network = (await lab.runtime.pod_sandbox_status(pod.id)).network
            assert network is not None
            addresses.append((lab, container, network.ip))
        assert [address.rsplit(".", 1)[0] for _, _, address in addresses] == ["10.244.0", "10.244.1"]
        for lab, container, _ in addresses:
            for _, _, address in addresses:
                await answered(lab, container, address)


async def answered(lab: Lab, container: str, address: str) -> None:
    for _ in range(100):
        said = await lab.runtime.exec_sync(container, ["wget", "-q", "-O-", f"http://{address}/a"], 10)
        if said.stdout == b"ok\n":
            return
    pytest.fail(f"{address} does not answer")


async def test_no_node_collects_what_another_runs(machine: Machine) -> None:
    async with machine.node(0), machine.node(1) as second:
        pod = await second.run_pod()
        container = await pod.start(second.container("sleep", "1000"))
        # What is named on this machine is kept for that alone.
        image = machine.images.resolve(IMAGE)
        await machine.images.untag(IMAGE)
        try:
            assert await is_pinned(machine, image)
            await second.runtime.remove_container(container)
            assert not await is_pinned(machine, image)
        finally:
            await machine.images.tag(image, IMAGE)


async def is_pinned(machine: Machine, image: str) -> bool:
    """Other tests' images are in the store too."""
    return next(each.pinned for each in await machine.images.list_images() if each.id == image)
