"""Metrics that an adapter serves: asked for over HTTP, judged, and missed in upstream's words."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pybernetes.aio.http_server import Answer, Request, Routes, serving
from pybernetes.api.types import autoscaling_v2 as v2
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.config import Config
from pybernetes.client.rest import connect
from pybernetes.controllers.gotext import as_go_prints
from pybernetes.controllers.hpa.custom import Asker
from pybernetes.controllers.hpa.found import MetricFailedError
from pybernetes.controllers.hpa.metrics import evaluate
from pybernetes.controllers.hpa.replicas import Situation

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TIME = "2026-01-01T12:00:00Z"


def pod(name: str) -> core_v1.Pod:
    ready = core_v1.PodCondition(type="Ready", status="True", last_transition_time=TIME)
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name),
        spec=core_v1.PodSpec(containers=[]),
        status=core_v1.PodStatus(phase="Running", conditions=[ready]),
    )


def values(**found: str) -> Any:
    """What each of these pods has."""
    items = [{"describedObject": {"name": name}, "timestamp": TIME, "value": value} for name, value in found.items()]
    return lambda request: {"items": items}


def external(request: Request) -> Any:
    chosen = request.query.get("labelSelector", "")
    return {"items": [{"value": "30"}, {"value": "12"}] if chosen == "queue=mail" else []}


class Adapter:
    """Serves the two APIs, with a preference for v1beta2."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def route(self, answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Answer:
            self.asked.append(request.head.target)
            return Answer(json.dumps(answer(request)).encode(), "application/json")

        return handle

    def routes(self) -> dict[str, Callable[[Request], Any]]:
        custom = "/apis/custom.metrics.k8s.io"
        routes = {
            custom: lambda request: {"preferredVersion": {"version": "v1beta2"}},
            f"{custom}/v1beta2/namespaces/n/pods/*/hits": values(a="15", b="25"),
            f"{custom}/v1beta2/namespaces/n/ingresses.networking.k8s.io/main/hits": values(main="40"),
            f"{custom}/v1beta2/namespaces/n/metrics/hits": values(n="9"),
            f"{custom}/v1beta2/namespaces/n/pods/*/odd": lambda request: {"items": [{"value": "many"}]},
            f"{custom}/v1beta2/namespaces/n/pods/*/broken": lambda request: {"items": 7},
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/n/backlog": external,
            "/apis": lambda request: {"items": []},
            "/api": lambda request: {"items": []},
        }
        return {f"GET {path}": self.route(answer) for path, answer in routes.items()}


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    async with serving(Routes(Adapter().routes()), "127.0.0.1:0") as ports:
        url = f"http://127.0.0.1:{ports[0]}"
        async with connect(Config(servers=(url,)), user_agent="test") as client:
            yield Asker(client, "n")


def target(average: str = "", value: str = "") -> v2.MetricTarget:
    kind = "AverageValue" if average else "Value"
    return v2.MetricTarget(type=kind, average_value=average or None, value=value or None)


def of_pods(average: str, name: str = "hits") -> v2.MetricSpec:
    source = v2.PodsMetricSource(metric=v2.MetricIdentifier(name=name), target=target(average))
    return v2.MetricSpec(type="Pods", pods=source)


def of_object(aim: v2.MetricTarget, api_version: str, kind: str, name: str) -> v2.MetricSpec:
    described = v2.CrossVersionObjectReference(api_version=api_version, kind=kind, name=name)
    identifier = v2.MetricIdentifier(name="hits")
    source = v2.ObjectMetricSource(metric=identifier, target=aim, described_object=described)
    return v2.MetricSpec(type="Object", object=source)


def outside(aim: v2.MetricTarget, queue: str | None = "mail") -> v2.MetricSpec:
    selector = meta_v1.LabelSelector(match_labels={"queue": queue}) if queue else None
    identifier = v2.MetricIdentifier(name="backlog", selector=selector)
    return v2.MetricSpec(type="External", external=v2.ExternalMetricSource(metric=identifier, target=aim))


MAIL = "&LabelSelector{MatchLabels:map[string]string{queue: mail,},MatchExpressions:[]LabelSelectorRequirement{},}"


@pytest.mark.parametrize(
    ("metric", "replicas", "name"),
    [
        (of_pods("20"), 2, "pods metric hits"),
        (of_pods("5"), 8, "pods metric hits"),
        (of_object(target(value="10"), "networking.k8s.io/v1", "Ingress", "main"), 8, "Ingress metric hits"),
        (of_object(target(average="10"), "networking.k8s.io/v1", "Ingress", "main"), 4, "Ingress metric hits"),
        (of_object(target(value="9"), "v1", "Namespace", "n"), 2, "Namespace metric hits"),
        (outside(target(average="6")), 7, f"external metric backlog({MAIL})"),
        (outside(target(value="21")), 4, f"external metric backlog({MAIL})"),
    ],
    ids=["exact", "pods", "object by value", "object shared out", "namespace", "external shared out", "external by value"],
)  # fmt: skip
async def test_what_an_adapter_tells_makes_replicas(
    asker: Asker, metric: v2.MetricSpec, replicas: int, name: str
) -> None:
    situation = Situation(2, [pod("a"), pod("b")], {}, "", NOW, running=2)
    found = await evaluate(asker, metric, "app=a", situation)
    assert (found.replicas, found.name, found.status.type) == (replicas, name, metric.type)


@pytest.mark.parametrize(
    ("metric", "reason", "message", "what"),
    [
        (of_pods("20", "misses"), "FailedGetPodsMetric",
         "unable to get metric misses: unable to fetch metrics from custom metrics API: ", "failed to get pods metric value"),
        (of_pods("20", "odd"), "FailedGetPodsMetric",
         "unable to get metric odd: unable to fetch metrics from custom metrics API: ", "failed to get pods metric value"),
        (of_pods("20", "broken"), "FailedGetPodsMetric",
         "unable to get metric broken: unable to fetch metrics from custom metrics API: ", "failed to get pods metric value"),
        (of_object(target(value="1"), "example.com/v1", "Thing", "t"), "FailedGetObjectMetric",
         'unable to get metric hits: Thing on n t/no matches for kind "Thing" in version "example.com/v1"', "failed to get object metric value"),
        (outside(target(value="1"), None), "FailedGetExternalMetric",
         "unable to get external metric n/backlog/nil: no metrics returned from external metrics API",
         "failed to get backlog external metric value: failed to get external metric backlog"),
    ],
    ids=["pods", "no number", "no list", "object", "external"],
)  # fmt: skip
async def test_what_an_adapter_does_not_tell_has_a_reason(
    asker: Asker, metric: v2.MetricSpec, reason: str, message: str, what: str
) -> None:
    with pytest.raises(MetricFailedError) as raised:
        await evaluate(asker, metric, "app=a", Situation(1, [pod("a")], {}, "", NOW))
    assert (raised.value.reason, raised.value.what) == (reason, what)
    assert raised.value.message.startswith(message)


def test_selectors_are_shown_as_go_prints_them() -> None:
    wanted = meta_v1.LabelSelectorRequirement(key="a", operator="In", values=["b", "c"])
    assert as_go_prints(meta_v1.LabelSelector(match_expressions=[wanted])) == (
        "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{"
        "LabelSelectorRequirement{Key:a,Operator:In,Values:[b c],},},}"
    )
