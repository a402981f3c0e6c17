"""Services and EndpointSlices to rules."""

import msgspec
import pytest

from pybernetes.api.endpoints import Target
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.api.types import meta_v1 as meta
from pybernetes.proxy.table import PortRules, rules_of


def service(**spec: object) -> v1.Service:
    given = {"cluster_ip": "10.96.0.9", "ports": [v1.ServicePort(port=80, protocol="TCP")], **spec}
    return v1.Service(
        metadata=meta.ObjectMeta(name="web", namespace="default"),
        spec=v1.ServiceSpec(**given),  # type: ignore[arg-type]
    )


def endpoint(address: str, node: str = "n1", **conditions: bool) -> discovery.Endpoint:
    found = discovery.EndpointConditions(**conditions) if conditions else None
    return discovery.Endpoint(addresses=[address], node_name=node, conditions=found)


def slice_of(
    *endpoints: discovery.Endpoint, port: int = 8080, name: str = "", **fields: object
) -> discovery.EndpointSlice:
    return discovery.EndpointSlice(
        metadata=meta.ObjectMeta(name="web-1", namespace="default"),
        address_type=str(fields.get("address_type", "IPv4")),
        endpoints=list(endpoints),
        ports=[discovery.EndpointPort(name=name, port=port, protocol="TCP")],
    )


def only(rules: dict[str, PortRules]) -> PortRules:
    (found,) = rules.values()
    return found


def test_endpoints_of_all_slices_are_taken_once() -> None:
    slices = [slice_of(endpoint("10.244.0.5"), endpoint("10.244.0.6")), slice_of(endpoint("10.244.0.5", node="n2"))]
    found = only(rules_of(service(), slices, "n1"))
    assert found.name == "default/web:/TCP"
    assert found.cluster_addresses == ("10.96.0.9",)
    assert found.endpoints == (Target("10.244.0.5", 8080), Target("10.244.0.6", 8080))


def test_each_port_has_its_own_endpoints() -> None:
    ports = [v1.ServicePort(name="http", port=80), v1.ServicePort(name="metrics", port=9090, node_port=30090)]
    slices = [slice_of(endpoint("10.244.0.5"), name="http"), slice_of(endpoint("10.244.0.6"), name="metrics", port=9)]
    found = rules_of(service(ports=ports), slices, "n1")
    assert found["default/web:http/TCP"].endpoints == (Target("10.244.0.5", 8080),)
    assert found["default/web:metrics/TCP"].endpoints == (Target("10.244.0.6", 9),)
    assert found["default/web:metrics/TCP"].node_port == 30090


def test_only_ready_endpoints_are_used_while_there_are_any() -> None:
    ready = endpoint("10.244.0.5", ready=True, serving=True)
    ending = endpoint("10.244.0.6", ready=False, serving=True, terminating=True)
    gone = endpoint("10.244.0.7", ready=False, serving=False, terminating=True)
    starting = endpoint("10.244.0.8", ready=False, serving=False)
    assert only(rules_of(service(), [slice_of(ready, ending, gone, starting)], "n1")).endpoints == (
        Target("10.244.0.5", 8080),
    )
    assert only(rules_of(service(), [slice_of(ending, gone, starting)], "n1")).endpoints == (
        Target("10.244.0.6", 8080),
    )
    assert only(rules_of(service(), [slice_of(gone, starting)], "n1")).endpoints == ()


def test_local_endpoints_are_chosen_among_this_nodes_own() -> None:
    mine = endpoint("10.244.0.5", ready=False, serving=True, terminating=True)
    other = endpoint("10.244.1.5", node="n2", ready=True)
    found = only(rules_of(service(external_traffic_policy="Local"), [slice_of(mine, other)], "n1"))
    assert found.endpoints == (Target("10.244.1.5", 8080),)
    assert found.local_endpoints == (Target("10.244.0.5", 8080),)
    assert found.external_local
    assert not found.internal_local


@pytest.mark.parametrize(
    "spec",
    [{"cluster_ip": "None"}, {"cluster_ip": ""}, {"type": "ExternalName", "cluster_ip": ""}, {"cluster_ip": "fd00::1"}],
)
def test_services_without_an_address_have_no_rules(spec: dict[str, str]) -> None:
    assert rules_of(service(**spec), [slice_of(endpoint("10.244.0.5"))], "n1") == {}
    assert rules_of(None, [], "n1") == {}


def test_a_service_of_another_proxy_has_no_rules() -> None:
    other = v1.Service(
        metadata=meta.ObjectMeta(name="web", namespace="d", labels={"service.kubernetes.io/service-proxy-name": "x"}),
        spec=service().spec,
    )
    assert rules_of(other, [], "n1") == {}


def test_slices_of_other_families_are_left_out() -> None:
    assert only(rules_of(service(), [slice_of(endpoint("fd00::5"), address_type="IPv6")], "n1")).endpoints == ()


@pytest.mark.parametrize("label", ["service.kubernetes.io/headless", "service.kubernetes.io/service-proxy-name"])
def test_slices_that_are_not_for_this_proxy_are_left_out(label: str) -> None:
    own, other = slice_of(endpoint("10.244.0.5")), slice_of(endpoint("10.244.0.6"))
    labelled = msgspec.structs.replace(other, metadata=meta.ObjectMeta(name="web-2", labels={label: ""}))
    assert only(rules_of(service(), [own, labelled], "n1")).endpoints == (Target("10.244.0.5", 8080),)


def test_affinity_has_upstreams_default_time() -> None:
    assert only(rules_of(service(), [], "n1")).affinity_seconds == 0
    assert only(rules_of(service(session_affinity="ClientIP"), [], "n1")).affinity_seconds == 10800
    config = v1.SessionAffinityConfig(client_ip=v1.ClientIPConfig(timeout_seconds=60))
    affine = service(session_affinity="ClientIP", session_affinity_config=config)
    assert only(rules_of(affine, [], "n1")).affinity_seconds == 60


def test_addresses_from_outside() -> None:
    balancer = v1.LoadBalancerStatus(
        ingress=[
            v1.LoadBalancerIngress(ip="192.0.2.1", ip_mode="VIP"),
            v1.LoadBalancerIngress(ip="192.0.2.2", ip_mode="Proxy"),
            v1.LoadBalancerIngress(hostname="lb.example"),
        ]
    )
    given = service(type="LoadBalancer", external_ips=["192.0.2.9"], load_balancer_source_ranges=["198.51.100.0/24"])
    found = only(
        rules_of(
            v1.Service(metadata=given.metadata, spec=given.spec, status=v1.ServiceStatus(load_balancer=balancer)),
            [],
            "n1",
        )
    )
    assert found.external_addresses == ("192.0.2.9", "192.0.2.1")
    assert found.guarded_addresses == ("192.0.2.1",)
    assert found.source_ranges == ("198.51.100.0/24",)


def hinted(address: str, zones: str = "", nodes: str = "", **conditions: bool) -> discovery.Endpoint:
    """`zones` and `nodes` are names of one letter or digit."""
    hints = discovery.EndpointHints(
        for_zones=[discovery.ForZone(name=zone) for zone in zones],
        for_nodes=[discovery.ForNode(name=f"n{node}") for node in nodes],
    )
    found = discovery.EndpointConditions(**conditions) if conditions else None
    return discovery.Endpoint(addresses=[address], node_name="n9", hints=hints, conditions=found)


@pytest.mark.parametrize(
    ("endpoints", "zone", "expected"),
    [
        ([hinted("1", "a"), hinted("2", "b")], "a", "1"),
        ([hinted("1", "a"), hinted("2", "b")], "c", "12"),
        ([hinted("1", "a"), hinted("2", "b")], "", "12"),
        ([hinted("1", "a"), hinted("2", "")], "a", "12"),
        ([hinted("1", "a", "1"), hinted("2", "a", "2"), hinted("3", "b", "3")], "a", "1"),
        ([hinted("1", "a", "4"), hinted("2", "a", "2"), hinted("3", "b", "3")], "a", "12"),
        ([hinted("1", "a", "1"), hinted("2", "a")], "a", "12"),
        ([hinted("1", "", "1"), hinted("2", "", "2")], "", "1"),
        # What is not ready has no say; if nothing is, hints have none either.
        ([hinted("1", "a"), hinted("2", "", ready=False), hinted("3", "b")], "a", "1"),
        ([hinted("1", "a", ready=False, serving=True, terminating=True), hinted("2", "b")], "a", "2"),
        ([hinted("1", "b", ready=False, serving=True, terminating=True)], "a", "1"),
    ],
)
def test_hints_choose_the_endpoints_of_a_node(endpoints: list[discovery.Endpoint], zone: str, expected: str) -> None:
    found = only(rules_of(service(), [slice_of(*endpoints)], "n1", zone))
    assert "".join(target.address for target in found.endpoints) == expected


def test_local_policies_ignore_hints() -> None:
    mine = discovery.Endpoint(
        addresses=["1"], node_name="n1", hints=discovery.EndpointHints(for_zones=[discovery.ForZone(name="b")])
    )
    found = only(rules_of(service(internal_traffic_policy="Local"), [slice_of(mine, hinted("2", "a"))], "n1", "a"))
    assert [target.address for target in found.local_endpoints] == ["1"]
    assert {target.address for target in found.reachable} == {"1", "2"}


@pytest.mark.parametrize(
    ("policy", "balances", "expected"),
    [("Local", True, ("192.0.2.1",)), ("Local", False, ()), ("Cluster", True, ())],
)
def test_the_balancers_node_leads_to_all_nodes(policy: str, balances: bool, expected: tuple[str, ...]) -> None:
    given = service(type="LoadBalancer", external_traffic_policy=policy, external_ips=["192.0.2.9"])
    balancer = v1.LoadBalancerStatus(ingress=[v1.LoadBalancerIngress(ip="192.0.2.1", ip_mode="VIP")])
    told = msgspec.structs.replace(given, status=v1.ServiceStatus(load_balancer=balancer))
    found = only(rules_of(told, [slice_of(endpoint("10.244.1.5", node="n2"))], "n1", balances=balances))
    assert found.balanced_addresses == expected
