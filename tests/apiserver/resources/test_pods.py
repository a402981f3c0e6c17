"""Pods through the whole server: bindings, gates, evictions."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, server

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def bind(api: Server, pod: str, node: str) -> Any:
    return await api.post(
        f"{PODS}/{pod}/binding", {"metadata": {"name": pod}, "target": {"kind": "Node", "name": node}}
    )


async def test_a_pod_gets_its_node_once(api: Server) -> None:
    await api.pod("p")
    assert (await bind(api, "p", "n1")).status == 201
    second = await bind(api, "p", "n2")
    assert (second.status, second.message) == (
        409,
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
    )
    pod = (await api.get(f"{PODS}/p")).tree
    assert pod["spec"]["nodeName"] == "n1"
    assert pod["metadata"]["generation"] == 1
    assert [entry["type"] for entry in pod["status"]["conditions"]] == ["PodScheduled"]
    assert (await bind(api, "nosuch", "n1")).status == 404
    assert (await api.post(f"{PODS}/p/binding", {"metadata": {"name": "q"}, "target": {"name": "n"}})).status == 400


async def test_a_pod_can_read_its_nodes_zone_of_itself(api: Server) -> None:
    labels = {"topology.kubernetes.io/zone": "z", "other": "o"}
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1", "labels": labels}})
    await api.pod("p")
    await bind(api, "p", "n1")
    assert (await api.get(f"{PODS}/p")).tree["metadata"]["labels"] == {"topology.kubernetes.io/zone": "z"}


async def test_gated_pods_are_not_bound(api: Server) -> None:
    made = await api.pod("p", schedulingGates=[{"name": "g.test/wait"}])
    condition = made.tree["status"]["conditions"][0]
    assert condition["reason"] == "SchedulingGated"
    assert condition["lastTransitionTime"] == made.tree["metadata"]["creationTimestamp"]
    assert "non-empty .spec.schedulingGates" in (await bind(api, "p", "n1")).message


async def test_unscheduled_pods_go_at_once_and_others_gracefully(api: Server) -> None:
    await api.pod("free")
    await api.delete(f"{PODS}/free")
    assert (await api.get(f"{PODS}/free")).status == 404
    await api.pod("bound", nodeName="n1", terminationGracePeriodSeconds=7)
    marked = (await api.delete(f"{PODS}/bound")).tree
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 7
    assert marked["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:07Z"
    await api.delete(f"{PODS}/bound?gracePeriodSeconds=0")
    assert (await api.get(f"{PODS}/bound")).status == 404


async def test_finished_pods_go_at_once(api: Server) -> None:
    await api.pod("done", nodeName="n1")
    await api.merge(f"{PODS}/done/status", {"status": {"phase": "Succeeded"}})
    await api.delete(f"{PODS}/done")
    assert (await api.get(f"{PODS}/done")).status == 404


async def test_statuses_leave_spec_and_owners_alone(api: Server) -> None:
    await api.pod("p")
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}
    body = {"status": {"phase": "Running"}, "spec": {"nodeName": "n9"}, "metadata": {"ownerReferences": [owner]}}
    changed = (await api.merge(f"{PODS}/p/status", body)).tree
    assert changed["status"]["phase"] == "Running"
    assert changed["status"]["qosClass"] == "BestEffort"
    assert "nodeName" not in changed["spec"]
    assert "ownerReferences" not in changed["metadata"]


async def running_pod(api: Server, name: str) -> None:
    await api.post(
        PODS,
        {
            "metadata": {"name": name, "labels": {"app": "x"}},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
        },
    )
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await api.merge(f"{PODS}/{name}/status", {"status": ready})


async def evict(api: Server, name: str, **options: Any) -> Any:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options}
    return await api.post(f"{PODS}/{name}/eviction", body)


async def test_evictions_spend_the_budget(api: Server) -> None:
    await running_pod(api, "a")
    await running_pod(api, "b")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}
    await api.post(BUDGETS, {"metadata": {"name": "pdb"}, "spec": spec})
    early = await evict(api, "a")
    assert early.status == 429
    assert early.tree["details"]["retryAfterSeconds"] == 10
    status = {
        "observedGeneration": 1,
        "disruptionsAllowed": 1,
        "currentHealthy": 2,
        "desiredHealthy": 1,
        "expectedPods": 2,
    }
    await api.merge(f"{BUDGETS}/pdb/status", {"status": status})
    assert (await evict(api, "a", gracePeriodSeconds=3)).status == 201
    evicted = (await api.get(f"{PODS}/a")).tree
    assert evicted["metadata"]["deletionGracePeriodSeconds"] == 3
    assert evicted["status"]["conditions"][-1]["reason"] == "EvictionByEvictionAPI"
    budget = (await api.get(f"{BUDGETS}/pdb")).tree["status"]
    assert budget["disruptionsAllowed"] == 0
    assert list(budget["disruptedPods"]) == ["a"]
    refused = await evict(api, "b")
    assert refused.status == 429
    words = "The disruption budget pdb needs 1 healthy pods and has 2 currently"
    assert refused.tree["details"]["causes"] == [{"reason": "DisruptionBudget", "message": words}]
    assert (await evict(api, "nosuch")).status == 404


async def test_a_dry_run_evicts_nobody(api: Server) -> None:
    await running_pod(api, "a")
    assert (await evict(api, "a", dryRun=["All"])).status == 201
    assert "deletionTimestamp" not in (await api.get(f"{PODS}/a")).tree["metadata"]


async def test_what_streams_need(api: Server) -> None:
    await api.pod("p", containers=[{"name": "a", "image": "i"}, {"name": "b", "image": "i"}])
    log = await api.get(f"{PODS}/p/log")
    assert log.message == "a container name must be specified for pod p, choose one of: [a b]"
    one, other = {"name": "one", "image": "i"}, {"name": "other", "image": "i"}
    await api.pod("only", initContainers=[one], containers=[other])
    assert (await api.get(f"{PODS}/only/log")).status == 204, "the only regular one is meant"
    await api.pod("both", initContainers=[{"name": "i", "image": "i"}], containers=[one, other])
    listed = "a container name must be specified for pod both, choose one of: [i one other]"
    assert (await api.get(f"{PODS}/both/log")).message == listed
    assert (await api.get(f"{PODS}/p/log?container=z")).message == "container z is not valid for pod p"
    assert (await api.get(f"{PODS}/p/log?container=a")).status == 204
    assert (await api.get(f"{PODS}/p/log?container=a&tailLines=-1")).status == 422
    executed = await api.post(f"{PODS}/p/exec?container=a&command=ls&stdout=1", None)
    assert (executed.status, executed.message) == (400, "pod p does not have a host assigned")
    assert (await api.post(f"{PODS}/p/exec?container=a&stdout=1", None)).status == 422
