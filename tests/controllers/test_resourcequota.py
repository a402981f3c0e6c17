"""Quotas: what has to be looked at and counted, then limits that hold on a real API server."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pybernetes.api.errors import StatusError
from pybernetes.api.quota.scopes import matches
from pybernetes.api.scheme import Resource, resource_for
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers import resourcequota
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
        (["gold.deviceclass.resource.k8s.io/devices"], {"resourceclaims.resource.k8s.io"}),
        (["count/nonsense.example.com"], set()),
    ],
)
def test_limits_say_what_to_look_at(names: list[str], expected: set[str]) -> None:
    assert {resource.group_resource for resource in limited_resources(names, ())} == expected


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


DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gems.quota.test"},
    "spec": {
        "group": "quota.test",
        "scope": "Namespaced",
        "names": {"plural": "gems", "singular": "gem", "kind": "Gem", "listKind": "GemList"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


async def test_custom_resources_and_devices_are_counted(world_of: Callable[..., Any]) -> None:
    gems, devices = "count/gems.quota.test", "gold.deviceclass.resource.k8s.io/devices"
    async with world_of("resourcequota-controller,garbage-collector-controller") as world:
        meta = meta_v1.ObjectMeta(name="q", namespace=world.namespace)
        made = quota(hard={gems: "1", devices: "3"})
        await world.client.create(msgspec.structs.replace(made, metadata=meta))

        def is_used(**used: str) -> Callable[[], Any]:
            async def check() -> bool:
                found = await world.client.get(core_v1.ResourceQuota, "q", world.namespace)
                return bool(found.status.used == used)

            return check

        await world.eventually(is_used(**{devices: "0"}))
        await world.client.create_tree(DEFINITION)
        await world.eventually(is_used(**{gems: "0", devices: "0"}))
        gem = {"apiVersion": "quota.test/v1", "kind": "Gem", "metadata": {"name": "a", "namespace": world.namespace}}
        resource = Resource("quota.test", "v1", "gems", "Gem", "gem", True)
        await world.client.create_tree(gem, resource)
        await world.eventually(is_used(**{gems: "1", devices: "0"}))
        with pytest.raises(StatusError, match="exceeded quota: q"):
            await world.client.create_tree(gem | {"metadata": {**gem["metadata"], "name": "b"}}, resource)
        await world.client.delete(resource, "a", world.namespace)
        requests = [
            {"name": "one", "exactly": {"deviceClassName": "gold", "count": 2}},
            {"name": "two", "firstAvailable": [{"name": "x", "deviceClassName": "gold"}]},
        ]
        spec = {"devices": {"requests": requests}}
        claim = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": gem["metadata"], "spec": spec}
        await world.client.create_tree(claim)
        await world.eventually(is_used(**{gems: "0", devices: "3"}))
        with pytest.raises(StatusError, match="exceeded quota: q"):
            await world.client.create_tree(claim | {"metadata": {**gem["metadata"], "name": "b"}})


async def test_a_pod_that_is_given_a_deadline_comes_under_other_quotas(world_of: Callable[..., Any]) -> None:
    async with world_of("resourcequota-controller") as world:
        for scope in ("Terminating", "NotTerminating"):
            meta = meta_v1.ObjectMeta(name=scope.lower(), namespace=world.namespace)
            made = quota(hard={"pods": "1"}, scopes=[scope])
            await world.client.create(msgspec.structs.replace(made, metadata=meta))

        def is_used(**used: str) -> Callable[[], Any]:
            async def check() -> bool:
                found = (await world.client.list(core_v1.ResourceQuota, world.namespace)).items
                return bool({one.metadata.name: one.status.used.get("pods") for one in found} == used)

            return check

        await world.eventually(is_used(terminating="0", notterminating="0"))
        await world.client.create(pod("a", namespace=world.namespace))
        await world.eventually(is_used(terminating="0", notterminating="1"))
        await world.client.patch(core_v1.Pod, "a", world.namespace, {"spec": {"activeDeadlineSeconds": 3600}})
        late = pod("b", namespace=world.namespace)
        late = msgspec.structs.replace(late, spec=msgspec.structs.replace(late.spec, active_deadline_seconds=3600))
        with pytest.raises(StatusError, match="exceeded quota: terminating"):
            await world.client.create(late)
        await world.eventually(is_used(terminating="1", notterminating="0"))


def test_a_claim_counts_for_the_class_it_has_and_the_one_it_wants() -> None:
    claim = {"spec": {"volumeAttributesClassName": "silver"}, "status": {"currentVolumeAttributesClassName": "gold"}}
    resource = resource_for(core_v1.PersistentVolumeClaim)
    for operator, values, expected in (
        ("In", ["gold"], True),
        ("In", ["silver"], True),
        ("In", ["copper"], False),
        ("NotIn", ["gold"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ):
        term = {"scopeName": "VolumeAttributesClass", "operator": operator, "values": values}
        selecting = {"spec": {"scopeSelector": {"matchExpressions": [term]}}}
        assert matches(selecting, resource, claim) is expected, (operator, values)


async def test_what_cannot_be_listed_keeps_no_other_limit(
    world_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a custom resource whose conversion webhook is down: it is there, and every list of it fails."""
    lost = Resource("wild.test", "v1", "boxes", "Box", "box", True, verbs=("get", "list", "watch"))

    class Served:
        resources = (lost,)

    async def discover(client: Any) -> Served:
        return Served()

    monkeypatch.setattr(resourcequota, "discover", discover)
    monkeypatch.setattr(resourcequota, "SYNC_SECONDS", 0.1)
    async with world_of("resourcequota-controller") as world:
        await world.client.create(pod("p", namespace=world.namespace))
        hard = {"count/boxes.wild.test": "1", "pods": "5"}
        meta = meta_v1.ObjectMeta(name="q", namespace=world.namespace)
        await world.client.create(core_v1.ResourceQuota(metadata=meta, spec=core_v1.ResourceQuotaSpec(hard=hard)))

        async def is_counted() -> bool:
            found = await world.client.get(core_v1.ResourceQuota, "q", world.namespace)
            return found.status.used == {"pods": "1"}

        await world.eventually(is_counted)
        await world.client.delete(core_v1.ResourceQuota, "q", world.namespace)
