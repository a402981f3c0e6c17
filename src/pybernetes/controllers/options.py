"""The settings of the controllers, and the flags (upstream's names) that they are read from."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pybernetes import flags
from pybernetes.client.serving_options import ServingOptions


@dataclass(frozen=True)
class Options(ServingOptions):
    """Durations are seconds. An empty file name switches off what would need the file."""

    secure_port: int = flags.option(10257, "where health and metrics are served by TLS; 0 for nowhere")
    kubeconfig: str = flags.option("", "credentials for the API server")
    context: str = flags.option("", "the context of the kubeconfig; its current one if empty")
    controllers: tuple[str, ...] = flags.option(("*",), "which run; -NAME leaves one out")
    leader_elect: bool = False
    leader_elect_identity: str = ""
    leader_elect_resource_name: str = "kube-controller-manager"
    leader_elect_resource_namespace: str = "kube-system"
    leader_elect_lease_duration: float = 15.0
    leader_elect_renew_deadline: float = 10.0
    leader_elect_retry_period: float = 2.0
    cluster_signing_cert_file: str = ""
    cluster_signing_key_file: str = ""
    cluster_signing_duration: float = 365 * 24 * 3600.0
    root_ca_file: str = ""
    service_account_private_key_file: str = ""
    allocate_node_cidrs: bool = False
    cluster_cidr: str = ""
    node_cidr_mask_size: int = 24
    load_balancer_range: str = flags.option("", "addresses for LoadBalancer services; none are given if empty")
    node_monitor_period: float = flags.option(
        5.0, "taken and without effect: a node's silence is waited for, not polled"
    )
    node_monitor_grace_period: float = 50.0
    node_startup_grace_period: float = 60.0
    node_eviction_rate: float = flags.option(0.1, "silent nodes of a zone a second that pods leave", duration=False)
    secondary_node_eviction_rate: float = flags.option(
        0.01, "the same in a large zone that is disrupted", duration=False
    )
    unhealthy_zone_threshold: float = flags.option(0.55, "the part of a zone's nodes that disrupts it", duration=False)
    large_cluster_size_threshold: int = flags.option(50, "below it pods stay where they are in a disrupted zone")
    terminated_pod_gc_threshold: int = 12500
    horizontal_pod_autoscaler_sync_period: float = 15.0
    horizontal_pod_autoscaler_tolerance: float = flags.option(0.1, duration=False)
    horizontal_pod_autoscaler_downscale_stabilization: float = 300.0
    horizontal_pod_autoscaler_cpu_initialization_period: float = 300.0
    horizontal_pod_autoscaler_initial_readiness_delay: float = 30.0
    v: int = 0

    @property
    def identity(self) -> str:
        """How this process is told apart from other candidates for leadership."""
        return self.leader_elect_identity or socket.gethostname()

    def is_enabled(self, controller: str, by_default: bool = True) -> bool:
        """Whether `--controllers` runs this one: its own name decides before `-name`, and that before `*`."""
        if controller in self.controllers:
            return True
        if f"-{controller}" in self.controllers:
            return False
        return by_default and "*" in self.controllers


def parse(arguments: Sequence[str]) -> Options:
    """Read the flags; exits with a message about a wrong one, as command lines do."""
    return flags.parse(Options, "p8s controller-manager", arguments, "Brings about what objects ask for.")


def parser() -> argparse.ArgumentParser:
    """Of the flags."""
    return flags.parser(Options, "p8s controller-manager")
