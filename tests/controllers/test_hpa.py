"""The autoscaler against a real API server: bounds at once, and a reason for whatever is not known."""

from collections.abc import Callable
from typing import Any

import pytest

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.api.types import autoscaling_v2 as v2

LABELS = {"app": "a"}


def autoscaler(
    target: str, minimum: int = 1, name: str = "h", metrics: tuple[v2.MetricSpec, ...] = ()
) -> v2.HorizontalPodAutoscaler:
    reference = v2.CrossVersionObjectReference(api_version="apps/v1", kind="Deployment", name=target)
    spec = v2.HorizontalPodAutoscalerSpec(
        scale_target_ref=reference, min_replicas=minimum, max_replicas=10, metrics=list(metrics)
    )
    return v2.HorizontalPodAutoscaler(metadata=meta_v1.ObjectMeta(name=name), spec=spec)


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
            "resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested "
            "resource (get pods.metrics.k8s.io)",
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


UTILIZATION = v2.MetricTarget(type="Utilization", average_utilization=50)
UNREAD = (
    "unable to fetch metrics from resource metrics API: the server could not find the requested resource "
    "(get pods.metrics.k8s.io)"
)
CPU = v2.MetricSpec(type="Resource", resource=v2.ResourceMetricSource(name="cpu", target=UTILIZATION))


@pytest.mark.parametrize("pod_comes", ["before", "after"])
async def test_pods_without_requests_are_told_at_once(world_of: Callable[..., Any], pod_comes: str) -> None:
    """The next regular look would be an hour later; the first pod of a target that had none is looked at."""
    pod = core_v1.Pod(metadata=meta_v1.ObjectMeta(name="p", labels=LABELS), spec=deployment(1).spec.template.spec)
    words = "failed to get cpu utilization: missing request for cpu in container c of Pod p"

    async def says(message: str) -> bool:
        active = (await conditions(world)).get("ScalingActive")
        return active == ("False", f"the HPA was unable to compute the replica count: {message}")

    async def has_looked() -> bool:
        return await says(f"failed to get cpu utilization: unable to get metrics for resource cpu: {UNREAD}")

    async def is_told() -> bool:
        return await says(words)

    async with world_of("horizontal-pod-autoscaler-controller", horizontal_pod_autoscaler_sync_period=3600.0) as world:
        await made(world, deployment(1))
        if pod_comes == "before":
            await made(world, pod)
        await made(world, autoscaler("d", metrics=(CPU,)))
        if pod_comes == "after":
            await world.eventually(has_looked)
            await made(world, pod)
        await world.wait_told("FailedGetResourceMetric", words)
        await world.eventually(is_told)


HITS = v2.MetricIdentifier(name="hits")
TEN = v2.MetricTarget(type="AverageValue", average_value="10")
SERVICE = v2.CrossVersionObjectReference(api_version="v1", kind="Service", name="s")
UNSERVED = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (v2.MetricSpec(type="Pods", pods=v2.PodsMetricSource(metric=HITS, target=TEN)), f"unable to get metric hits: {UNSERVED}"),
        (
            v2.MetricSpec(type="Object", object=v2.ObjectMetricSource(metric=HITS, target=TEN, described_object=SERVICE)),
            f"unable to get metric hits: Service on NAMESPACE s/{UNSERVED}",
        ),
        (
            v2.MetricSpec(type="External", external=v2.ExternalMetricSource(metric=HITS, target=TEN)),
            "unable to get external metric NAMESPACE/hits/nil: unable to fetch metrics from external metrics API: 404 page not found",
        ),
    ],
    ids=["pods", "object", "external"],
)  # fmt: skip
async def test_a_metric_that_nobody_serves_is_told(
    world_of: Callable[..., Any], metric: v2.MetricSpec, message: str
) -> None:
    async with world_of("horizontal-pod-autoscaler-controller") as world:
        await made(world, deployment(1))
        await made(world, autoscaler("d", metrics=(metric,)))
        message = message.replace("NAMESPACE", world.namespace)
        await world.wait_told(f"FailedGet{metric.type}Metric", message)
        words = f"the HPA was unable to compute the replica count: {message}"

        async def is_told() -> bool:
            return (await conditions(world)).get("ScalingActive") == ("False", words)

        await world.eventually(is_told)


async def test_two_autoscalers_of_the_same_pods_are_refused(world_of: Callable[..., Any]) -> None:
    controllers = "horizontal-pod-autoscaler-controller,deployment-controller,replicaset-controller,kubelet"
    async with world_of(controllers, horizontal_pod_autoscaler_sync_period=0.2) as world:
        await made(world, deployment(1))
        await world.eventually(world.running_pods)
        await made(world, autoscaler("d"))
        await made(world, autoscaler("d", name="g"))
        namespace = world.namespace
        words = f"pods by selector app=a are controlled by multiple HPAs: [{{g {namespace}}} {{h {namespace}}}]"
        await world.wait_told("AmbiguousSelector", words)

        async def is_told() -> bool:
            return (await conditions(world)).get("ScalingActive") == ("False", words)

        await world.eventually(is_told)
