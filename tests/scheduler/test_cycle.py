"""Decisions over small clusters: who gets which pod, and upstream's words when nobody does."""

from typing import Any

import pytest

from pybernetes.scheduler import ranking
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import Rejection
from pybernetes.scheduler.pod import PodInfo

from .world import World, node, pod


def test_no_nodes() -> None:
    assert World().place(pod("p")) == "no nodes available to schedule pods"


def test_each_node_is_counted_with_its_first_reason() -> None:
    world = World(
        node("small", cpu="1"),
        node("tainted", taints=[{"key": "gpu", "effect": "NoSchedule"}]),
        node("cordoned", unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]),
    )  # fmt: skip
    assert world.place(pod("p", cpu="2")) == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable."
    )


def test_requests_of_placed_pods_count() -> None:
    world = World(node("a", cpu="1"))
    assert world.place(pod("first", cpu="700m")) == "a"
    assert world.place(pod("second", cpu="400m")) == "0/1 nodes are available: 1 Insufficient cpu."
    world.snapshot.remove("first")
    assert world.place(pod("second", cpu="400m")) == "a"


def test_too_many_pods() -> None:
    world = World(node("a"))
    assert [world.place(pod(f"p{i}")) for i in range(10)] == ["a"] * 10
    assert world.place(pod("last")) == "0/1 nodes are available: 1 Too many pods."


def test_init_containers_need_room_one_by_one() -> None:
    """The largest of them and the sum of the others, not the sum of all; a sidecar counts with the others."""
    inits = [
        {"name": "setup", "image": "i", "resources": {"requests": {"cpu": "3"}}},
        {"name": "sidecar", "image": "i", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
        {"name": "late", "image": "i", "resources": {"requests": {"cpu": "2500m"}}},
    ]
    assert pod("p", cpu="1", initContainers=inits).needs.requests == {"cpu": 3500}


def test_pods_of_one_owner_are_spread() -> None:
    world = World(node("a"), node("b"), node("c"))
    assert {world.place(pod(f"p{i}", owner="rs")) for i in range(3)} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "value": "yes"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], fits: bool) -> None:
    world = World(node("a", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]))
    placed = world.place(pod("p", tolerations=[toleration]))
    assert placed == ("a" if fits else "0/1 nodes are available: 1 node(s) had untolerated taint(s).")


def test_node_selector_and_affinity() -> None:
    world = World(node("hdd", labels={"disk": "hdd"}), node("ssd", labels={"disk": "ssd", "size": "7"}))
    assert world.place(pod("a", nodeSelector={"disk": "ssd"})) == "ssd"
    term = {"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["6"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    assert world.place(pod("b", affinity={"nodeAffinity": required})) == "ssd"
    assert world.place(pod("c", nodeSelector={"disk": "nvme"})) == (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
    )
    preference = {
        "weight": 10,
        "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["hdd"]}]},
    }
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [preference]}
    assert world.place(pod("d", affinity={"nodeAffinity": preferred})) == "hdd"


def test_host_ports_conflict_by_address_and_protocol() -> None:
    def with_port(name: str, **port: Any) -> PodInfo:
        return pod(name, containers=[{"name": "c", "image": "i", "ports": [{"containerPort": 80, **port}]}])

    world = World(node("a"))
    assert world.place(with_port("first", hostPort=80, hostIP="127.0.0.1")) == "a"
    assert world.place(with_port("other-address", hostPort=80, hostIP="127.0.0.2")) == "a"
    assert world.place(with_port("udp", hostPort=80, protocol="UDP")) == "a"
    assert world.place(with_port("all", hostPort=80)) == (
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    )


def test_topology_spread_keeps_the_skew() -> None:
    world = World(node("a", labels={"zone": "x"}), node("b", labels={"zone": "y"}), node("nowhere"))
    constraint = {
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }  # fmt: skip
    placed = [
        world.place(pod(f"p{i}", labels={"app": "web"}, topologySpreadConstraints=[constraint])) for i in range(4)
    ]
    assert sorted(placed) == ["a", "a", "b", "b"]
    assert set(placed[:2]) == {"a", "b"}
    world.snapshot.remove_node("b")
    world.snapshot.set_node(node("b", unschedulable=True, labels={"zone": "y"}))
    world.place(pod("p5", labels={"app": "web"}, topologySpreadConstraints=[constraint]))
    assert world.place(pod("p6", labels={"app": "web"}, topologySpreadConstraints=[constraint])) == (
        "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, "
        "1 node(s) didn't match pod topology spread constraints (missing required label), 1 node(s) were unschedulable."
    )


def test_a_node_without_one_of_the_topology_keys_is_no_domain_of_the_others() -> None:
    """It cannot take the pod, so nobody waits for it to have as many pods as the others."""
    world = World(node("a", labels={"zone": "x"}), node("nowhere"))
    web = {"matchLabels": {"app": "web"}}
    constraints = [
        {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": web}
        for key in ("zone", "kubernetes.io/hostname")
    ]
    placed = [world.place(pod(f"p{i}", labels={"app": "web"}, topologySpreadConstraints=constraints)) for i in range(3)]
    assert placed == ["a", "a", "a"]


def affinity_term(**labels: str) -> dict[str, Any]:
    return affinity_terms(labels)


def affinity_terms(*terms: dict[str, str]) -> dict[str, Any]:
    hostname = {"topologyKey": "kubernetes.io/hostname"}
    required = [{**hostname, "labelSelector": {"matchLabels": labels}} for labels in terms]
    return {"requiredDuringSchedulingIgnoredDuringExecution": required}


def test_pod_affinity_and_anti_affinity() -> None:
    world = World(node("a"), node("b"))
    first = world.place(pod("db", labels={"app": "db"}))
    assert world.place(pod("near", affinity={"podAffinity": affinity_term(app="db")})) == first
    lonely = pod("lonely", labels={"app": "db"}, affinity={"podAntiAffinity": affinity_term(app="db")})
    second = world.place(lonely)
    assert {first, second} == {"a", "b"}
    # Anti-affinity works both ways: the lonely pod keeps later ones away.
    assert world.place(pod("db2", labels={"app": "db"})) == first
    assert world.place(pod("nowhere", affinity={"podAffinity": affinity_term(app="cache")})) == (
        "0/2 nodes are available: 2 node(s) didn't match pod affinity rules."
    )
    # The first pod of a group that wants to be near itself can start somewhere.
    group = pod("cache", labels={"app": "cache"}, affinity={"podAffinity": affinity_term(app="cache")})
    assert world.place(group) in ("a", "b")


def test_affinity_is_to_pods_that_all_terms_select() -> None:
    world = World(node("a"), node("b"))
    world.snapshot.place(pod("db", labels={"app": "db"}), "a")
    world.snapshot.place(pod("fast", labels={"disk": "ssd"}), "a")
    near = pod("near", affinity={"podAffinity": affinity_terms({"app": "db"}, {"disk": "ssd"})})
    assert world.place(near) == "0/2 nodes are available: 2 node(s) didn't match pod affinity rules."
    world.snapshot.place(pod("both", labels={"app": "db", "disk": "ssd"}), "b")
    assert world.place(near) == "b"


def test_affinity_to_pods_of_namespaces_with_a_label() -> None:
    world = World(node("a"), node("b"))
    world.snapshot.set_namespace("shops", {"team": "x"})
    world.snapshot.set_namespace("banks", {"team": "y"})
    world.snapshot.place(pod("shop", namespace="shops", labels={"app": "db"}), "a")
    world.snapshot.place(pod("bank", namespace="banks", labels={"app": "db"}), "b")
    for team, where in (("x", "a"), ("y", "b")):
        near = affinity_term(app="db")
        near["requiredDuringSchedulingIgnoredDuringExecution"][0]["namespaceSelector"] = {"matchLabels": {"team": team}}
        assert world.place(pod(f"near-{team}", affinity={"podAffinity": near})) == where
        assert world.place(pod(f"far-{team}", affinity={"podAntiAffinity": near})) != where


def test_owners_with_alike_pods_are_spread_each_by_its_own() -> None:
    world = World(*(node(f"n{number}", cpu="100") for number in range(4)))
    where: dict[str, set[str]] = {"a": set(), "b": set()}
    for number in range(4):
        for owner, nodes in where.items():
            nodes.add(world.place(pod(f"{owner}{number}", cpu="100m", owner=owner)))
    assert [len(nodes) for nodes in where.values()] == [4, 4]


def test_a_node_that_one_owner_has_filled_takes_no_pod_of_another() -> None:
    world = World(node("n", cpu="2"))
    assert world.place(pod("a", cpu="1", owner="a")) == "n"
    assert world.place(pod("b", cpu="1", owner="b")) == "n"
    assert world.place(pod("again", cpu="1", owner="a")) == "0/1 nodes are available: 1 Insufficient cpu."
    world.snapshot.remove("b")
    assert world.place(pod("again", cpu="1", owner="a")) == "n"


def test_changed_node_is_looked_at_again() -> None:
    world = World(node("a", cpu="1"))
    assert world.place(pod("p", cpu="2")) == "0/1 nodes are available: 1 Insufficient cpu."
    world.snapshot.set_node(node("a", cpu="4"))
    assert world.place(pod("p", cpu="2")) == "a"
    world.snapshot.remove_node("a")
    assert world.place(pod("q", cpu="2")) == "no nodes available to schedule pods"


def test_a_pod_that_names_its_nodes_costs_no_look_at_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the pods of a DaemonSet, each of which has a shape of its own."""
    world = World(*(node(f"n{number}") for number in range(50)))
    asked: list[str] = []

    def noting(info: PodInfo, found: NodeState) -> Rejection | None:
        asked.append(found.name)
        return reject(info, found)

    reject = ranking.reject
    monkeypatch.setattr(ranking, "reject", noting)

    def named(name: str, *nodes: str, **more: Any) -> PodInfo:
        terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [each]}]} for each in nodes]
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        return pod(name, owner="d", affinity={"nodeAffinity": required}, **more)

    for number in range(50):
        assert world.place(named(f"d{number}", f"n{number}")) == f"n{number}"
    assert len(asked) == 50
    assert world.place(named("two", "n3", "n4")) in ("n3", "n4")
    assert world.place(named("gone", "nowhere")) == (
        "0/50 nodes are available: 50 node(s) didn't match Pod's node affinity/selector."
    )
    assert world.place(named("large", "n3", cpu="64")) == (
        "0/50 nodes are available: 1 Insufficient cpu, 49 node(s) didn't match Pod's node affinity/selector."
    )
