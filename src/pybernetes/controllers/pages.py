"""What kube-controller-manager serves on its secure port."""

from __future__ import annotations

from pybernetes.aio.clock import Clock
from pybernetes.api.scheme import API_LEVEL
from pybernetes.client.component import Component
from pybernetes.client.election import add_election_metrics
from pybernetes.client.queue_metrics import add_queue_metrics
from pybernetes.client.rest import Client
from pybernetes.controllers.metrics import MANAGER, ControllerMetrics
from pybernetes.controllers.options import Options
from pybernetes.telemetry.process import add_build_info, add_process_metrics


def component(options: Options, client: Client, metrics: ControllerMetrics, clock: Clock) -> Component:
    """The pages' contents are worked out when somebody asks."""
    made = Component(MANAGER, "kubecontrollermanager.config.k8s.io", options, clock)
    add_process_metrics(made.metrics)
    add_build_info(made.metrics, API_LEVEL)
    add_queue_metrics(made.metrics)
    add_election_metrics(made.metrics)
    client.transport.tally.add_to(made.metrics)
    metrics.add_to(made.metrics)
    return made
