"""Hints of endpoints: what trafficDistribution says, and how endpoints are shared out among zones."""

from collections import Counter

import pytest

from pybernetes.api.types import core_v1, discovery_v1, meta_v1
from pybernetes.controllers.endpoints.hints import Unshared, is_shared_out, own_hints, shared_out, shares_of

Hints = tuple[list[str], list[str]] | None


def endpoint(zone: str | None, *, node: str | None = "n1", ready: bool = True) -> discovery_v1.Endpoint:
    conditions = discovery_v1.EndpointConditions(ready=ready, serving=ready, terminating=False)
    return discovery_v1.Endpoint(addresses=["10.0.0.1"], zone=zone, node_name=node, conditions=conditions)


def node(zone: str, cpu: str = "2", *, ready: str = "True", **labels: str) -> core_v1.Node:
    zones = {"topology.kubernetes.io/zone": zone} if zone else {}
    condition = core_v1.NodeCondition(type="Ready", status=ready)
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name="n", labels={**zones, **labels}),
        status=core_v1.NodeStatus(conditions=[condition], allocatable={"cpu": cpu}),
    )


def of(found: discovery_v1.Endpoint) -> Hints:
    hints = found.hints
    return None if hints is None else ([one.name for one in hints.for_zones], [one.name for one in hints.for_nodes])


@pytest.mark.parametrize(
    ("distribution", "found", "expected"),
    [
        (None, endpoint("a"), None),
        ("PreferClose", endpoint("a"), (["a"], [])),
        ("PreferSameZone", endpoint("a"), (["a"], [])),
        ("PreferSameNode", endpoint("a"), (["a"], ["n1"])),
        ("PreferSameNode", endpoint(None), ([], ["n1"])),
        ("PreferSameZone", endpoint(None), None),
        ("PreferSameNode", endpoint("a", ready=False), None),
        ("PreferSomething", endpoint("a"), None),
    ],
)
def test_traffic_distribution(distribution: str | None, found: discovery_v1.Endpoint, expected: Hints) -> None:
    assert of(own_hints(found, distribution)) == expected


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, False),
        ({"service.kubernetes.io/topology-mode": "Auto"}, True),
        ({"service.kubernetes.io/topology-mode": "auto"}, True),
        ({"service.kubernetes.io/topology-mode": "Disabled"}, False),
        (
            {
                "service.kubernetes.io/topology-mode": "Auto",
                "service.kubernetes.io/topology-aware-hints": "Disabled",
            },
            False,
        ),
    ],
)
def test_the_annotation(annotations: dict[str, str], expected: bool) -> None:
    service = core_v1.Service(metadata=meta_v1.ObjectMeta(annotations=annotations), spec=core_v1.ServiceSpec())
    assert is_shared_out(service) is expected


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([node("a"), node("b")], {"a": 0.5, "b": 0.5}),
        ([node("a"), node("a"), node("b", "4")], {"a": 0.5, "b": 0.5}),
        ([node("a", "500m"), node("b", "1500m")], {"a": 0.25, "b": 0.75}),
        (
            [node("a"), node("b"), node("c", ready="False"), node("", **{"node-role.kubernetes.io/control-plane": ""})],
            {"a": 0.5, "b": 0.5},
        ),
        ([node("a")], None),
        ([node("a"), node("b"), node("")], None),
        ([node("a"), node("b", "0")], None),
        ([], None),
    ],
)
def test_shares_of_zones(nodes: list[core_v1.Node], expected: dict[str, float] | None) -> None:
    if expected is not None:
        assert shares_of(nodes) == expected
        return
    with pytest.raises(Unshared, match="Insufficient Node information"):
        shares_of(nodes)


HALVES = {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    ("zones", "shares", "meant"),
    [
        ("ab", HALVES, {"aa": 1, "bb": 1}),
        ("aaab", HALVES, {"aa": 2, "ab": 1, "bb": 1}),
        ("aaaa", HALVES, {"aa": 2, "ab": 2}),
        ("aabb", {"a": 0.25, "b": 0.75}, {"aa": 1, "ab": 1, "bb": 2}),
        ("aaaabb", HALVES, {"aa": 3, "ab": 1, "bb": 2}),
        # Half an endpoint too many is not worth a move.
        ("aab", HALVES, None),
        ("aaabb", HALVES, None),
        ("aaaaaabbbbb", HALVES, {"aa": 6, "bb": 5}),
        ("a", HALVES, None),
    ],
)
def test_sharing_out(zones: str, shares: dict[str, float], meant: dict[str, int] | None) -> None:
    found = [endpoint(zone) for zone in zones]
    if meant is None:
        with pytest.raises(Unshared, match=r"Insufficient number|minimum required"):
            shared_out(found, shares)
        return
    made = shared_out(found, shares)
    assert Counter(f"{one.zone}{one.hints.for_zones[0].name}" for one in made if one.hints) == meant
    assert shared_out(found, shares) == made


def test_what_is_not_ready_is_not_counted_and_what_has_no_zone_ends_it() -> None:
    made = shared_out([endpoint("a"), endpoint("a", ready=False), endpoint("b")], HALVES)
    assert [of(one) for one in made] == [(["a"], []), None, (["b"], [])]
    with pytest.raises(Unshared, match="do not have a zone"):
        shared_out([endpoint("a"), endpoint(None), endpoint("b"), endpoint("b")], HALVES)
