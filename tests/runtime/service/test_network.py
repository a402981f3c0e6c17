"""Pods on the bridge: they reach one another, the node reaches them, host ports lead to them, nothing leaves."""

import asyncio
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from pybernetes.cri import types as t
from pybernetes.cri.testsuite import Lab, Pod

from .conftest import BRIDGE

SERVER = "mkdir /www; hostname > /www/name; exec httpd -f -p 80 -h /www"


@pytest.fixture
def oci_runtime() -> str:
    return "builtin"


async def address_of(lab: Lab, pod: Pod) -> str:
    network = (await lab.runtime.pod_sandbox_status(pod.id)).network
    assert network is not None
    return network.ip


async def server(lab: Lab, config: t.PodSandboxConfig) -> Pod:
    pod = await lab.run_pod(config)
    container = await pod.start(lab.container("sh", "-c", SERVER))
    for _ in range(100):
        if (await lab.runtime.exec_sync(container, ["wget", "-qO-", "http://127.0.0.1/name"], 10)).exit_code == 0:
            return pod
    pytest.fail("the server does not answer")


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode().strip())


async def test_node_and_pods_reach_pods(lab: Lab) -> None:
    web = await server(lab, lab.pod("web"))
    address = await address_of(lab, web)
    assert await asyncio.to_thread(fetch, f"http://{address}/name") == "web"
    other = await lab.run_pod()
    assert await other.output("wget", "-qO-", f"http://{address}/name") == "web"
    assert await web.output("wget", "-qO-", f"http://{address}/name", log_path="self.log") == "web"


async def test_host_ports_from_everywhere(lab: Lab) -> None:
    ports = [t.PortMapping(container_port=80, host_port=8099)]
    web = await server(lab, lab.pod("mapped", port_mappings=ports))
    gateway = BRIDGE.address.ip
    assert await asyncio.to_thread(fetch, "http://127.0.0.1:8099/name") == "mapped"
    assert await asyncio.to_thread(fetch, f"http://{gateway}:8099/name") == "mapped"
    other = await lab.run_pod()
    assert await other.output("wget", "-qO-", f"http://{gateway}:8099/name") == "mapped"
    assert await web.output("wget", "-qO-", f"http://{gateway}:8099/name", log_path="self.log") == "mapped"
    await lab.runtime.stop_pod_sandbox(web.id)
    with pytest.raises(OSError, match=r"refused|timed out|reset"):
        await asyncio.to_thread(fetch, "http://127.0.0.1:8099/name")


async def test_host_ports_of_other_families_are_nobodys(lab: Lab) -> None:
    ports = [t.PortMapping(container_port=80, host_port=8099, host_ip=address) for address in ("::1", "127.0.0.1")]
    await server(lab, lab.pod("mapped", port_mappings=ports))
    assert await asyncio.to_thread(fetch, "http://127.0.0.1:8099/name") == "mapped"


async def test_hundreds_of_host_ports(lab: Lab) -> None:
    """Their rules are one transaction, which has to fit into a message."""
    ports = [t.PortMapping(container_port=80, host_port=8000 + number) for number in range(600)]
    await server(lab, lab.pod("mapped", port_mappings=ports))
    assert await asyncio.to_thread(fetch, "http://127.0.0.1:8599/name") == "mapped"


async def test_host_ports_stay_when_the_node_gets_another_range(lab: Lab) -> None:
    def mapped(port: int) -> list[t.PortMapping]:
        return [t.PortMapping(container_port=80, host_port=port)]

    await server(lab, lab.pod("before", port_mappings=mapped(8098)))
    for _ in range(2):
        await lab.runtime.update_runtime_config(t.RuntimeConfig(t.NetworkConfig(pod_cidr="10.244.7.0/24")))
    after = await server(lab, lab.pod("after", port_mappings=mapped(8099)))
    assert (await address_of(lab, after)).startswith("10.244.7.")
    assert await asyncio.to_thread(fetch, "http://127.0.0.1:8098/name") == "before"
    assert await asyncio.to_thread(fetch, "http://127.0.0.1:8099/name") == "after"


async def test_addresses_are_given_back(lab: Lab, tmp_path: Path) -> None:
    first = await lab.run_pod()
    address = await address_of(lab, first)
    second = await lab.run_pod()
    assert await address_of(lab, second) != address
    await lab.runtime.stop_pod_sandbox(first.id)
    held = {path.name for path in (tmp_path / "runtime" / "network" / "addresses").iterdir()}
    assert held == {await address_of(lab, second)}
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    assert links.count(f"{BRIDGE.name}.") == 1


async def test_host_network(lab: Lab) -> None:
    options = t.NamespaceOption(network=t.NamespaceMode.NODE, pid=t.NamespaceMode.CONTAINER)
    linux = t.LinuxPodSandboxConfig(security_context=t.LinuxSandboxSecurityContext(namespace_options=options))
    pod = await lab.run_pod(lab.pod(linux=linux))
    assert await address_of(lab, pod) == ""
    assert f"{BRIDGE.name}:" in await pod.output("ip", "addr")


async def test_packets_for_the_clusters_ranges_stay_here(lab: Lab) -> None:
    """Also when a default route would take them, and a more specific one leads away from the bridge."""
    commands = [
        "link add uplink0 type veth peer name uplink1",
        "link set uplink1 up",
        "addr add 192.0.2.1/24 dev uplink0",
        "link set uplink0 arp off up",
        "route add default dev uplink0",
        "route add 10.96.7.7/32 dev uplink0",
    ]
    with packets(commands) as seen:
        pod = await lab.run_pod()
        script = "for a in 10.96.0.10 10.96.7.7 10.244.9.9 192.0.2.9; do echo x | nc -u -w 1 $a 53; done; true"
        await pod.output("sh", "-c", script)
        for address in ("10.96.0.10", "10.96.7.7", "10.244.9.9", "192.0.2.9"):
            await asyncio.to_thread(knock, address)
        await asyncio.sleep(0.1)
        destinations = {str(IPv4Address(packet[30:34])) for packet in seen() if packet[12:14] == b"\x08\x00"}
    assert destinations == {"192.0.2.9"}


@contextmanager
def packets(commands: list[str]) -> Iterator[Callable[[], list[bytes]]]:
    """A way out that leads nowhere, and what was sent on it."""
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    listener.bind(("uplink1", 0))
    listener.setblocking(False)

    def seen() -> list[bytes]:
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(listener.recv(2048))
        return found

    try:
        yield seen
    finally:
        listener.close()
        subprocess.run(["ip", "link", "del", "uplink0"], check=True)


def knock(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, suppress(OSError):
        sender.sendto(b"x", (address, 53))
