"""Metrics of pods, of objects and from outside the cluster: what whoever serves their APIs says of them.

Nothing serves `custom.metrics.k8s.io` or `external.metrics.k8s.io` unless somebody has registered an adapter.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pybernetes.api.errors import StatusError, is_not_found
from pybernetes.api.quantity import Quantity
from pybernetes.api.scheme import Resource
from pybernetes.api.selectors import labels
from pybernetes.api.time import parse_time
from pybernetes.api.types import autoscaling_v2 as v2
from pybernetes.client.discovery import find_kind
from pybernetes.client.rest import Client
from pybernetes.controllers.gotext import as_go_prints
from pybernetes.controllers.hpa.found import Found, MetricFailedError, amount
from pybernetes.controllers.hpa.replicas import (
    MetricError,
    Proposal,
    Reading,
    Situation,
    by_average,
    by_total,
    by_value,
)

CUSTOM: Final = "/apis/custom.metrics.k8s.io"
EXTERNAL: Final = "/apis/external.metrics.k8s.io/v1beta1"
CUSTOM_NOT_SERVED: Final = (
    "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
)
WINDOW_SECONDS: Final = 60.0
"""Of a value that says none."""


class _Described(msgspec.Struct):
    name: str = ""


class _Item(msgspec.Struct, rename="camel"):
    value: str | int | float
    timestamp: str = "1970-01-01T00:00:00Z"
    window_seconds: float | None = None
    described_object: _Described = msgspec.field(default_factory=_Described)


class _Items(msgspec.Struct):
    items: list[_Item] = []


class _Version(msgspec.Struct):
    version: str


class _Group(msgspec.Struct, rename="camel"):
    preferred_version: _Version


_decode_items = msgspec.json.Decoder(_Items).decode
_decode_group = msgspec.json.Decoder(_Group).decode


class Sample(Struct, frozen=True):
    """One value that an adapter told, and whose it is; outside the cluster nobody's."""

    name: str
    reading: Reading


class Asker(Struct, frozen=True):
    """Asks for the metrics of one namespace."""

    client: Client
    namespace: str

    async def pods(self, source: v2.PodsMetricSource, selector: str, situation: Situation) -> Found:
        """Raises MetricFailedError, as the others do."""
        what, name = "failed to get pods metric value", source.metric.name
        try:
            readings = await self._readings(source.metric, selector)
            known = replace(situation, readings=readings, resource="")
            proposal = by_average(known, _milli(source.target.average_value))
        except MetricError as error:
            raise MetricFailedError("FailedGetPodsMetric", str(error), what) from error
        current = v2.MetricValueStatus(average_value=amount(proposal.average))
        status = v2.PodsMetricStatus(metric=source.metric, current=current)
        return Found(proposal.replicas, f"pods metric {name}", v2.MetricStatus(type="Pods", pods=status))

    async def object(self, source: v2.ObjectMetricSource, situation: Situation) -> Found:
        what, described = "failed to get object metric value", source.described_object
        try:
            used = await self._of_object(source)
            proposal = _proposal(situation, source.target, used)
        except MetricError as error:
            raise MetricFailedError("FailedGetObjectMetric", str(error), what) from error
        current = _current(source.target, proposal)
        status = v2.ObjectMetricStatus(metric=source.metric, described_object=described, current=current)
        name = f"{described.kind} metric {source.metric.name}"
        return Found(proposal.replicas, name, v2.MetricStatus(type="Object", object=status))

    async def external(self, source: v2.ExternalMetricSource, situation: Situation) -> Found:
        name, shown = source.metric.name, as_go_prints(source.metric.selector)
        what = f"failed to get {name} external metric value"
        try:
            used = await self._outside(source.metric)
            proposal = _proposal(situation, source.target, used)
        except MetricError as error:
            average = source.target.average_value is not None
            words = f"failed to get {name} external metric" if average else f"failed to get external metric {name}"
            raise MetricFailedError("FailedGetExternalMetric", str(error), f"{what}: {words}") from error
        status = v2.ExternalMetricStatus(metric=source.metric, current=_current(source.target, proposal))
        return Found(proposal.replicas, f"external metric {name}({shown})", v2.MetricStatus(type="External", external=status))  # fmt: skip

    async def _readings(self, metric: v2.MetricIdentifier, selector: str) -> dict[str, Reading]:
        path, query = f"namespaces/{self.namespace}/pods/*/{metric.name}", {"labelSelector": selector}
        try:
            items = await self._custom(path, query | _of(metric))
        except MetricError as error:
            raise MetricError(f"unable to get metric {metric.name}: {error}") from error
        if not items:
            words = "no metrics returned from custom metrics API"
            raise MetricError(f"unable to get metric {metric.name}: {words}")
        return {item.name: item.reading for item in items}

    async def _of_object(self, source: v2.ObjectMetricSource) -> int:
        described, metric = source.described_object, source.metric
        try:
            resource = await find_kind(self.client, described.api_version or "v1", described.kind)
            if resource is None:
                raise MetricError(f'no matches for kind "{described.kind}" in version "{described.api_version}"')
            items = await self._custom(self._path_of(resource, described.name, metric.name), _of(metric))
            if not items:
                raise MetricError("no metrics returned from custom metrics API")
        except MetricError as error:
            place = f"{described.kind} on {self.namespace} {described.name}"
            raise MetricError(f"unable to get metric {metric.name}: {place}/{error}") from error
        return items[0].reading.value

    def _path_of(self, resource: Resource, name: str, metric: str) -> str:
        if resource.group_resource == "namespaces":
            return f"namespaces/{name}/metrics/{metric}"
        place = f"namespaces/{self.namespace}/" if resource.namespaced else ""
        return f"{place}{resource.group_resource}/{name}/{metric}"

    async def _custom(self, path: str, query: dict[str, str]) -> list[Sample]:
        """Of the version that the server prefers. Raises MetricError."""
        try:
            group = _decode_group((await self.client.request("GET", CUSTOM)).body)
        except StatusError as error:
            if is_not_found(error):
                raise MetricError(CUSTOM_NOT_SERVED) from error
            raise MetricError(f"unable to fetch metrics from custom metrics API: {error.message}") from error
        except msgspec.DecodeError as error:
            raise MetricError(f"unable to fetch metrics from custom metrics API: {error}") from error
        return await self._items(f"{CUSTOM}/{group.preferred_version.version}/{path}", query, "custom")

    async def _outside(self, metric: v2.MetricIdentifier) -> int:
        """The sum of all series that the selector chooses. Raises MetricError."""
        query = {"labelSelector": str(labels.from_struct(metric.selector))} if metric.selector else {}
        place = f"unable to get external metric {self.namespace}/{metric.name}/{as_go_prints(metric.selector)}"
        try:
            items = await self._items(f"{EXTERNAL}/namespaces/{self.namespace}/{metric.name}", query, "external")
        except MetricError as error:
            raise MetricError(f"{place}: {error}") from error
        if not items:
            raise MetricError(f"{place}: no metrics returned from external metrics API")
        return sum(item.reading.value for item in items)

    async def _items(self, path: str, query: dict[str, str], api: str) -> list[Sample]:
        """An adapter's answer that is no such list is an answer that could not be had."""
        try:
            answer = await self.client.request("GET", path, query=query)
            return [_sample(item) for item in _decode_items(answer.body).items]
        except StatusError as error:
            raise MetricError(f"unable to fetch metrics from {api} metrics API: {error.message}") from error
        except (msgspec.DecodeError, ValueError) as error:
            raise MetricError(f"unable to fetch metrics from {api} metrics API: {error}") from error


def _sample(item: _Item) -> Sample:
    """Raises ValueError."""
    window = item.window_seconds or WINDOW_SECONDS
    return Sample(item.described_object.name, Reading(_milli(item.value), parse_time(item.timestamp), window))


def _of(metric: v2.MetricIdentifier) -> dict[str, str]:
    return {"metricLabelSelector": str(labels.from_struct(metric.selector))} if metric.selector else {}


def _milli(value: str | int | float | None) -> int:
    return Quantity.parse(value or 0).milli_value


def _proposal(situation: Situation, target: v2.MetricTarget, used: int) -> Proposal:
    if target.average_value is not None:
        return by_total(situation, used, _milli(target.average_value))
    if target.value is None:
        raise MetricError("neither a value target nor an average value target was set")
    return by_value(situation, used, _milli(target.value))


def _current(target: v2.MetricTarget, proposal: Proposal) -> v2.MetricValueStatus:
    if target.average_value is not None:
        return v2.MetricValueStatus(average_value=amount(proposal.average))
    return v2.MetricValueStatus(value=amount(proposal.average))
