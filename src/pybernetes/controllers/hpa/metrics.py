"""What a metric of an autoscaler asks for: read from `metrics.k8s.io`, judged by `replicas.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from pybernetes.api.errors import StatusError
from pybernetes.api.quantity import NANO, Quantity
from pybernetes.api.scheme import Resource
from pybernetes.api.time import parse_time
from pybernetes.api.types import autoscaling_v2 as v2
from pybernetes.client.rest import Client
from pybernetes.controllers.hpa.replicas import MetricError, Proposal, Reading, Situation, by_average, by_utilization

POD_METRICS: Final = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", "pod", True, verbs=("get", "list"))
_NOT_SERVED: Final = {"Pods": "custom", "Object": "custom", "External": "external"}
"""The APIs that other metrics come from; nothing serves them here."""


@dataclass(frozen=True, slots=True)
class Found:
    """A metric's proposal, its name as messages have it, and what the status tells of it."""

    replicas: int
    name: str
    status: v2.MetricStatus


class MetricFailedError(Exception):
    """A metric that gives no number: the reason of condition and event, and their words."""

    def __init__(self, reason: str, message: str, what: str) -> None:
        super().__init__(message)
        self.reason, self.message, self.what = reason, message, what


async def evaluate(client: Client, metric: v2.MetricSpec, namespace: str, selector: str, situation: Situation) -> Found:
    """What this metric asks for. `situation` is given without readings. Raises MetricFailedError."""
    source = metric.resource or metric.container_resource
    if source is None:
        raise _unsupported(metric)
    container = source.container if isinstance(source, v2.ContainerResourceMetricSource) else ""
    by_request = source.target.average_utilization is not None
    noun = "container resource" if container else "resource"
    try:
        readings = await _readings(client, source.name, namespace, selector, container)
        known = replace(situation, readings=readings, resource=source.name)
        proposal = _proposal(known, source.target, container)
    except MetricError as error:
        reason = "FailedGetContainerResourceMetric" if container else "FailedGetResourceMetric"
        words = f"failed to get {source.name} {'utilization' if by_request else 'usage'}: {error}"
        raise MetricFailedError(reason, words, f"failed to get {source.name} {noun} metric value") from error
    name = f"{source.name} {noun}" + (" utilization (percentage of request)" if by_request else "")
    return Found(proposal.replicas, name, _status(source, _current(proposal)))


def _proposal(situation: Situation, target: v2.MetricTarget, container: str) -> Proposal:
    if target.average_utilization is not None:
        return by_utilization(situation, target.average_utilization, container)
    if target.average_value is None:
        raise MetricError("neither a utilization target nor a value target was set")
    return by_average(situation, Quantity.parse(target.average_value).milli_value)


def _unsupported(metric: v2.MetricSpec) -> MetricFailedError:
    api = _NOT_SERVED.get(metric.type)
    if api is None:
        words = f'unknown metric source type "{metric.type}"'
        return MetricFailedError("InvalidMetricSource", words, words)
    source: Any = metric.pods or metric.object or metric.external
    name = source.metric.name if source else ""
    words = (
        f"unable to get metric {name}: unable to fetch metrics from {api} metrics API: "
        f"no {api} metrics API ({api}.metrics.k8s.io) registered"
    )
    kind = metric.type.lower()
    return MetricFailedError(f"FailedGet{metric.type}Metric", words, f"failed to get {kind} metric value")


async def _readings(client: Client, resource: str, namespace: str, selector: str, container: str) -> dict[str, Reading]:
    try:
        listed = (await client.list(POD_METRICS, namespace, label_selector=selector)).items
    except StatusError as error:
        words = f"unable to fetch metrics from resource metrics API: {error.message}"
        raise MetricError(f"unable to get metrics for resource {resource}: {words}") from error
    if not listed:
        raise MetricError(
            f"unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
        )
    made = ((pod["metadata"]["name"], reading_of(pod, resource, container)) for pod in listed)
    return {name: reading for name, reading in made if reading is not None}


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
    average = str(Quantity(proposal.average * NANO // 1000))
    return v2.MetricValueStatus(average_utilization=proposal.utilization, average_value=average)


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
