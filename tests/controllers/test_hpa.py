"""The autoscaler against a real API server: bounds at once, and a reason for whatever is not known."""

from collections.abc import Callable
from typing import Any

import pytest

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.api.types import autoscaling_v2 as v2

LABELS = {"app": "a"}


def autoscaler(target: str, minimum: int = 1) -> v2.HorizontalPodAutoscaler:
    reference = v2.CrossVersionObjectReference(api_version="apps/v1", kind="Deployment", name=target)
    spec = v2.HorizontalPodAutoscalerSpec(scale_target_ref=reference, min_replicas=minimum, max_replicas=10)
    return v2.HorizontalPodAutoscaler(metadata=meta_v1.ObjectMeta(name="h"), spec=spec)


async def made(world: Any, obj: Any) -> None:
    await world.client.create(obj, world.namespace)


async def conditions(world: Any) -> dict[str, tuple[str | None, str | None]]:
    found = await world.client.get(v2.HorizontalPodAutoscaler, "h", world.namespace)
    return {one.type: (one.status, one.message) for one in found.status.conditions}


def deployment(replicas: int) -> apps_v1.Deployment:
    template = core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(labels=LABELS),
        spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")]),
    )
    spec = apps_v1.DeploymentSpec(
        replicas=replicas, selector=meta_v1.LabelSelector(match_labels=LABELS), template=template
    )
    return apps_v1.Deployment(metadata=meta_v1.ObjectMeta(name="d"), spec=spec)


async def test_replicas_are_kept_within_the_bounds(world_of: Callable[..., Any]) -> None:
    async with world_of("horizontal-pod-autoscaler-controller") as world:
        await made(world, deployment(1))
        await made(world, autoscaler("d", minimum=3))
        await world.wait_told("SuccessfulRescale", "New size: 3; reason: Current number of replicas below")
        assert (await world.client.get(apps_v1.Deployment, "d", world.namespace)).spec.replicas == 3


@pytest.mark.parametrize(
    ("replicas", "condition", "message"),
    [
        (
            None,
            "AbleToScale",
            'the HPA controller was unable to get the target\'s current scale: deployments.apps "d" not found',
        ),
        (
            1,
            "ScalingActive",
            "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for "
            "resource cpu: unable to fetch metrics from resource metrics API: 404 page not found",
        ),
        (0, "ScalingActive", "scaling is disabled since the replica count of the target is zero"),
    ],
    ids=["no target", "metrics not served", "switched off"],
)
async def test_what_is_unknown_has_a_reason(
    world_of: Callable[..., Any], replicas: int | None, condition: str, message: str
) -> None:
    async with world_of("horizontal-pod-autoscaler-controller") as world:
        if replicas is not None:
            await made(world, deployment(replicas))
        await made(world, autoscaler("d"))

        async def is_told() -> bool:
            return (await conditions(world)).get(condition) == ("False", message)

        await world.eventually(is_told)
