"""Disruption budgets: counts as a table, then an eviction that the API server grants and refuses by them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pybernetes.api.errors import StatusError
from pybernetes.api.types import apps_v1, core_v1, meta_v1, policy_v1
from pybernetes.api.types.base import IntOrString
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
    found = budget_of(policy_v1.PodDisruptionBudget(spec=spec), pods(3), healthy, lambda pod: ("owner", 10))
    assert found is not None
    assert (found.expected, found.desired, found.allowed) == expected


def test_nothing_expected_is_nothing_allowed() -> None:
    assert Budget(0, 0, 5).allowed == 0


def test_percentages_need_controllers() -> None:
    spec = policy_v1.PodDisruptionBudgetSpec(max_unavailable=1)
    assert budget_of(policy_v1.PodDisruptionBudget(spec=spec), pods(1), 1, lambda pod: None) is None


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
