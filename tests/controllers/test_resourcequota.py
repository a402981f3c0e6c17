"""Quotas: what has to be looked at and counted, then limits that hold on a real API server."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pybernetes.api.errors import StatusError
from pybernetes.api.scheme import resource_for
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.resourcequota import count, limited_resources


def pod(name: str, cpu: str = "100m", phase: str = "Running", namespace: str = "n") -> core_v1.Pod:
    needs = core_v1.ResourceRequirements(requests={"cpu": cpu}, limits={"cpu": cpu})
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i", resources=needs)])
    meta = meta_v1.ObjectMeta(name=name, namespace=namespace)
    return core_v1.Pod(metadata=meta, spec=spec, status=core_v1.PodStatus(phase=phase))


def quota(**spec: Any) -> core_v1.ResourceQuota:
    return core_v1.ResourceQuota(metadata=meta_v1.ObjectMeta(name="q"), spec=core_v1.ResourceQuotaSpec(**spec))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["requests.cpu", "pods", "limits.memory"], {"pods"}),
        (["services.nodeports", "requests.storage"], {"services", "persistentvolumeclaims"}),
        (["count/deployments.apps", "configmaps"], {"deployments.apps", "configmaps"}),
        (["count/nonsense.example.com"], set()),
    ],
)
def test_limits_say_what_to_look_at(names: list[str], expected: set[str]) -> None:
    assert {resource.group_resource for resource in limited_resources(names)} == expected


def test_finished_pods_give_back_what_they_held() -> None:
    pods = [pod("a"), pod("b", "1"), pod("c", "4", "Succeeded")]
    found = [(resource_for(core_v1.Pod), msgspec.to_builtins(one)) for one in pods]
    hard = {"pods": "5", "requests.cpu": "2", "count/pods": "9"}
    assert count(quota(hard=hard), found) == {"pods": "2", "requests.cpu": "1100m", "count/pods": "3"}
    assert count(quota(hard=hard, scopes=["BestEffort"]), found)["pods"] == "0"


async def test_a_quota_is_kept_and_given_back(world_of: Callable[..., Any]) -> None:
    async with world_of("resourcequota-controller") as world:
        made = quota(hard={"pods": "1", "configmaps": "10"})
        meta = meta_v1.ObjectMeta(name="q", namespace=world.namespace)
        await world.client.create(msgspec.structs.replace(made, metadata=meta))

        def is_used(pods: str) -> Callable[[], Any]:
            async def check() -> bool:
                found = await world.client.get(core_v1.ResourceQuota, "q", world.namespace)
                return bool(found.status.used.get("pods") == pods and found.status.hard.get("pods") == "1")

            return check

        await world.eventually(is_used("0"))
        await world.client.create(pod("a", namespace=world.namespace))
        await world.eventually(is_used("1"))
        with pytest.raises(StatusError, match="exceeded quota: q"):
            await world.client.create(pod("b", namespace=world.namespace))
        await world.client.delete(core_v1.Pod, "a", world.namespace, grace_period_seconds=0)
        await world.eventually(is_used("0"))
        await world.client.create(pod("b", namespace=world.namespace))
