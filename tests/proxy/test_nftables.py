"""Packets in namespaces of their own: a node, pods on its bridge, and the rules of the proxy."""

import errno
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from ipaddress import IPv4Network

import pytest
from msgspec.structs import replace
from tests.netns import Namespace, Network

from pybernetes.api.endpoints import Target
from pybernetes.proxy.backends.nftables.backend import NftablesBackend
from pybernetes.proxy.backends.nftables.pieces import Masquerade
from pybernetes.proxy.table import PortRules

CLUSTER_IP = "10.96.1.1"
GATEWAY = "10.244.0.1"


class Pod:
    """Answers every TCP connection and UDP packet on port 8080 with its name and the caller's address."""

    def __init__(self, network: Network, address: str) -> None:
        self.address = address
        self.target = Target(address, 8080)
        self.namespace = network.add_pod(address)
        self._tcp = self.namespace.run(lambda: socket.create_server((address, 8080)))
        self._udp = self.namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._udp.bind((address, 8080))
        threading.Thread(target=self._serve_tcp, daemon=True).start()
        threading.Thread(target=self._serve_udp, daemon=True).start()

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, peer = self._tcp.accept()
            except OSError:
                return
            with connection:
                connection.sendall(f"{self.address} {peer[0]}".encode())

    def _serve_udp(self) -> None:
        while True:
            try:
                _, peer = self._udp.recvfrom(100)
                if peer is None:
                    return
                self._udp.sendto(f"{self.address} {peer[0]}".encode(), peer)
            except OSError:
                return

    def close(self) -> None:
        for each in (self._tcp, self._udp):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class World:
    """The node, three pods and the backend under test."""

    def __init__(self) -> None:
        self.network = Network()
        self.node = self.network.node
        self.pods = [Pod(self.network, f"10.244.0.{number}") for number in (5, 6, 7)]
        self.targets = tuple(pod.target for pod in self.pods)

    backend: NftablesBackend

    def open_backend(self) -> NftablesBackend:
        masquerade = Masquerade(0x4000, IPv4Network("10.244.0.0/16"))
        return self.node.run(lambda: NftablesBackend("p8s-test", masquerade))

    def close(self) -> None:
        for pod in self.pods:
            pod.close()
        self.network.close()

    def set(self, *rules: PortRules, gone: tuple[str, ...] = ()) -> None:
        self.backend.sync({**{each.name: each for each in rules}, **dict.fromkeys(gone)})

    def ruleset(self) -> str:
        return self.node.command("nft", "list", "ruleset")


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    with closing(World()) as world:
        yield world


@pytest.fixture
def world(module_world: World) -> Iterator[World]:
    """The same node for every test, each with a table of its own."""
    module_world.backend = module_world.open_backend()
    yield module_world
    module_world.backend.remove()
    module_world.backend.close()


def rules(world: World, **changes: object) -> PortRules:
    base = PortRules("default/web:/TCP", "tcp", 80, cluster_addresses=(CLUSTER_IP,), endpoints=world.targets)
    return PortRules(**{**{name: getattr(base, name) for name in PortRules.__slots__}, **changes})  # type: ignore[arg-type]


def ask(source: Namespace, address: str, port: int, timeout: float = 1.0) -> tuple[str, str]:
    """Who answered a new connection, and whom they saw."""
    with closing(source.run(lambda: socket.create_connection((address, port), timeout))) as connection:
        answered, seen = connection.recv(100).decode().split()
        return answered, seen


def ask_udp(source: Namespace, address: str, port: int, local: socket.socket | None = None) -> str:
    asking = local or source.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    asking.settimeout(1)
    asking.sendto(b"?", (address, port))
    answer = asking.recv(100).decode().split()[0]
    if local is None:
        asking.close()
    return answer


@contextmanager
def refused(number: int = errno.ECONNREFUSED) -> Iterator[None]:
    with pytest.raises(OSError) as error:  # noqa: PT011
        yield
    assert error.value.errno == number


def test_a_cluster_address_leads_to_every_endpoint(world: World) -> None:
    world.set(rules(world))
    from_pod = [ask(world.pods[0].namespace, CLUSTER_IP, 80) for _ in range(40)]
    assert {answered for answered, _ in from_pod} == {pod.address for pod in world.pods}
    # A pod that reaches itself sees the node; the others see the pod.
    assert {seen for answered, seen in from_pod if answered != world.pods[0].address} == {world.pods[0].address}
    assert {seen for answered, seen in from_pod if answered == world.pods[0].address} == {GATEWAY}
    assert ask(world.node, CLUSTER_IP, 80)[1] == GATEWAY


def test_a_service_port_without_endpoints_is_refused_at_once(world: World) -> None:
    world.set(rules(world, endpoints=(), node_port=30080, external_addresses=("192.0.2.1",)))
    for source in (world.pods[0].namespace, world.node):
        with refused():
            ask(source, CLUSTER_IP, 80)
    with refused():
        ask(world.node, "127.0.0.1", 30080)
    with refused():
        ask(world.pods[0].namespace, GATEWAY, 30080)
    world.set(rules(world))
    assert ask(world.node, CLUSTER_IP, 80)


def test_a_port_that_the_service_does_not_have_is_refused(world: World) -> None:
    world.set(rules(world))
    for source in (world.pods[0].namespace, world.node):
        with refused():
            ask(source, CLUSTER_IP, 81)


@pytest.mark.parametrize("address", ["127.0.0.1", GATEWAY])
def test_a_node_port_answers_on_every_address_of_the_node(world: World, address: str) -> None:
    world.set(rules(world, node_port=30080))
    answers = {ask(world.node, address, 30080) for _ in range(40)}
    assert answers == {(pod.address, GATEWAY) for pod in world.pods}


def test_a_node_port_answers_pods_and_hides_them(world: World) -> None:
    world.set(rules(world, node_port=30080))
    assert {ask(world.pods[0].namespace, GATEWAY, 30080)[1] for _ in range(10)} == {GATEWAY}


def test_an_external_address_leads_to_the_endpoints(world: World) -> None:
    world.set(rules(world, external_addresses=("192.0.2.1",)))
    assert ask(world.pods[1].namespace, "192.0.2.1", 80)[0] in {pod.address for pod in world.pods}


def test_source_ranges_guard_the_load_balancers_address(world: World) -> None:
    guarded = {"external_addresses": ("192.0.2.1",), "guarded_addresses": ("192.0.2.1",)}
    world.set(rules(world, **guarded, source_ranges=("10.244.0.6/32",)))
    assert ask(world.pods[1].namespace, "192.0.2.1", 80)
    with pytest.raises(TimeoutError):
        ask(world.pods[0].namespace, "192.0.2.1", 80, timeout=0.3)
    assert ask(world.pods[0].namespace, CLUSTER_IP, 80)


def test_an_internal_local_policy_keeps_to_this_node(world: World) -> None:
    mine = world.pods[1].target
    world.set(rules(world, internal_local=True, local_endpoints=(mine,)))
    assert {ask(world.pods[0].namespace, CLUSTER_IP, 80)[0] for _ in range(10)} == {mine.address}
    world.set(rules(world, internal_local=True))
    with pytest.raises(TimeoutError):
        ask(world.pods[0].namespace, CLUSTER_IP, 80, timeout=0.3)


def test_an_external_local_policy_keeps_the_clients_address(world: World) -> None:
    with closing(Client(world)) as client:
        mine = world.pods[1].target
        local = rules(world, node_port=30080, external_local=True, local_endpoints=(mine,))
        world.set(local)
        assert {ask(client.namespace, GATEWAY, 30080) for _ in range(10)} == {(mine.address, client.address)}
        # From inside the cluster it is as if the policy were not there.
        assert {ask(world.node, "127.0.0.1", 30080)[0] for _ in range(40)} == {pod.address for pod in world.pods}
        world.set(rules(world, node_port=30080, external_local=True))
        with pytest.raises(TimeoutError):
            ask(client.namespace, GATEWAY, 30080, timeout=0.3)
        assert ask(world.pods[0].namespace, GATEWAY, 30080)
        world.set(rules(world, node_port=30080))
        assert {ask(client.namespace, GATEWAY, 30080)[1] for _ in range(10)} == {GATEWAY}


class Client:
    """A machine outside the cluster, next to the node."""

    address = "198.51.100.2"

    def __init__(self, world: World) -> None:
        self.namespace, node = Namespace(), world.node
        there = str(self.namespace.thread_id)
        node.command("ip", "link", "add", "outside", "type", "veth", "peer", "name", "eth0", "netns", there)
        node.command("ip", "addr", "add", "198.51.100.1/24", "dev", "outside")
        node.command("ip", "link", "set", "outside", "up")
        self.namespace.command("ip", "addr", "add", "198.51.100.2/24", "dev", "eth0")
        self.namespace.command("ip", "link", "set", "eth0", "up")
        self.namespace.command("ip", "route", "add", "default", "via", "198.51.100.1")
        self._node = node

    def close(self) -> None:
        self._node.command("ip", "link", "delete", "outside")
        self.namespace.close()


def test_affinity_brings_a_client_back_to_its_endpoint(world: World) -> None:
    affine = rules(world, affinity_seconds=60)
    world.set(affine)
    for pod in world.pods:
        assert len({ask(pod.namespace, CLUSTER_IP, 80)[0] for _ in range(20)}) == 1
    chosen = ask(world.node, CLUSTER_IP, 80)[0]

    kept = tuple(target for target in world.targets if target.address == chosen)
    world.set(rules(world, affinity_seconds=60, endpoints=kept))
    world.set(affine)
    assert {ask(world.node, CLUSTER_IP, 80)[0] for _ in range(10)} == {chosen}

    others = tuple(target for target in world.targets if target.address != chosen)
    world.set(rules(world, affinity_seconds=60, endpoints=others))
    moved = {ask(world.node, CLUSTER_IP, 80)[0] for _ in range(10)}
    assert len(moved) == 1
    assert moved < {target.address for target in others}


def test_affinity_has_its_time(world: World) -> None:
    world.set(rules(world, affinity_seconds=90))
    ask(world.node, CLUSTER_IP, 80)
    assert "timeout 1m30s expires 1m" in world.ruleset()


def test_udp_is_led_as_tcp_is(world: World) -> None:
    world.set(rules(world, name="default/dns:/UDP", protocol="udp", port=53, node_port=30053))
    found = {ask_udp(world.pods[0].namespace, CLUSTER_IP, 53) for _ in range(40)}
    assert found == {pod.address for pod in world.pods}
    assert ask_udp(world.node, "127.0.0.1", 30053) in found


def test_a_udp_client_is_led_away_from_an_endpoint_that_is_gone(world: World) -> None:
    """One socket, so one flow that the kernel would keep leading to the old endpoint."""
    dns = rules(world, name="default/dns:/UDP", protocol="udp", port=53, node_port=30053)
    for address, port in ((CLUSTER_IP, 53), (GATEWAY, 30053)):
        with closing(world.pods[0].namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))) as flow:
            for target in world.targets[1:]:
                world.set(replace(dns, endpoints=(target,)))
                assert ask_udp(world.pods[0].namespace, address, port, flow) == target.address
            world.set(replace(dns, endpoints=()))
            with pytest.raises(TimeoutError):
                ask_udp(world.pods[0].namespace, address, port, flow)


def test_other_flows_are_left_alone(world: World) -> None:
    dns = rules(world, name="default/dns:/UDP", protocol="udp", port=53)
    world.set(dns)
    with closing(world.node.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))) as flow:
        answered = ask_udp(world.node, CLUSTER_IP, 53, flow)
        kept = [target for target in world.targets if target.address == answered]
        world.set(replace(dns, endpoints=tuple(kept)))
        world.set(dns)
        assert {ask_udp(world.node, CLUSTER_IP, 53, flow) for _ in range(20)} == {answered}


def test_endpoints_come_and_go(world: World) -> None:
    for count in (3, 1, 2, 0, 3, 2):
        world.set(rules(world, endpoints=world.targets[:count], node_port=30080))
        if count:
            answered = {ask(world.node, CLUSTER_IP, 80)[0] for _ in range(30)}
            assert answered == {target.address for target in world.targets[:count]}
        else:
            with refused():
                ask(world.node, CLUSTER_IP, 80)


def test_a_service_that_goes_leaves_nothing(world: World) -> None:
    world.set()
    empty = world.ruleset()
    world.set(rules(world, node_port=30080, external_addresses=("192.0.2.1",), external_local=True, affinity_seconds=5))
    assert world.ruleset() != empty
    world.set(gone=("default/web:/TCP",))
    assert world.ruleset() == empty


def test_two_services_may_claim_the_same_and_one_stays(world: World) -> None:
    first = rules(world, external_addresses=("192.0.2.1",), endpoints=world.targets[:1])
    second = rules(
        world, name="default/other:/TCP", cluster_addresses=("10.96.1.2",), external_addresses=("192.0.2.1",),
        endpoints=world.targets[1:2],
    )  # fmt: skip
    world.set(first, second)
    assert ask(world.pods[2].namespace, "192.0.2.1", 80)[0] == world.pods[0].address
    world.set(gone=(first.name,))
    assert ask(world.pods[2].namespace, "192.0.2.1", 80)[0] == world.pods[1].address


def test_the_difference_says_what_the_whole_would(world: World) -> None:
    """After any changes the table is as if it had been written anew."""
    names = [f"default/s{number}:/TCP" for number in range(4)]
    for step in range(12):
        name = names[step % 4]
        world.set(
            rules(world, name=name, cluster_addresses=(f"10.96.2.{step % 4}",), endpoints=world.targets[: step % 3 + 1],
                  node_port=30000 + step % 4, affinity_seconds=5 * (step % 2)),
            gone=() if step % 5 else (names[(step + 1) % 4],),
        )  # fmt: skip
    gradual = sorted_lines(world.ruleset())
    world.backend.sync({}, whole=True)
    assert sorted_lines(world.ruleset()) == gradual


def sorted_lines(text: str) -> list[str]:
    return sorted(" ".join(sorted(line.split())) for line in text.splitlines())


def test_a_table_that_somebody_removed_is_noticed_and_written_again(world: World) -> None:
    world.set(rules(world))
    assert world.backend.is_intact()
    world.node.command("nft", "flush", "ruleset")
    assert not world.backend.is_intact()
    with pytest.raises(OSError, match="No such file"):
        world.set(rules(world, endpoints=world.targets[:1]))
    world.set()
    assert ask(world.node, CLUSTER_IP, 80)[0] == world.pods[0].address


def test_a_new_proxy_takes_over_what_the_old_one_left(world: World) -> None:
    world.set(rules(world), rules(world, name="default/old:/TCP", cluster_addresses=("10.96.9.9",)))
    world.backend.close()
    assert ask(world.node, CLUSTER_IP, 80)
    world.backend = world.open_backend()
    world.set(rules(world))
    assert ask(world.node, CLUSTER_IP, 80)
    assert "10.96.9.9" not in world.ruleset()


def test_another_table_is_not_touched(world: World) -> None:
    world.node.command("nft", "add", "table", "ip", "theirs")
    world.set(rules(world))
    world.backend.remove()
    world.backend.remove()
    assert world.ruleset() == "table ip theirs {\n}\n"
    world.node.command("nft", "delete", "table", "ip", "theirs")


def test_five_thousand_services_are_written_at_once(world: World) -> None:
    many = [
        rules(world, name=f"default/s{number}:/TCP", cluster_addresses=(f"10.97.{number // 250}.{number % 250}",))
        for number in range(5000)
    ]
    world.set(*many)
    assert ask(world.node, "10.97.19.249", 80)[0] in {pod.address for pod in world.pods}


def test_the_table_can_be_read_by_nft(world: World) -> None:
    world.set(rules(world, node_port=30080, affinity_seconds=60))
    text = world.ruleset()
    assert f"{CLUSTER_IP} . tcp . 80 : goto internal-" in text
    assert "tcp . 30080 : goto external-" in text
    assert subprocess.run(["nft", "--version"], check=True, capture_output=True).returncode == 0


def test_a_service_over_sctp(world: World) -> None:
    """One association through the rules, by the kernel's own SCTP, if it has any."""
    pod = world.pods[1]
    try:
        server = pod.namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP))
    except OSError as error:
        pytest.skip(f"this kernel has no SCTP: {error.strerror}")
    with closing(server):
        server.bind((pod.address, 8080))
        server.listen()
        world.set(rules(world, protocol="sctp", endpoints=(pod.target,)))
        client = world.pods[0].namespace.run(
            lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        )
        with closing(client):
            client.settimeout(5)
            client.connect((CLUSTER_IP, 80))
            client.sendall(b"ping")
            accepted, peer = server.accept()
            with closing(accepted):
                assert (accepted.recv(100), peer[0]) == (b"ping", world.pods[0].address)
