"""What a metric of an autoscaler asks for: read from the API that serves it, judged by `replicas.py`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from msgspec.structs import replace

from pybernetes.api.errors import StatusError
from pybernetes.api.quantity import Quantity
from pybernetes.api.scheme import Resource
from pybernetes.api.time import parse_time
from pybernetes.api.types import autoscaling_v2 as v2
from pybernetes.controllers.hpa.custom import Asker
from pybernetes.controllers.hpa.found import Found, MetricFailedError, amount
from pybernetes.controllers.hpa.replicas import (
    MetricError,
    Proposal,
    Reading,
    Situation,
    by_average,
    by_utilization,
    requests_of,
)

POD_METRICS: Final = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", "pod", True, verbs=("get", "list"))

_UNSAID: Final = {
    404: "the server could not find the requested resource",
    503: "the server is currently unable to handle the request",
}


async def evaluate(asker: Asker, metric: v2.MetricSpec, selector: str, situation: Situation) -> Found:
    """What this metric asks for. `situation` is given without readings. Raises MetricFailedError."""
    if source := metric.resource or metric.container_resource:
        return await _evaluate_resource(asker, source, selector, situation)
    if metric.pods is not None:
        return await asker.pods(metric.pods, selector, situation)
    if metric.object is not None:
        return await asker.object(metric.object, situation)
    if metric.external is not None:
        return await asker.external(metric.external, situation)
    words = f'unknown metric source type "{metric.type}"'
    raise MetricFailedError("InvalidMetricSourceType", words, words)


async def _evaluate_resource(
    asker: Asker,
    source: v2.ResourceMetricSource | v2.ContainerResourceMetricSource,
    selector: str,
    situation: Situation,
) -> Found:
    container = source.container if isinstance(source, v2.ContainerResourceMetricSource) else ""
    by_request = source.target.average_utilization is not None
    noun = "container resource" if container else "resource"
    try:
        if by_request:
            # No reading could help pods without requests: said before any has been made.
            requests_of(situation.pods, source.name, container)
        readings = await _readings(asker, source.name, selector, container)
        known = replace(situation, readings=readings, resource=source.name)
        proposal = _proposal(known, source.target, container)
    except MetricError as error:
        reason = "FailedGetContainerResourceMetric" if container else "FailedGetResourceMetric"
        words = f"failed to get {source.name} {'utilization' if by_request else 'usage'}: {error}"
        what = f"{container} container" if container else f"{source.name} resource"
        raise MetricFailedError(reason, words, f"failed to get {what} metric value") from error
    name = f"{source.name} {noun}" + (" utilization (percentage of request)" if by_request else "")
    return Found(proposal.replicas, name, _status(source, _current(proposal)))


def _proposal(situation: Situation, target: v2.MetricTarget, container: str) -> Proposal:
    if target.average_utilization is not None:
        return by_utilization(situation, target.average_utilization, container)
    if target.average_value is None:
        raise MetricError("neither a utilization target nor a value target was set")
    return by_average(situation, Quantity.parse(target.average_value).milli_value)


async def _readings(asker: Asker, resource: str, selector: str, container: str) -> dict[str, Reading]:
    try:
        listed = (await asker.client.list(POD_METRICS, asker.namespace, label_selector=selector)).items
    except StatusError as error:
        words = f"unable to fetch metrics from resource metrics API: {_said(error)}"
        raise MetricError(f"unable to get metrics for resource {resource}: {words}") from error
    if not listed:
        raise MetricError(
            f"unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
        )
    made = ((pod["metadata"]["name"], reading_of(pod, resource, container)) for pod in listed)
    return {name: reading for name, reading in made if reading is not None}


def _said(error: StatusError) -> str:
    """As clients of upstream put it where nothing serves the API, and where its server does not answer."""
    return error.message if error.reason else f"{_UNSAID.get(error.code, error.message)} (get pods.metrics.k8s.io)"


def reading_of(pod: dict[str, Any], resource: str, container: str = "") -> Reading | None:
    """Of a PodMetrics; None unless every container in question (one, or all) tells of the resource."""
    chosen = [one for one in pod["containers"] if not container or one["name"] == container]
    if not chosen or any(resource not in one["usage"] for one in chosen):
        return None
    value = sum(Quantity.parse(one["usage"][resource]).milli_value for one in chosen)
    return Reading(value, parse_time(pod["timestamp"]), window_seconds(pod["window"]))


def window_seconds(text: str) -> float:
    """A window as Go writes durations: "15.2s", "1m0s"."""
    minutes, _, rest = text.rpartition("m")
    return timedelta(minutes=int(minutes or 0), seconds=float(rest.removesuffix("s") or 0)).total_seconds()


def _current(proposal: Proposal) -> v2.MetricValueStatus:
    return v2.MetricValueStatus(average_utilization=proposal.utilization, average_value=amount(proposal.average))


def _status(
    source: v2.ResourceMetricSource | v2.ContainerResourceMetricSource, current: v2.MetricValueStatus
) -> v2.MetricStatus:
    if isinstance(source, v2.ContainerResourceMetricSource):
        told = v2.ContainerResourceMetricStatus(name=source.name, container=source.container, current=current)
        return v2.MetricStatus(type="ContainerResource", container_resource=told)
    return v2.MetricStatus(type="Resource", resource=v2.ResourceMetricStatus(name=source.name, current=current))


def combined(found: Sequence[Found]) -> Found:
    """Of several metrics the one that asks for most."""
    return max(found, key=lambda one: one.replicas)
