"""Disruption budgets: counts as a table, then an eviction that the API server grants and refuses by them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pybernetes.api.errors import StatusError
from pybernetes.api.scheme import Resource, by_kind
from pybernetes.api.types import apps_v1, core_v1, meta_v1, policy_v1
from pybernetes.api.types.base import IntOrString
from pybernetes.client.discovery import discover
from pybernetes.client.patch import PatchType
from pybernetes.controllers.disruption import Budget, budget_of, pending_disruptions

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = {"app": "a"}


def pods(count: int) -> list[core_v1.Pod]:
    return [core_v1.Pod(metadata=meta_v1.ObjectMeta(name=f"p{number}"), spec=core_v1.PodSpec(containers=[])) for number in range(count)]  # fmt: skip


@pytest.mark.parametrize(
    ("least", "most", "healthy", "expected"),
    [
        (2, None, 3, (3, 2, 1)),
        (3, None, 3, (3, 3, 0)),
        ("50%", None, 10, (10, 5, 5)),
        (None, 1, 10, (10, 9, 1)),
        (None, "25%", 10, (10, 7, 3)),
        (None, 1, 8, (10, 9, 0)),
    ],
)
def test_what_may_be_disrupted(
    least: IntOrString | None, most: IntOrString | None, healthy: int, expected: tuple[int, int, int]
) -> None:
    spec = policy_v1.PodDisruptionBudgetSpec(min_available=least, max_unavailable=most)
    found = budget_of(policy_v1.PodDisruptionBudget(spec=spec), 3, healthy, [("owner", 10)] * 3)
    assert (found.expected, found.desired, found.allowed) == expected


def test_nothing_expected_is_nothing_allowed() -> None:
    assert Budget(0, 0, 5).allowed == 0


def test_pods_of_several_controllers_and_of_none() -> None:
    spec = policy_v1.PodDisruptionBudgetSpec(max_unavailable=1)
    found = budget_of(policy_v1.PodDisruptionBudget(spec=spec), 4, 4, [("a", 2), ("a", 2), ("b", 5), None])
    assert (found.expected, found.desired) == (7, 6)


def test_granted_evictions_are_remembered_for_two_minutes() -> None:
    granted = {"p0": "2025-12-31T23:59:00Z", "p1": "2025-12-31T23:50:00Z", "gone": "2025-12-31T23:59:59Z"}
    assert pending_disruptions(granted, pods(2), NOW) == {"p0": "2025-12-31T23:59:00Z"}


async def test_evictions_keep_within_the_budget(world_of: Callable[..., Any]) -> None:
    async with world_of("disruption-controller,replicaset-controller,kubelet") as world:
        template = core_v1.PodTemplateSpec(
            metadata=meta_v1.ObjectMeta(labels=LABELS),
            spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")]),
        )
        selector = meta_v1.LabelSelector(match_labels=LABELS)
        meta = meta_v1.ObjectMeta(name="s", namespace=world.namespace)
        spec = apps_v1.ReplicaSetSpec(replicas=2, selector=selector, template=template)
        await world.client.create(apps_v1.ReplicaSet(metadata=meta, spec=spec))
        limits = policy_v1.PodDisruptionBudgetSpec(min_available=2, selector=selector)
        await world.client.create(policy_v1.PodDisruptionBudget(metadata=meta, spec=limits))

        def allows(count: int) -> Callable[[], Any]:
            async def check() -> bool:
                found = await world.client.get(policy_v1.PodDisruptionBudget, "s", world.namespace)
                return found.status.disruptions_allowed == count and found.status.current_healthy == 2 + count

            return check

        async def evict() -> None:
            name = world.running_pods()[0].metadata.name or ""
            body = policy_v1.Eviction(metadata=meta_v1.ObjectMeta(name=name, namespace=world.namespace))
            await world.client.post(core_v1.Pod, name, world.namespace, "eviction", body, returns=meta_v1.Status)

        await world.eventually(allows(0))
        with pytest.raises(StatusError) as failure:
            await evict()
        assert failure.value.code == 429
        await world.client.patch(apps_v1.ReplicaSet, "s", world.namespace, {"spec": {"replicas": 3}})
        await world.eventually(allows(1))
        await evict()


async def owned_pod(world: Any, owner: meta_v1.OwnerReference) -> None:
    meta = meta_v1.ObjectMeta(name="p", namespace=world.namespace, labels=LABELS, owner_references=[owner])
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")])
    await world.client.create(core_v1.Pod(metadata=meta, spec=spec))


async def budget(world: Any, **limits: Any) -> None:
    selector = meta_v1.LabelSelector(match_labels=LABELS)
    spec = policy_v1.PodDisruptionBudgetSpec(selector=selector, **limits)
    meta = meta_v1.ObjectMeta(name="s", namespace=world.namespace)
    await world.client.create(policy_v1.PodDisruptionBudget(metadata=meta, spec=spec))


def status_is(world: Any, check: Callable[[policy_v1.PodDisruptionBudgetStatus], bool]) -> Callable[[], Any]:
    async def is_so() -> bool:
        return check((await world.client.get(policy_v1.PodDisruptionBudget, "s", world.namespace)).status)

    return is_so


def reason_of(status: policy_v1.PodDisruptionBudgetStatus) -> str | None:
    return next((one.reason for one in status.conditions), None)


async def test_a_custom_resource_says_how_many_pods_it_wants(world_of: Callable[..., Any]) -> None:
    async with world_of("disruption-controller,kubelet") as world:
        group = f"{world.namespace}.example.com"
        scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {
            "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
            "subresources": {"scale": scale, "status": {}},
        }  # fmt: skip
        names = {"plural": "flocks", "singular": "flock", "kind": "Flock"}
        crds = by_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        assert crds is not None
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
        await world.client.create_tree({"metadata": {"name": f"flocks.{group}"}, "spec": spec}, crds)
        flocks = Resource(group, "v1", "flocks", "Flock", "flock", True, verbs=("get", "create"))

        async def is_served() -> bool:
            served = (await discover(world.client)).resources
            return any(found.kind == "Flock" and found.group == group for found in served)

        await world.eventually(is_served)
        made = await world.client.create_tree(
            {"apiVersion": f"{group}/v1", "kind": "Flock", "metadata": {"name": "f", "namespace": world.namespace},
             "spec": {"replicas": 3}}, flocks
        )  # fmt: skip
        uid = made["metadata"]["uid"]
        owner = meta_v1.OwnerReference(api_version=f"{group}/v1", kind="Flock", name="f", uid=uid, controller=True)
        await owned_pod(world, owner)
        await budget(world, max_unavailable=1)
        await world.eventually(status_is(world, lambda found: (found.expected_pods, found.desired_healthy) == (3, 2)))


async def test_a_kind_without_a_scale_allows_nothing_and_says_so(world_of: Callable[..., Any]) -> None:
    async with world_of("disruption-controller,kubelet") as world:
        owner = meta_v1.OwnerReference(api_version="batch/v1", kind="Job", name="j", uid="u", controller=True)
        await owned_pod(world, owner)
        await budget(world, max_unavailable=1)
        words = "Failed to calculate the number of expected pods: jobs.batch does not implement the scale subresource"
        await world.wait_told("CalculateExpectedPodCountFailed", words)
        await world.eventually(
            status_is(world, lambda found: reason_of(found) == "SyncFailed" and found.disruptions_allowed == 0)
        )


async def test_a_pod_that_stays_in_spite_of_its_eviction_is_told(world_of: Callable[..., Any]) -> None:
    async with world_of("disruption-controller") as world:
        meta = meta_v1.ObjectMeta(name="stays", namespace=world.namespace, labels=LABELS)
        spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")])
        await world.client.create(core_v1.Pod(metadata=meta, spec=spec))
        await budget(world, min_available=1)
        patch = {"status": {"disruptedPods": {"stays": "2026-01-01T00:00:00Z"}}}
        kind = policy_v1.PodDisruptionBudget
        name = (await world.client.list(kind, world.namespace)).items[0].metadata.name
        await world.client.patch(kind, name, world.namespace, patch, PatchType.MERGE, subresource="status")
        words = f"Pod was expected by PDB {world.namespace}/{name} to be deleted but it wasn't"
        await world.wait_told("NotDeleted", words)
        await world.eventually(status_is(world, lambda status: not status.disrupted_pods))
