"""What kube-controller-manager serves on its secure port."""

from __future__ import annotations

from typing import Final

from pybernetes.aio.clock import Clock
from pybernetes.api.scheme import API_LEVEL
from pybernetes.client.component import Component
from pybernetes.client.election import add_election_metrics
from pybernetes.client.queue_metrics import add_queue_metrics
from pybernetes.client.rest import Client
from pybernetes.controllers.metrics import MANAGER, ControllerMetrics
from pybernetes.controllers.options import Options
from pybernetes.telemetry.process import add_build_info, add_process_metrics

QUEUES: Final = {
    "certificatesigningrequest-approving-controller": "certificate_approving",
    "certificatesigningrequest-cleaner-controller": "certificate_cleaning",
    "certificatesigningrequest-signing-controller": "certificate",
    "clusterrole-aggregation-controller": "ClusterRoleAggregator",
    "cronjob-controller": "cronjob",
    "daemonset-controller": "daemonset",
    "deployment-controller": "deployment",
    "disruption-controller": "disruption",
    "endpoints-controller": "endpoint",
    "endpointslice-controller": "endpoint_slice",
    "endpointslice-mirroring-controller": "endpoint_slice_mirroring",
    "ephemeral-volume-controller": "ephemeral_volume",
    "garbage-collector-controller": "garbage_collector_attempt_to_delete",
    "horizontal-pod-autoscaler": "horizontalpodautoscaler",
    "job-controller": "job",
    "namespace-controller": "namespace",
    "node-lifecycle-controller": "node_lifecycle_controller_pods",
    "persistentvolume-binder-controller": "claims",
    "persistentvolume-protection-controller": "pvprotection",
    "persistentvolumeclaim-protection-controller": "pvcprotection",
    "replicaset-controller": "replicaset",
    "replicationcontroller-controller": "replicationmanager",
    "resourcequota-controller": "resourcequota_primary",
    "root-ca-certificate-publisher-controller": "root_ca_cert_publisher",
    "serviceaccount-controller": "serviceaccount",
    "serviceaccount-token-controller": "serviceaccount_tokens_service",
    "statefulset-controller": "statefulset",
    "ttl-after-finished-controller": "ttl_jobs_to_delete",
    "volumeattributesclass-protection-controller": "vacprotection",
}
"""What upstream's metrics call the queues. It has none of the others' (`service-lb-controller`), and one for the three of certificates."""


def component(options: Options, client: Client, metrics: ControllerMetrics, clock: Clock) -> Component:
    """The pages' contents are worked out when somebody asks."""
    made = Component(MANAGER, "kubecontrollermanager.config.k8s.io", options, clock)
    add_process_metrics(made.metrics)
    add_build_info(made.metrics, API_LEVEL)
    add_queue_metrics(made.metrics, QUEUES)
    add_election_metrics(made.metrics)
    client.transport.tally.add_to(made.metrics)
    metrics.add_to(made.metrics)
    return made
