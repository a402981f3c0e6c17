"""The runtime as a process: `python -m pybernetes.runtime`, `p8s runtime`, or forked by the supervisor."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pybernetes import flags
from pybernetes.cri import socket as cri_socket
from pybernetes.cri.errors import CRIError
from pybernetes.process import report, run_alone
from pybernetes.runtime.building.door import open_door
from pybernetes.runtime.images.door import Library
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.options import Options, bridge_config
from pybernetes.runtime.service.runtime import open_runtime

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
            open_door(runtime.core, images) as building,
            cri_socket.serve(settings.socket, runtime, images, Library(images), building),
        ):
            log.info("serving socket=%s", settings.socket)
            await asyncio.get_running_loop().create_future()
    finally:
        await images.close()


@dataclass(frozen=True, slots=True)
class Flags:
    """The command line; see `Options` for what the values mean."""

    root: str = flags.option("", "directory of images, containers and their records", required=True)
    socket: str = flags.option("", "unix socket at which CRI is served", required=True)
    oci_runtime: str = flags.option("auto", "what executes containers", choices=("auto", "builtin", "runc", "crun"))
    cgroup: str = flags.option("/pybernetes", "cgroup of what has none of its own")
    streaming: str = flags.option("127.0.0.1:0", "host:port, or the path of a unix socket")
    bridge: str = flags.option("", "name of the node's bridge; without it pods get no network")
    node_cidr: str = flags.option("10.244.0.0/24", "this node's part of the pod range")
    pod_cidr: str = flags.option("10.244.0.0/16", "the cluster's pod range")
    service_cidr: str = flags.option("10.96.0.0/12", "the cluster's service range")
    registry_mirror: tuple[str, ...] = flags.option((), "HOST=URL: ask there first")
    insecure_registry: tuple[str, ...] = flags.option((), "HOST[:PORT]: plain HTTP")
    v: int = flags.option(0, "verbosity of the log")


def parse(arguments: Sequence[str]) -> Settings:
    """Settings from flags. Raises ValueError for a range or a mirror that cannot be one."""
    given = flags.parse(Flags, "p8s runtime", arguments, "A container runtime behind CRI.")
    bridge = None
    if given.bridge:
        bridge = bridge_config(given.bridge, given.node_cidr, given.pod_cidr, given.service_cidr)
    options = Options(
        root=Path(given.root),
        oci_runtime=given.oci_runtime,
        bridge=bridge,
        cgroup=given.cgroup,
        streaming=given.streaming,
    )
    registry = RegistryOptions(
        mirrors=RegistryOptions.parse_mirrors(list(given.registry_mirror)), insecure=frozenset(given.insecure_registry)
    )
    return Settings(options, Path(given.socket), registry, given.v)


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    try:
        settings = parse(arguments)
    except ValueError as error:
        return report(error)
    return run_alone("runtime", lambda: run(settings), CRIError, verbosity=settings.verbosity)
