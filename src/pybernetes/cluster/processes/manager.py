"""Controllers, scheduler and the cluster's own services: one process, one connection, one set of caches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pybernetes.aio.asked import listen, wait_asked
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import keep_running
from pybernetes.client.config import Config
from pybernetes.client.informer import Informers
from pybernetes.client.rest import Client, connect
from pybernetes.client.serving_options import ServingOptions
from pybernetes.cluster import dns_service, ingress, policy_access, registry_service, storage
from pybernetes.cluster.processes import shared as shared
from pybernetes.cluster.profile import Profile
from pybernetes.controllers import manager as controllers
from pybernetes.controllers.metrics import ControllerMetrics
from pybernetes.controllers.options import parse
from pybernetes.process import collect_seldom, run_until_terminated
from pybernetes.scheduler import main as scheduler
from pybernetes.scheduler.metrics import SchedulerMetrics
from pybernetes.scheduler.options import parse as parse_scheduler
from pybernetes.simulator.names import LOAD_BALANCER_RANGE

if TYPE_CHECKING:
    from pybernetes.client.component import Component

log = logging.getLogger(__name__)


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
        *_serving(profile),
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


def scheduler_arguments(profile: Profile) -> list[str]:
    """The scheduler's."""
    return [
        f"--kubeconfig={profile.kubeconfig('manager')}", "--leader-elect=false", *_serving(profile),
        *profile.extra_flags("scheduler"),
    ]  # fmt: skip


def _serving(profile: Profile) -> list[str]:
    """The secure ports are on the address of the first node, as they are where a control plane runs on a node."""
    pki = profile.certificates
    return [
        f"--bind-address={'127.0.0.1' if profile.settings.simulated else profile.node_address}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
    ]


async def _serve(options: ServingOptions, make: Callable[[], Component], client: Client, clock: Clock) -> None:
    """Serve a component's secure port from the first connection on; until then it costs a descriptor."""
    if not options.secure_port:
        return
    try:
        listening = listen(options.bind_address, options.secure_port)
    except OSError as error:
        log.warning("port not served address=%s port=%d error=%s", options.bind_address, options.secure_port, error)
        return
    with listening:
        await wait_asked(listening)
        from pybernetes.client.secure_serving import guard_by, serving

        made = make()

        async def serve() -> None:
            async with serving(listening, options, made.name, made.routes(), guard_by(client, options, clock), clock):
                await asyncio.Event().wait()

        await keep_running(serve, made.name, clock=clock)


async def run(profile: Profile) -> None:
    """All parts, each started again on its own when it fails."""
    controller_options = parse(arguments(profile))
    scheduler_options = parse_scheduler(scheduler_arguments(profile))
    controller_metrics, scheduler_metrics = ControllerMetrics(), SchedulerMetrics()
    clock = SystemClock()
    config = Config.from_kubeconfig(profile.kubeconfig("manager"))
    async with connect(config, user_agent="kube-controller-manager", clock=clock) as client:
        informers = Informers(client, clock)

        def controller_pages() -> Component:
            from pybernetes.controllers.pages import component

            return component(controller_options, client, controller_metrics, clock)

        def scheduler_pages() -> Component:
            from pybernetes.scheduler.pages import component

            return component(scheduler_options, informers, scheduler_metrics, clock)

        parts = {
            "controllers": lambda: controllers.run(controller_options, informers, clock, controller_metrics),
            "scheduler": lambda: scheduler.run(scheduler_options, informers, clock, scheduler_metrics),
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
            group.create_task(_serve(controller_options, controller_pages, client, clock), name="controllers' port")
            group.create_task(_serve(scheduler_options, scheduler_pages, client, clock), name="scheduler's port")


def main(profile: Profile) -> None:
    """With the settings of now: addons are switched under a running cluster."""
    collect_seldom()
    run_until_terminated("manager", lambda: run(profile.reread()))
