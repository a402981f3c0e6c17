"""NetworkPolicies over packets: a node, pods on its bridge, and what policies let through."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from tests.proxy.test_nftables import GATEWAY, World, ask, ask_udp

from pybernetes.api.types import networking_v1 as networking
from pybernetes.proxy.backends.nftables.policies import PolicyBackend
from pybernetes.proxy.policies.members import Member, NamedPort
from pybernetes.proxy.policies.world import World as Policies

ALL: dict[str, Any] = {"podSelector": {}}


class Guarded:
    """Three pods `a`, `b` (namespace `one`) and `c` (namespace `two`), each with label `name` and a port `http`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.policies = Policies()
        self.backend = world.node.run(lambda: PolicyBackend("p8s-policies"))
        for namespace in ("one", "two"):
            self.policies.put_namespace(namespace, {"team": namespace})
        for name, namespace, pod in zip("abc", ("one", "one", "two"), world.pods, strict=True):
            self.put(Member(namespace, name, {"name": name}, pod.address, True, (NamedPort("http", "tcp", 8080),)))

    def put(self, member: Member) -> None:
        self.policies.put_member(member.key, member)

    def apply(self, spec: dict[str, Any] | None, name: str = "one/policy") -> None:
        namespace, _, short = name.partition("/")
        tree = {"metadata": {"name": short, "namespace": namespace}, "spec": spec}
        policy = msgspec.convert(tree, networking.NetworkPolicy) if spec is not None else None
        self.policies.put_policy(name, policy)
        self.sync()

    def sync(self) -> None:
        self.backend.sync(self.policies.changes())

    def reached(self) -> set[str]:
        """Which pod reaches which over TCP: "ab" is a to b."""
        found = set()
        for source, pod in zip("abc", self.world.pods, strict=True):
            for target, other in zip("abc", self.world.pods, strict=True):
                if source != target and reaches(pod.namespace, other.address):
                    found.add(source + target)
        return found

    def close(self) -> None:
        self.backend.remove()
        self.backend.close()


def reaches(namespace: Any, address: str) -> bool:
    try:
        return ask(namespace, address, 8080, timeout=0.2)[0] == address
    except TimeoutError:
        return False


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with closing(World()) as made:
        yield made


@pytest.fixture
def guarded(world: World) -> Iterator[Guarded]:
    with closing(Guarded(world)) as made:
        yield made


EVERY = {"ab", "ac", "ba", "bc", "ca", "cb"}
HTTP = [{"port": 8080}]
CASES = {
    "nothing comes in": ({"podSelector": {}, "policyTypes": ["Ingress"]}, {"ac", "bc"}),
    "nothing goes out": ({"podSelector": {}, "policyTypes": ["Egress"]}, {"ca", "cb"}),
    "one pod only": ({"podSelector": {"matchLabels": {"name": "a"}}, "policyTypes": ["Ingress"]}, EVERY - {"ba", "ca"}),
    "everything may come": ({"podSelector": {}, "ingress": [{}], "policyTypes": ["Ingress"]}, EVERY),
    "from pods of its namespace": ({"podSelector": {}, "ingress": [{"from": [ALL]}]}, EVERY - {"ca", "cb"}),
    "from a namespace": (
        {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "two"}}}]}]},
        {"ac", "bc", "ca", "cb"},
    ),
    "from pods of a namespace": (
        {
            "podSelector": {},
            "ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"name": "b"}}}]}],
        },
        {"ac", "bc", "ba"},
    ),
    "from a block but for a part": (
        {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.0.6/32"]}}]}]},
        EVERY - {"ba"},
    ),
    "at a port": ({"podSelector": {}, "ingress": [{"ports": HTTP}]}, EVERY),
    "at another port": ({"podSelector": {}, "ingress": [{"ports": [{"port": 8081}]}]}, {"ac", "bc"}),
    "at a range of ports": ({"podSelector": {}, "ingress": [{"ports": [{"port": 8000, "endPort": 8080}]}]}, EVERY),
    "below the port": ({"podSelector": {}, "ingress": [{"ports": [{"port": 8000, "endPort": 8079}]}]}, {"ac", "bc"}),
    "at a port by name": (
        {"podSelector": {}, "ingress": [{"from": [ALL], "ports": [{"port": "http"}]}]},
        EVERY - {"ca", "cb"},
    ),
    "at a name that no pod has": ({"podSelector": {}, "ingress": [{"ports": [{"port": "https"}]}]}, {"ac", "bc"}),
    "of another protocol": ({"podSelector": {}, "ingress": [{"ports": [{"protocol": "UDP"}]}]}, {"ac", "bc"}),
    "out to a namespace": (
        {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"namespaceSelector": {"matchLabels": {"team": "two"}}}], "ports": [{"port": "http"}]}],
        },
        {"ac", "bc", "ca", "cb"},
    ),
    "both ways": (
        {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [ALL]}], "egress": [{"to": [ALL]}]},
        {"ab", "ba"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_a_policy_lets_through(guarded: Guarded, case: str) -> None:
    spec, allowed = CASES[case]
    guarded.apply(spec)
    assert guarded.reached() == allowed
    for pod in guarded.world.pods:
        assert ask(guarded.world.node, pod.address, 8080) == (pod.address, GATEWAY), "the node reaches every pod"
    guarded.apply(None)
    assert guarded.world.ruleset().count("policy-") == 0, "nothing is left of a policy"


def test_policies_add_up_and_take_back(guarded: Guarded) -> None:
    """What one allows is allowed; without the last of them all is."""
    guarded.apply({"podSelector": {}, "policyTypes": ["Ingress"]}, "one/deny")
    assert guarded.reached() == {"ac", "bc"}
    guarded.apply({"podSelector": {"matchLabels": {"name": "a"}}, "ingress": [{"from": [ALL]}]}, "one/allow")
    assert guarded.reached() == {"ac", "bc", "ba"}
    guarded.apply(None, "one/deny")
    assert guarded.reached() == EVERY - {"ca"}
    guarded.apply(None, "one/allow")
    assert guarded.reached() == EVERY


def test_pods_and_namespaces_come_change_and_go(guarded: Guarded) -> None:
    guarded.apply({"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"open": "yes"}}}]}]})
    assert guarded.reached() == {"ac", "bc"}
    guarded.policies.put_namespace("two", {"open": "yes"})
    guarded.sync()
    assert guarded.reached() == {"ac", "bc", "ca", "cb"}
    guarded.policies.put_member("two/c", None)
    guarded.sync()
    assert guarded.reached() == {"ac", "bc"}
    guarded.put(Member("two", "c", {}, guarded.world.pods[2].address, False))
    guarded.policies.put_member("one/b", None)
    guarded.sync()
    assert guarded.reached() == {"ac", "bc", "ca", "cb", "ab"}
    assert not guarded.policies.put_member("two/c", guarded.policies._members["two/c"]), "nothing has changed"
    assert guarded.policies.changes() == {}


def test_only_what_a_change_concerns_is_written(guarded: Guarded) -> None:
    """Of fifty policies, a new pod touches the one that may let it in."""
    for number in range(50):
        peer = {
            "namespaceSelector": {"matchLabels": {"team": "two"}},
            "podSelector": {"matchLabels": {"n": str(number)}},
        }
        guarded.apply({"podSelector": {}, "ingress": [{"from": [peer]}]}, f"one/p{number}")
    assert guarded.policies.put_member("two/new", Member("two", "new", {"n": "7"}, "10.244.0.77", False))
    assert list(guarded.policies.changes()) == ["policy/one/p7"]
    assert not guarded.policies.put_member("two/other", Member("two", "other", {}, "10.244.0.78", False))


def test_udp_and_connections_that_stand(guarded: Guarded) -> None:
    """A policy is about new connections; the answers of one that was allowed come back whatever holds there."""
    a, b, _ = guarded.world.pods
    guarded.apply({"podSelector": {}, "ingress": [{}]})
    with closing(a.namespace.run(udp)) as of_a, closing(b.namespace.run(udp)) as of_b:
        assert ask_udp(a.namespace, b.address, 8080, of_a) == b.address
        guarded.apply({"podSelector": {}, "policyTypes": ["Ingress"]})
        assert ask_udp(a.namespace, b.address, 8080, of_a) == b.address
        with pytest.raises(TimeoutError):
            ask_udp(b.namespace, a.address, 8080, of_b)


def udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def test_a_table_that_somebody_removed_is_noticed(guarded: Guarded) -> None:
    assert guarded.backend.is_intact()
    guarded.apply({"podSelector": {}, "policyTypes": ["Ingress"]})
    guarded.world.node.command("nft", "delete", "table", "ip", "p8s-policies")
    assert not guarded.backend.is_intact()
    guarded.backend.sync({}, whole=True)
    assert guarded.reached() == {"ac", "bc"}
