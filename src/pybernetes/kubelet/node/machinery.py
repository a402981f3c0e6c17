"""What a node is made of, known before its first pod: the machine, the runtime, addresses and reserves."""

import asyncio
import logging
import socket
from pathlib import Path

from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.api.quantity import Quantity
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.cri.service import ImageService, RuntimeService
from pybernetes.kubelet.node.health import Pressures, Thresholds, health_of
from pybernetes.kubelet.node.machine import Machine, read_machine
from pybernetes.kubelet.node.status import Health, NodeFacts
from pybernetes.kubelet.options import Options
from pybernetes.kubelet.root import Root
from pybernetes.kubelet.volumes import mounting

log = logging.getLogger(__name__)

RUNTIME_RETRY_SECONDS = 0.1
RUNTIME_SILENT_SECONDS = 30.0
"""A runtime that says nothing for so long is down, as for upstream's kubelet."""


class Runtime(Struct, frozen=True):
    """The two services of CRI; the same object may be both."""

    containers: RuntimeService
    images: ImageService


class Machinery(Struct, frozen=True):
    """What is known before the first pod: the machine, the runtime, the node's addresses and reserves."""

    options: Options
    runtime: Runtime
    version: t.VersionResponse
    machine: Machine
    thresholds: Thresholds
    addresses: tuple[str, ...]
    clock: Clock
    pressures: Pressures

    @property
    def reserved(self) -> dict[str, Quantity]:
        """System, kube and eviction reserves together."""
        total = dict(self.thresholds.reserved)
        for given in (self.options.system_reserved, self.options.kube_reserved):
            for name, amount in given:
                total[name] = total.get(name, Quantity()) + Quantity.parse(amount)
        return total

    async def gather(self) -> tuple[NodeFacts, Health]:
        """The node as of now."""
        options, runtime = self.options, self.runtime
        machine = read_machine(options.root)
        try:
            async with asyncio.timeout(RUNTIME_SILENT_SECONDS):
                status, images = await runtime.containers.status(), await runtime.images.list_images()
        except (CRIError, TimeoutError) as error:
            status, images = t.StatusResponse(), []
            why = "it does not answer" if isinstance(error, TimeoutError) else error
            health = Health(problem=f"container runtime is down: {why}")
        else:
            health = self.pressures.steady(health_of(machine, self.thresholds, status), self.clock.monotonic())
        facts = NodeFacts(
            name=options.node_name,
            addresses=self.addresses,
            machine=machine,
            runtime=self.version,
            status=status,
            images=images,
            port=options.port,
            max_pods=options.max_pods,
            reserved=self.reserved,
        )
        return facts, health


async def prepare(options: Options, runtime: Runtime, clock: Clock) -> Machinery:
    """Wait for the runtime, tell it the node's pod range if it is known, and read the machine."""
    while True:
        try:
            version = await runtime.containers.version()
            break
        except CRIError as error:
            log.debug("waiting for the runtime error=%s", error)
            await clock.sleep(RUNTIME_RETRY_SECONDS)
    _make_root(options.root)
    Path(options.pod_logs_dir).mkdir(parents=True, exist_ok=True)
    machine = read_machine(options.root)
    if options.pod_cidr:
        await tell_pod_range(runtime, options.pod_cidr)
    return Machinery(
        options=options,
        runtime=runtime,
        version=version,
        machine=machine,
        thresholds=Thresholds.of(dict(options.eviction_hard), machine),
        addresses=tuple(address for address in options.node_ip.split(",") if address) or (_own_address(),),
        clock=clock,
        pressures=Pressures(options.eviction_pressure_transition_period),
    )


def _make_root(path: Path) -> None:
    """What drivers mount below it, in their containers, is to be seen here."""
    Root(path).make()
    try:
        mounting.share(path)
    except OSError as error:
        log.warning("mounts of drivers stay their own: root=%s error=%s", path, error)


async def tell_pod_range(runtime: Runtime, pod_cidr: str) -> None:
    """Pods get addresses from now on. Raises CRIError."""
    network = t.NetworkConfig(pod_cidr=pod_cidr)
    await runtime.containers.update_runtime_config(t.RuntimeConfig(network_config=network))


def _own_address() -> str:
    """The address that this machine would use towards the world; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address
