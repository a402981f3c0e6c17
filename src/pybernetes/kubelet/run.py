"""Composes a kubelet of its parts and runs it."""

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import Scope, keep_running, open_scope
from pybernetes.aio.threads import Worker
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import node_v1
from pybernetes.client.config import Config
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.rest import Client, connect
from pybernetes.cri import socket as cri_socket
from pybernetes.kubelet import names_asked
from pybernetes.kubelet.api import PodApi, runtime_handlers
from pybernetes.kubelet.containers.dns import DnsSettings, parse_resolv_conf
from pybernetes.kubelet.containers.sandbox import NodeSettings
from pybernetes.kubelet.counted import Counted
from pybernetes.kubelet.events import NORMAL, Events
from pybernetes.kubelet.eviction.evictor import Evictor
from pybernetes.kubelet.images.collect import ImageCollector, ImageLimits
from pybernetes.kubelet.images.manager import ImageManager
from pybernetes.kubelet.images.providers import CredentialProviders, read_providers
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.logs.rotate import rotate_logs
from pybernetes.kubelet.measured import measured
from pybernetes.kubelet.metrics import node_metrics
from pybernetes.kubelet.node.health import shortages
from pybernetes.kubelet.node.lease import NodeLease
from pybernetes.kubelet.node.machinery import Machinery, Runtime, prepare, tell_pod_range
from pybernetes.kubelet.node.node import NodeReporter
from pybernetes.kubelet.node.status import Health, NodeFacts, allocatable, capacity
from pybernetes.kubelet.objects import WatchedObjects
from pybernetes.kubelet.options import Options
from pybernetes.kubelet.plugged import NodePlugins, Told
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.probes.actions import Actions
from pybernetes.kubelet.root import Root
from pybernetes.kubelet.server.access import Access
from pybernetes.kubelet.server.app import KubeletServer, server_tls
from pybernetes.kubelet.static.pods import StaticPods
from pybernetes.kubelet.sysctls import checked_patterns
from pybernetes.kubelet.volumes.context import VolumeDoors
from pybernetes.kubelet.volumes.csi.door import CsiDoor
from pybernetes.kubelet.volumes.usage import Usages

log = logging.getLogger(__name__)

FILE_THREADS = 4
SHUTDOWN_GRACE_SECONDS = 30
HOUSEKEEPING_SECONDS = 10.0


class NodeRun:
    """One run of one node, from registration to cancellation."""

    def __init__(self, machinery: Machinery, client: Client, scope: Scope, pods: Scope) -> None:
        """`scope` owns the node's own tasks, `pods` those of the pods."""
        options, clock = machinery.options, machinery.clock
        self._machinery, self._client, self._scope = machinery, client, scope
        self._threads = Worker("kubelet-files", FILE_THREADS)
        self._informers = Informers(client, clock)
        self._pods = self._informers.of(v1.Pod, field_selector=f"spec.nodeName={options.node_name}")
        self._services = self._informers.of(v1.Service)
        self._classes = self._informers.of(node_v1.RuntimeClass)
        self._own = self._informers.of(v1.Node, field_selector=f"metadata.name={options.node_name}")
        self._recorder = EventRecorder(client, "kubelet", options.node_name, clock=clock)
        self._events = Events(self._recorder, options.node_name)
        self._counted = Counted()
        runtime = machinery.runtime
        self._runtime = Runtime(measured(runtime.containers, self._counted), measured(runtime.images, self._counted))
        self._csi = CsiDoor(
            Root(options.root), client, self._own, options.node_name, clock, self._threads, PodApi(client),
            self._events, lambda: self._reporter.check_now(), scope,
        )  # fmt: skip
        self._reporter = NodeReporter(
            client, clock, self._events, self._gather, dict(options.node_labels),
            list(options.register_with_taints), options.pod_cidr, self._own, self._csi.in_use,
        )  # fmt: skip
        self._objects = WatchedObjects(client, self._informers, clock, lambda uid: self.kubelet.objects_changed(uid))
        self._plugins = NodePlugins(
            Root(options.root), options.node_name, PodApi(client, clock), self._told_of_plugins(), clock,
            scope, self._threads,
        )  # fmt: skip
        self.kubelet = Kubelet(self._doors(), pods, self._node)

    def _node(self) -> v1.Node:
        """The Node as others see and label it; our own last version of it before the watch has it."""
        return self._own.get(self._machinery.options.node_name) or self._reporter.node

    def _told_of_plugins(self) -> Told:
        return Told(
            node_changed=lambda: self._reporter.check_now(),
            devices_changed=lambda uids: self.kubelet.devices_changed(uids),
            driver_came=lambda: self.kubelet.retry_claims(),
            pods=lambda: [worker.pod for worker in self.kubelet.active()],
        )

    async def _gather(self) -> tuple[NodeFacts, Health]:
        facts, health = await self._machinery.gather()
        return self._plugins.facts(facts), health

    def _doors(self) -> PodDoors:
        machinery, options, clock = self._machinery, self._machinery.options, self._machinery.clock
        objects = self._objects
        api = PodApi(self._client)
        free = allocatable(capacity(machinery.machine, options.max_pods), machinery.reserved)
        return PodDoors(
            runtime=self._runtime.containers,
            runtime_name=machinery.version.runtime_name,
            images=ImageManager(
                self._runtime.images, objects, self._events, clock, self._counted, _providers(options, clock, api)
            ),
            objects=objects,
            volumes=VolumeDoors(
                objects, api, api, clock, self._threads, free, self._counted, Root(options.root), self._csi
            ),
            claims=self._plugins.claims,
            devices=self._plugins.devices,
            actions=Actions(self._runtime.containers, clock),
            events=self._events,
            api=api,
            clock=clock,
            threads=self._threads,
            settings=NodeSettings(
                node_name=options.node_name,
                cgroup_root=options.cgroup_root,
                pod_logs=Path(options.pod_logs_dir),
                dns=_dns_settings(options),
            ),
            root=options.root,
            host_ips=machinery.addresses,
            memory_capacity=machinery.machine.memory_bytes,
            allocatable=free,
            services=lambda: self._services.list(),
            runtime_handler=runtime_handlers(self._classes),
            room=lambda pod: self.kubelet.room(pod),
            restart_limit=options.max_restart_period_seconds,
            allowed_sysctls=checked_patterns(options.allowed_unsafe_sysctls),
            counted=self._counted,
        )

    async def _serve(self, stack: AsyncExitStack) -> None:
        options, clock = self._machinery.options, self._machinery.clock
        access = Access(self._client, clock, options.node_name, anonymous=options.anonymous_auth)
        usages = Usages(self.kubelet.workers, self._threads, self._csi)
        server = KubeletServer(
            self.kubelet, self._runtime.containers, access, options, clock, self._threads,
            node_metrics(self.kubelet, self._counted, self._client, options.node_name, usages), usages,
        )  # fmt: skip
        await server.listen(stack, self._scope, server_tls(options, clock.now()))

    def _follow_manifests(self) -> None:
        """Static pods are read at once, so that what runs of them is not taken for an orphan."""
        options, clock = self._machinery.options, self._machinery.clock
        if not options.static_pod_path:
            return
        directory = Path(options.static_pod_path)
        static = StaticPods(directory, self.kubelet, self._client, self._node, clock)
        self._pods.subscribe(static.mirror_changed)
        static.read()
        self._scope.spawn(keep_running(static.run, "static pods", clock=clock), "static pods")

    def _spawn_housekeeping(self) -> None:
        """Image collection, log rotation, eviction."""
        options, runtime, clock = self._machinery.options, self._runtime, self._machinery.clock
        limits = ImageLimits(
            options.image_gc_high_threshold_percent,
            options.image_gc_low_threshold_percent,
            options.image_minimum_gc_age,
        )
        collector = ImageCollector(runtime.images, runtime.containers, self._events, clock, limits, self._counted)
        self._scope.spawn(keep_running(collector.run, "image collection", clock=clock), "image collection")
        thresholds, root = self._machinery.thresholds, options.root
        evictor = Evictor(
            workers=self.kubelet.active,
            runtime=runtime.containers,
            events=self._events,
            threads=self._threads,
            shortages=lambda: shortages(thresholds, root),
            free_disk=collector.collect,
            report=self._reporter.check_now,
            counted=self._counted,
        )
        self._scope.spawn(keep_running(lambda: self._keep_house(evictor), "housekeeping", clock=clock), "housekeeping")

    async def _keep_house(self, evictor: Evictor) -> None:
        """Rotate logs that grew too large; end watches that nobody uses any more, and pods that use too much."""
        options = self._machinery.options
        limit = Quantity.parse(options.container_log_max_size).value
        while True:
            await self._machinery.clock.sleep(HOUSEKEEPING_SECONDS)
            running = [container for worker in self.kubelet.workers() for container in worker.observed.running]
            runtime = self._runtime.containers
            await rotate_logs(running, runtime, self._threads, limit, options.container_log_max_files)
            self._objects.sweep()
            await evictor.look()

    def follow_names(self, asked: names_asked.Asked) -> None:
        """Tell wrong names that pods ask for on the pods."""
        self._scope.spawn(names_asked.follow(asked, self._pods.list, self._events), "names asked")

    async def run(self, stack: AsyncExitStack, ending: asyncio.Event) -> None:
        """Register, then serve pods until cancelled, or until `ending` is set: then end them gracefully and return.

        `stack` closes what serves.
        """
        stack.push_async_callback(self._threads.close)
        stack.push_async_callback(self._recorder.close)
        async with self._informers.running():
            node = await self._reporter.register()
            self._events.node(NORMAL, "Starting", "Starting kubelet.")
            if not self._machinery.options.pod_cidr and node.spec.pod_cidr:
                await tell_pod_range(self._machinery.runtime, node.spec.pod_cidr)
            spawn, clock = self._scope.spawn, self._machinery.clock
            await self._informers.wait_synced()
            spawn(self.kubelet.follow_runtime(), "runtime events")
            self._pods.subscribe(self.kubelet.pod_changed)
            self._follow_manifests()
            self._plugins.follow(self._csi)
            await self._serve(stack)
            await self._plugins.tell_resources(stack)
            # Who waits for the node's word finds its pods and its port there.
            spawn(
                NodeLease(self._client, clock, node, self._machinery.options.node_lease_duration_seconds).run(), "lease"
            )
            spawn(keep_running(self._reporter.run, "node status", clock=clock), "node")
            self._plugins.forget_slices()
            self._spawn_housekeeping()
            await self.kubelet.adopt_orphans()
            await ending.wait()
            await self.kubelet.shutdown_pods(SHUTDOWN_GRACE_SECONDS)


def _providers(options: Options, clock: Clock, api: PodApi) -> CredentialProviders | None:
    """Raises ValueError, OSError for a configuration that cannot be followed."""
    if not options.image_credential_provider_config:
        return None
    programs = Path(options.image_credential_provider_bin_dir)
    found = read_providers(Path(options.image_credential_provider_config), programs)
    return CredentialProviders(found, programs, clock, api)


def _dns_settings(options: Options) -> DnsSettings:
    try:
        host = parse_resolv_conf(Path(options.resolv_conf).read_text())
    except OSError:
        host = parse_resolv_conf("")
    return DnsSettings(list(options.cluster_dns), options.cluster_domain, host)


async def run(
    options: Options,
    runtime: Runtime | None = None,
    *,
    clock: Clock | None = None,
    ending: asyncio.Event | None = None,
    asked: names_asked.Asked | None = None,
) -> None:
    """Run the node until cancelled, or until `ending` is set and all its pods have ended.

    Without a `runtime` the options' endpoint is used. `asked` has names that pods ask DNS for in vain.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        if runtime is None:
            path = Path(options.container_runtime_endpoint.removeprefix("unix://"))
            both = await stack.enter_async_context(cri_socket.connect(path))
            runtime = Runtime(both, both)
        config = Config.from_kubeconfig(options.kubeconfig)
        client = await stack.enter_async_context(connect(config, user_agent="kubelet", clock=clock))
        machinery = await prepare(options, runtime, clock)
        scope = await stack.enter_async_context(open_scope("kubelet"))
        pods = await stack.enter_async_context(open_scope("pods"))
        node = NodeRun(machinery, client, scope, pods)
        if asked is not None:
            node.follow_names(asked)
        await node.run(stack, ending or asyncio.Event())
