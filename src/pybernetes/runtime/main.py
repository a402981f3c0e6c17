"""The runtime as a process: `python -m pybernetes.runtime`, `p8s runtime`, or forked by the supervisor."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pybernetes.cri import socket as cri_socket
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.options import Options, bridge_config
from pybernetes.runtime.service.runtime import open_runtime
from pybernetes.telemetry.log import configure

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """`options` of the service, the `socket` at which CRI is served, and where images come from."""

    options: Options
    socket: Path
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    verbosity: int = 0


async def run(settings: Settings) -> None:
    """Serve CRI until cancelled. Containers run on."""
    images = Images(settings.options.root / "images", settings.registry)
    await images.start()
    try:
        async with (
            open_runtime(settings.options, images) as runtime,
            cri_socket.serve(settings.socket, runtime, images),
        ):
            log.info("serving socket=%s", settings.socket)
            await asyncio.get_running_loop().create_future()
    finally:
        await images.close()


def parse(arguments: Sequence[str]) -> Settings:
    """Settings from flags."""
    parser = argparse.ArgumentParser(prog="p8s runtime", description="A container runtime behind CRI.")
    parser.add_argument("--root", type=Path, required=True, help="directory of images, containers and their records")
    parser.add_argument("--socket", type=Path, required=True, help="unix socket at which CRI is served")
    parser.add_argument("--oci-runtime", choices=["auto", "builtin", "runc", "crun"], default="auto")
    parser.add_argument("--cgroup", default="/pybernetes", help="cgroup of what has none of its own")
    parser.add_argument("--streaming", default="127.0.0.1:0", help="host:port, or the path of a unix socket")
    parser.add_argument("--bridge", default="", help="name of the node's bridge; without it pods get no network")
    parser.add_argument("--node-cidr", default="10.244.0.0/24", help="this node's part of the pod range")
    parser.add_argument("--pod-cidr", default="10.244.0.0/16", help="the cluster's pod range")
    parser.add_argument("--service-cidr", default="10.96.0.0/12", help="the cluster's service range")
    parser.add_argument("--registry-mirror", action="append", default=[], metavar="HOST=URL", help="ask there first")
    parser.add_argument("--insecure-registry", action="append", default=[], metavar="HOST[:PORT]", help="plain HTTP")
    parser.add_argument("-v", "--verbosity", type=int, default=0)
    given = parser.parse_args(arguments)
    bridge = None
    if given.bridge:
        bridge = bridge_config(given.bridge, given.node_cidr, given.pod_cidr, given.service_cidr)
    options = Options(
        root=given.root,
        oci_runtime=given.oci_runtime,
        bridge=bridge,
        cgroup=given.cgroup,
        streaming=given.streaming,
    )
    registry = RegistryOptions(
        mirrors=RegistryOptions.parse_mirrors(given.registry_mirror), insecure=frozenset(given.insecure_registry)
    )
    return Settings(options, given.socket, registry, given.verbosity)


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    settings = parse(arguments)
    configure("runtime", verbosity=settings.verbosity)
    asyncio.run(_until_signalled(settings))
    return 0


async def _until_signalled(settings: Settings) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(run(settings), name="runtime")
        await stop.wait()
        serving.cancel()
