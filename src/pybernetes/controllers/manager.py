"""Runs the controllers of a process: all, or those that `--controllers` names."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import keep_running, open_scope
from pybernetes.client.config import Config
from pybernetes.client.election import Timing, run_leader_election
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informer, Informers
from pybernetes.client.rest import connect
from pybernetes.controllers.attachdetach.gate import AttachDetachController
from pybernetes.controllers.certificates.controller import (
    CSRApprovingController,
    CSRCleanerController,
    CSRSigningController,
)
from pybernetes.controllers.clusterrole_aggregation import ClusterRoleAggregationController
from pybernetes.controllers.context import Context, Runnable
from pybernetes.controllers.cronjob.controller import CronJobController
from pybernetes.controllers.daemonset.controller import DaemonSetController
from pybernetes.controllers.deployment.controller import DeploymentController
from pybernetes.controllers.disruption import DisruptionController
from pybernetes.controllers.endpoints.endpoints_controller import EndpointsController
from pybernetes.controllers.endpoints.mirroring import EndpointSliceMirroringController
from pybernetes.controllers.endpoints.slice_controller import EndpointSliceController
from pybernetes.controllers.garbagecollector.controller import GarbageCollector
from pybernetes.controllers.hpa.controller import HorizontalPodAutoscalerController
from pybernetes.controllers.job.controller import JobController
from pybernetes.controllers.metrics import MANAGER, ControllerMetrics
from pybernetes.controllers.namespace.controller import NamespaceController
from pybernetes.controllers.node.eviction import TaintEvictionController
from pybernetes.controllers.node.ipam import NodeIpamController
from pybernetes.controllers.node.lifecycle import NodeLifecycleController
from pybernetes.controllers.options import Options
from pybernetes.controllers.podgc import PodGarbageCollector
from pybernetes.controllers.policy_status import ValidatingAdmissionPolicyStatusController
from pybernetes.controllers.replicaset.controller import ReplicaSetController
from pybernetes.controllers.replicationcontroller import ReplicationControllerController
from pybernetes.controllers.resourceclaim.controller import ResourceClaimController
from pybernetes.controllers.resourcequota import ResourceQuotaController
from pybernetes.controllers.rootca import RootCAPublisher
from pybernetes.controllers.service_cidr import ServiceCIDRController
from pybernetes.controllers.service_lb import ServiceLoadBalancerController
from pybernetes.controllers.serviceaccount import ServiceAccountController
from pybernetes.controllers.serviceaccount_tokens import TokensController
from pybernetes.controllers.statefulset.controller import StatefulSetController
from pybernetes.controllers.ttl_after_finished import TTLAfterFinishedController
from pybernetes.controllers.volume.binder import PersistentVolumeController
from pybernetes.controllers.volume.ephemeral import EphemeralVolumeController
from pybernetes.controllers.volume.expander import ExpandController
from pybernetes.controllers.volume.protection import (
    AttributesProtectionController,
    ClaimProtectionController,
    VolumeProtectionController,
)

log = logging.getLogger(__name__)

USER_AGENT = "kube-controller-manager"


class Entry(Struct, frozen=True):
    """A controller by the name that `--controllers` knows it by."""

    name: str
    make: Callable[[Context], Runnable]
    by_default: bool = True


# A controller starts when its caches and those of the ones before it are filled, so what a new cluster waits for comes
# first. The garbage collector is last: it shares the typed informers that the others have asked for.
CONTROLLERS = (
    Entry("node-ipam-controller", NodeIpamController),
    Entry("node-lifecycle-controller", NodeLifecycleController),
    Entry("serviceaccount-controller", ServiceAccountController),
    Entry("root-ca-certificate-publisher-controller", RootCAPublisher),
    Entry("serviceaccount-token-controller", TokensController),
    Entry("namespace-controller", NamespaceController),
    Entry("deployment-controller", DeploymentController),
    Entry("replicaset-controller", ReplicaSetController),
    Entry("replicationcontroller-controller", ReplicationControllerController),
    Entry("statefulset-controller", StatefulSetController),
    Entry("daemonset-controller", DaemonSetController),
    Entry("job-controller", JobController),
    Entry("cronjob-controller", CronJobController),
    Entry("horizontal-pod-autoscaler-controller", HorizontalPodAutoscalerController),
    Entry("resourcequota-controller", ResourceQuotaController),
    Entry("disruption-controller", DisruptionController),
    Entry("persistentvolume-binder-controller", PersistentVolumeController),
    Entry("persistentvolume-attach-detach-controller", AttachDetachController),
    Entry("persistentvolume-expander-controller", ExpandController),
    Entry("persistentvolumeclaim-protection-controller", ClaimProtectionController),
    Entry("persistentvolume-protection-controller", VolumeProtectionController),
    Entry("volumeattributesclass-protection-controller", AttributesProtectionController),
    Entry("ephemeral-volume-controller", EphemeralVolumeController),
    Entry("resourceclaim-controller", ResourceClaimController),
    Entry("endpointslice-controller", EndpointSliceController),
    Entry("endpointslice-mirroring-controller", EndpointSliceMirroringController),
    Entry("endpoints-controller", EndpointsController),
    Entry("service-cidr-controller", ServiceCIDRController),
    Entry("service-lb-controller", ServiceLoadBalancerController),
    Entry("taint-eviction-controller", TaintEvictionController),
    Entry("pod-garbage-collector-controller", PodGarbageCollector),
    Entry("certificatesigningrequest-approving-controller", CSRApprovingController),
    Entry("certificatesigningrequest-signing-controller", CSRSigningController),
    Entry("certificatesigningrequest-cleaner-controller", CSRCleanerController),
    Entry("clusterrole-aggregation-controller", ClusterRoleAggregationController),
    Entry("validatingadmissionpolicy-status-controller", ValidatingAdmissionPolicyStatusController),
    Entry("ttl-after-finished-controller", TTLAfterFinishedController),
    Entry("garbage-collector-controller", GarbageCollector),
)


async def run(
    options: Options, informers: Informers, clock: Clock | None = None, metrics: ControllerMetrics | None = None
) -> None:
    """Run the controllers until cancelled, with informers that the caller keeps running.

    Raises LeadershipLostError when another process took over.
    """
    clock = clock or SystemClock()
    context = Context(informers.client, informers, options, clock, random.Random(), metrics or ControllerMetrics())
    if options.leader_elect:
        await _run_elected(context)
    else:
        await run_controllers(context)


async def run_alone(options: Options) -> None:
    """Run the controllers with a connection and informers of their own, and serve the secure port.

    Raises ConfigError for an unusable kubeconfig, OSError for the port, LeadershipLostError.
    """
    from pybernetes.client.secure_serving import serving_alone  # which a cluster's own manager loads when it is asked
    from pybernetes.controllers.pages import component

    clock, metrics = SystemClock(), ControllerMetrics()
    config = Config.from_kubeconfig(options.kubeconfig, options.context)
    async with connect(config, user_agent=USER_AGENT, clock=clock) as client:
        pages = component(options, client, metrics, clock).routes()
        async with serving_alone(options, USER_AGENT, pages, clock):
            informers = Informers(client, clock)
            async with informers.running():
                await run(options, informers, clock, metrics)


async def _run_elected(context: Context) -> None:
    options = context.options
    timing = Timing(
        int(options.leader_elect_lease_duration), options.leader_elect_renew_deadline, options.leader_elect_retry_period
    )
    await run_leader_election(
        context.client,
        lease=options.leader_elect_resource_name,
        namespace=options.leader_elect_resource_namespace,
        identity=f"{options.identity}_{context.rng.getrandbits(64):016x}",
        run=lambda: run_controllers(context),
        timing=timing,
        clock=context.clock,
        recorder=EventRecorder(context.client, "kube-controller-manager", options.identity, clock=context.clock),
    )


async def run_controllers(context: Context) -> None:
    """Make the chosen controllers and run each once its caches are filled, until cancelled.

    The informers have to be running. A controller that fails is started again with back-off.
    """
    chosen = [entry for entry in CONTROLLERS if context.options.is_enabled(entry.name, entry.by_default)]
    async with open_scope("controllers") as scope:
        tasks = []
        for entry in chosen:
            made = entry.make(context)
            tasks.append(scope.spawn(_run_synced(entry, made, context, context.informers.all()), entry.name))
        await context.informers.wait_synced()
        log.info("controllers started count=%d", len(tasks))
        for task in tasks:
            await task


async def _run_synced(entry: Entry, made: Runnable, context: Context, needed: Sequence[Informer[Any]]) -> None:
    """What has been asked for so far has to be there: a cache that is not filled would look like an empty world."""
    for informer in needed:
        await informer.synced.wait()
    context.metrics.running.set(1, entry.name, MANAGER)
    await keep_running(made.run, entry.name, clock=context.clock)
