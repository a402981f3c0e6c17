"""What kube-scheduler serves on its secure port."""

from __future__ import annotations

from pybernetes.aio.clock import Clock
from pybernetes.aio.http_server import Answer, Request
from pybernetes.api.scheme import API_LEVEL
from pybernetes.api.types import core_v1
from pybernetes.client.component import METRICS_TYPE, Component
from pybernetes.client.election import add_election_metrics
from pybernetes.client.informer import Informers
from pybernetes.scheduler.metrics import SchedulerMetrics
from pybernetes.scheduler.options import NAME, Options
from pybernetes.scheduler.resource_metrics import resource_metrics
from pybernetes.telemetry.process import add_build_info, add_process_metrics


def component(options: Options, informers: Informers, metrics: SchedulerMetrics, clock: Clock) -> Component:
    """Contents are worked out when somebody asks."""
    pods = resource_metrics(informers.of(core_v1.Pod))

    async def resources(request: Request) -> Answer:
        return Answer(pods.render().encode(), METRICS_TYPE)

    made = Component(NAME, "kubescheduler.config.k8s.io", options, clock, more={"GET /metrics/resources": resources})
    add_process_metrics(made.metrics)
    add_build_info(made.metrics, API_LEVEL)
    add_election_metrics(made.metrics)
    informers.client.transport.tally.add_to(made.metrics)
    metrics.add_to(made.metrics)
    return made
