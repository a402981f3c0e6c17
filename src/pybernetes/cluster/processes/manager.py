"""Controllers, scheduler and the cluster's own services: one process, one connection, one set of caches."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.tasks import keep_running
from pybernetes.client.config import Config
from pybernetes.client.informer import Informers
from pybernetes.client.rest import connect
from pybernetes.cluster import dns_service, ingress, policy_access, registry_service, storage
from pybernetes.cluster.processes import shared as shared
from pybernetes.cluster.profile import Profile
from pybernetes.controllers import manager as controllers
from pybernetes.controllers.options import parse
from pybernetes.process import collect_seldom, run_until_terminated
from pybernetes.scheduler import main as scheduler
from pybernetes.simulator.names import LOAD_BALANCER_RANGE


def arguments(profile: Profile) -> list[str]:
    """The controllers' flags, under upstream's names."""
    pki, settings = profile.certificates, profile.settings
    return [
        f"--kubeconfig={profile.kubeconfig('manager')}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--service-account-private-key-file={pki / 'service-account.key'}",
        f"--allocate-node-cidrs={'false' if settings.simulated else 'true'}",
        f"--cluster-cidr={settings.pod_cidr}",
        f"--load-balancer-range={load_balancer_range(profile)}",
        *profile.extra_flags("controller-manager"),
    ]


def load_balancer_range(profile: Profile) -> str:
    if "load-balancer" in profile.settings.disabled_addons:
        return ""
    if profile.settings.simulated:
        return LOAD_BALANCER_RANGE
    from pybernetes.cluster import network

    return str(network.bridge_of(profile.first_node).load_balancer_range)


def ingress_socket(profile: Profile) -> Path | None:
    """Simulated pods serve nobody."""
    return None if profile.settings.simulated else profile.ingress_socket


async def run(profile: Profile) -> None:
    """All parts, each started again on its own when it fails."""
    controller_options = parse(arguments(profile))
    clock = SystemClock()
    config = Config.from_kubeconfig(profile.kubeconfig("manager"))
    async with connect(config, user_agent="kube-controller-manager", clock=clock) as client:
        informers = Informers(client, clock)
        parts = {
            "controllers": lambda: controllers.run(controller_options, informers, clock),
            "scheduler": lambda: scheduler.run(informers, clock),
            "storage": lambda: storage.run(informers, profile.state / "volumes", clock),
            "ingress": lambda: ingress.run(informers, ingress_socket(profile), clock),
            "dns service": lambda: dns_service.run(informers, profile.dns_address, clock),
        }
        if not profile.settings.simulated:
            address, port = profile.node_address, profile.settings.registry_port
            parts["network policies"] = lambda: policy_access.run(informers)
            parts["registry service"] = lambda: registry_service.run(informers, address, port)
        async with informers.running(), asyncio.TaskGroup() as group:
            for name, part in parts.items():
                if name not in profile.settings.disabled_addons:
                    group.create_task(keep_running(part, name, clock=clock), name=name)


def main(profile: Profile) -> None:
    """With the settings of now: addons are switched under a running cluster."""
    collect_seldom()
    run_until_terminated("manager", lambda: run(profile.reread()))
