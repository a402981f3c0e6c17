"""Addresses and ports of services: taken, given back, refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Reply, Server, server

from pybernetes.api.errors import StatusError
from pybernetes.apiserver.resources.service_families import set_families

SERVICES = "/api/v1/namespaces/default/services"
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def make(api: Server, name: str, query: str = "", **spec: Any) -> Reply:
    body = {"metadata": {"name": name}, "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}], **spec}}
    return await api.post(f"{SERVICES}{query}", body)


async def test_addresses_are_taken_and_given_back(api: Server) -> None:
    first = (await make(api, "a")).tree["spec"]
    assert first["clusterIPs"] == [first["clusterIP"]]
    assert first["ipFamilies"] == ["IPv4"]
    address = (await api.get(f"{ADDRESSES}/{first['clusterIP']}")).tree
    assert address["spec"]["parentRef"] == {"resource": "services", "namespace": "default", "name": "a"}
    taken = await make(api, "b", clusterIP=first["clusterIP"])
    assert taken.status == 422
    assert "provided IP is already allocated" in taken.message
    await api.delete(f"{SERVICES}/a")
    assert (await api.get(f"{ADDRESSES}/{first['clusterIP']}")).status == 404
    assert (await make(api, "b", clusterIP=first["clusterIP"])).status == 201


async def test_an_address_out_of_range_is_refused(api: Server) -> None:
    refused = await make(api, "a", clusterIP="10.200.0.1")
    assert "failed to allocate IP 10.200.0.1: the provided network does not match the current range" in refused.message


async def test_dry_runs_and_failed_writes_keep_nothing(api: Server) -> None:
    assert (await make(api, "a", "?dryRun=All", clusterIP="10.96.200.8")).status == 201
    assert (await api.get(f"{ADDRESSES}/10.96.200.8")).status == 404
    ports = [{"port": 80, "nodePort": 31000}, {"port": 81, "nodePort": 31000, "name": "b"}]
    assert (await make(api, "b", type="NodePort", clusterIP="10.96.200.8", ports=ports)).status == 422
    assert (await api.get(f"{ADDRESSES}/10.96.200.8")).status == 404
    assert (await make(api, "c", type="NodePort", ports=[{"port": 80, "nodePort": 31000}])).status == 201


async def test_a_service_that_is_written_too_late_has_its_address(api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    served = api.services.registry.served("", "v1", "services")
    assert served is not None
    commits = served.store.commits
    create = commits.create

    async def late(*args: Any, **more: Any) -> Any:
        made = await create(*args, **more)
        await asyncio.sleep(0.05)  # longer than the request may take
        return made

    monkeypatch.setattr(commits, "create", late)
    await make(api, "a", "?timeout=30ms", clusterIP="10.96.200.9")
    is_there = (await api.get(f"{SERVICES}/a")).status == 200
    assert ((await api.get(f"{ADDRESSES}/10.96.200.9")).status == 200) is is_there


async def test_node_ports(api: Server) -> None:
    chosen = (await make(api, "a", type="NodePort")).tree["spec"]["ports"][0]["nodePort"]
    assert 30000 <= chosen <= 32767
    taken = await make(api, "b", type="NodePort", ports=[{"port": 80, "nodePort": chosen}])
    assert "provided port is already allocated" in taken.message
    outside = await make(api, "b", type="NodePort", ports=[{"port": 80, "nodePort": 29999}])
    assert "The range of valid ports is 30000-32767" in outside.message
    both = [
        {"name": "t", "port": 53, "nodePort": 31053},
        {"name": "u", "port": 53, "nodePort": 31053, "protocol": "UDP"},
    ]
    assert (await make(api, "c", type="NodePort", ports=both)).status == 201


async def test_a_change_of_type_gives_back_what_is_not_needed(api: Server) -> None:
    before = (await make(api, "a", type="NodePort")).tree["spec"]
    after = (await api.merge(f"{SERVICES}/a", {"spec": {"type": "ClusterIP"}})).tree["spec"]
    assert "nodePort" not in after["ports"][0]
    assert after["clusterIP"] == before["clusterIP"]
    port = before["ports"][0]["nodePort"]
    assert (await make(api, "b", type="NodePort", ports=[{"port": 80, "nodePort": port}])).status == 201
    outside = {"spec": {"type": "ExternalName", "externalName": "x.test"}}
    assert "clusterIP" not in (await api.merge(f"{SERVICES}/a", outside)).tree["spec"]
    assert (await api.get(f"{ADDRESSES}/{before['clusterIP']}")).status == 404
    back = {"spec": {"type": "ClusterIP", "externalName": None}}
    assert (await api.merge(f"{SERVICES}/a", back)).tree["spec"]["clusterIP"]


async def test_a_write_that_does_not_repeat_what_was_allocated_keeps_it(api: Server) -> None:
    before = (await make(api, "a", type="NodePort")).tree["spec"]
    body = {"metadata": {"name": "a"}, "spec": {"type": "NodePort", "selector": {"app": "b"}, "ports": [{"port": 80}]}}
    after = (await api.call("PUT", f"{SERVICES}/a", body)).tree["spec"]
    assert after["clusterIP"] == before["clusterIP"]
    assert after["ports"][0]["nodePort"] == before["ports"][0]["nodePort"]
    assert after["selector"] == {"app": "b"}


async def test_headless_and_local_services(api: Server) -> None:
    assert (await make(api, "h", clusterIP="None")).tree["spec"]["clusterIPs"] == ["None"]
    anything = (await make(api, "any", clusterIP="None", selector=None)).tree["spec"]
    assert (anything["ipFamilyPolicy"], anything["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])
    local = (await make(api, "l", type="LoadBalancer", externalTrafficPolicy="Local")).tree["spec"]
    assert 30000 <= local["healthCheckNodePort"] <= 32767
    bare = (await make(api, "n", type="LoadBalancer", allocateLoadBalancerNodePorts=False)).tree["spec"]
    assert "nodePort" not in bare["ports"][0]
    dual = await make(api, "d", ipFamilyPolicy="RequireDualStack")
    assert "this cluster is not configured for dual-stack services" in dual.message


async def test_the_kubernetes_service_is_there_from_the_start(api: Server) -> None:
    assert (await api.get(f"{SERVICES}/kubernetes")).tree["spec"]["clusterIP"] == "10.96.0.1"
    assert (await api.get(f"{ADDRESSES}/10.96.0.1")).status == 200


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"clusterIP": "nope"}, "spec.clusterIPs[0]", "must be a valid IP address"),
        ({"clusterIP": "10.96.3.3", "clusterIPs": ["10.96.3.4"]}, "spec.clusterIPs", "first value must match"),
        ({"clusterIPs": ["10.96.3.4"]}, "spec.clusterIPs", "must be empty when `clusterIP` is not specified"),
        ({"ipFamilies": ["IPv9"]}, "spec.ipFamilies[0]", 'supported values: "IPv4", "IPv6"'),
        ({"externalTrafficPolicy": "Local"}, "spec.externalTrafficPolicy", "externally-accessible services"),
        ({"allocateLoadBalancerNodePorts": True}, "spec.allocateLoadBalancerNodePorts", "`type` is 'LoadBalancer'"),
        ({"clusterIP": "10.96.3.3", "ipFamilies": ["IPv6"]}, "spec.clusterIPs[0]", "expected an IPv6 value"),
    ],
)
async def test_what_the_client_sent_is_judged_before_anything_is_made_of_it(
    api: Server, spec: dict[str, Any], field: str, words: str
) -> None:
    refused = await make(api, "a", **spec)
    assert refused.status == 422
    assert [(cause["field"], words in cause["message"]) for cause in refused.tree["details"]["causes"]] == [
        (field, True)
    ]


async def test_a_dry_run_shows_a_node_port_that_cannot_be_taken(api: Server) -> None:
    shown = await make(api, "a", "?dryRun=All", type="NodePort", ports=[{"port": 80, "nodePort": 80}])
    assert shown.tree["spec"]["ports"][0]["nodePort"] == 80
    chosen = await make(api, "a", "?dryRun=All", type="NodePort")
    assert chosen.tree["spec"]["ports"][0]["nodePort"] > 32767


async def test_a_new_type_drops_what_the_client_only_repeats(api: Server) -> None:
    made = (await make(api, "a", type="LoadBalancer", externalTrafficPolicy="Local")).tree
    assert made["spec"]["healthCheckNodePort"]
    made["spec"]["type"] = "ClusterIP"
    changed = await api.call("PUT", f"{SERVICES}/a", made)
    assert changed.status == 200, changed.message
    left = changed.tree["spec"]
    assert not {"externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts"} & left.keys()
    assert "nodePort" not in left["ports"][0]
    assert left["clusterIP"] == made["spec"]["clusterIP"]


DUAL = {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"], "ipFamilies": ["IPv4", "IPv6"]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ipFamilyPolicy": "SingleStack"}, ""),
        ({"ipFamilyPolicy": "SingleStack", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}, ""),
        ({"clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}, "must be 'SingleStack' to release the secondary"),
        ({"ipFamilyPolicy": "SingleStack", "clusterIPs": ["10.0.0.1", "fd00::2"]}, "when multiple cluster IPs are"),
    ],
)
def test_a_second_address_is_given_up_for_a_single_stack_only(changed: dict[str, Any], message: str) -> None:
    old = {"metadata": {"name": "s"}, "spec": {"type": "ClusterIP", "ipFamilyPolicy": "RequireDualStack", **DUAL}}
    new = {"metadata": {"name": "s"}, "spec": {**old["spec"], **changed}}
    if message:
        with pytest.raises(StatusError, match=message):
            set_families(new, ("IPv4", "IPv6"), old)
    else:
        set_families(new, ("IPv4", "IPv6"), old)
        assert (new["spec"]["clusterIPs"], new["spec"]["ipFamilies"]) == (["10.0.0.1"], ["IPv4"])


async def test_headless_services_without_a_selector_may_change_and_have_any_family(api: Server) -> None:
    await make(api, "any", clusterIP="None", selector=None)
    assert (await api.merge(f"{SERVICES}/any", {"metadata": {"labels": {"a": "b"}}})).status == 200
    single = await api.merge(f"{SERVICES}/any", {"spec": {"ipFamilyPolicy": "SingleStack"}})
    assert single.tree["spec"]["ipFamilies"] == ["IPv4"]
