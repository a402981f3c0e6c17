"""What the server keeps by itself, through its own API."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, server

from pybernetes.apiserver.upkeep.keeper import SETTLE_SECONDS

API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        await made.clock.advance(SETTLE_SECONDS)
        yield made


async def wait_until(api: Server, path: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while not holds((reply := await api.get(path)).tree):
            await asyncio.sleep(0.005)
    return reply.tree


def condition(obj: dict[str, Any]) -> tuple[str, str]:
    found = (obj.get("status") or {}).get("conditions") or [{}]
    return found[0].get("status", ""), found[0].get("reason", "")


async def test_what_is_served_here_has_an_available_api_service(api: Server) -> None:
    apps = await wait_until(api, f"{API_SERVICES}/v1.apps", lambda obj: "spec" in obj)
    assert condition(apps) == ("True", "Local")
    assert apps["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
    core = await wait_until(api, f"{API_SERVICES}/v1.", lambda obj: "spec" in obj)
    assert core["spec"]["groupPriorityMinimum"] > apps["spec"]["groupPriorityMinimum"]
    two = await wait_until(api, f"{API_SERVICES}/v2.autoscaling", lambda obj: "spec" in obj)
    one = await wait_until(api, f"{API_SERVICES}/v1.autoscaling", lambda obj: "spec" in obj)
    assert two["spec"]["versionPriority"] != one["spec"]["versionPriority"]


async def test_the_api_service_of_a_definition_comes_and_goes_with_it(api: Server) -> None:
    names = {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "a.test", "scope": "Namespaced", "names": names, "versions": [version]}
    assert (await api.post(DEFINITIONS, {"metadata": {"name": "widgets.a.test"}, "spec": spec})).status == 201
    made = await wait_until(api, f"{API_SERVICES}/v1.a.test", lambda obj: "spec" in obj)
    assert condition(made) == ("True", "Local")
    assert made["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "true"}
    await api.delete(f"{API_SERVICES}/v1.a.test")
    await wait_until(api, f"{API_SERVICES}/v1.a.test", lambda obj: "spec" in obj)
    await api.delete(f"{DEFINITIONS}/widgets.a.test")
    await wait_until(api, f"{API_SERVICES}/v1.a.test", lambda obj: obj.get("code") == 404)


async def test_an_aggregated_api_tells_what_its_service_lacks(api: Server) -> None:
    spec = {
        "group": "agg.test", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 5,
        "insecureSkipTLSVerify": True, "service": {"name": "s", "namespace": "default"},
    }  # fmt: skip
    made = await api.post(API_SERVICES, {"metadata": {"name": "v1.agg.test"}, "spec": spec})
    assert made.tree["status"] == {}
    path = f"{API_SERVICES}/v1.agg.test"
    told = await wait_until(api, path, lambda obj: condition(obj) == ("False", "ServiceNotFound"))
    assert told["status"]["conditions"][0]["message"] == 'service/s in "default" is not present'
    writers = [(one["manager"], one["operation"]) for one in told["metadata"]["managedFields"] if "subresource" in one]
    assert writers == [("kube-apiserver", "Update")]
    services = "/api/v1/namespaces/default/services"
    await api.post(services, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    await wait_until(api, path, lambda obj: condition(obj) == ("False", "ServicePortError"))
    await api.merge(f"{services}/s", {"spec": {"ports": [{"port": 443}]}})
    await wait_until(api, path, lambda obj: condition(obj) == ("False", "MissingEndpoints"))


async def test_a_flow_schema_tells_whether_its_level_exists(api: Server) -> None:
    spec = {"priorityLevelConfiguration": {"name": "mine"}, "matchingPrecedence": 9000}
    await api.post(f"{FLOW}/flowschemas", {"metadata": {"name": "fs"}, "spec": spec})
    path = f"{FLOW}/flowschemas/fs"
    await wait_until(api, path, lambda obj: condition(obj) == ("True", "NotFound"))
    level = {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    made = await api.post(f"{FLOW}/prioritylevelconfigurations", {"metadata": {"name": "mine"}, "spec": level})
    assert made.status == 201, made.message
    told = await wait_until(api, path, lambda obj: condition(obj) == ("False", "Found"))
    writers = [(one["manager"], one["operation"]) for one in told["metadata"]["managedFields"] if "subresource" in one]
    assert writers == [("api-priority-and-fairness-config-consumer-v1", "Apply")]
    await api.delete(f"{FLOW}/prioritylevelconfigurations/mine")
    await wait_until(api, path, lambda obj: condition(obj) == ("True", "NotFound"))


async def test_the_service_range_is_ready(api: Server) -> None:
    path = "/apis/networking.k8s.io/v1/servicecidrs/kubernetes"
    told = await wait_until(api, path, lambda obj: condition(obj)[0] == "True")
    managers = {entry["manager"] for entry in told["metadata"]["managedFields"]}
    assert managers == {"kube-apiserver", "kubernetes-service-cidr-controller"}


async def test_a_system_namespace_that_is_deleted_comes_back(api: Server) -> None:
    path = "/api/v1/namespaces/kube-node-lease"
    before = (await api.get(path)).tree["metadata"]["uid"]
    assert (await api.delete(path)).status == 200
    finalized = {"metadata": {"name": "kube-node-lease"}, "spec": {"finalizers": []}}
    await api.call("PUT", f"{path}/finalize", finalized)
    made = await wait_until(api, path, lambda obj: obj.get("metadata", {}).get("uid") not in (None, before))
    assert made["status"] == {"phase": "Active"}
