"""The runtime as a process: `python -m pybernetes.runtime`, `p8s runtime`, or forked by the supervisor."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
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
from pybernetes.runtime.launcher.client import Zygote
from pybernetes.runtime.network.uplink import UPLINK
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
    async with open_images(settings) as images:
        await serve(settings, images)


@asynccontextmanager
async def open_images(settings: Settings, others: Iterable[Path] = ()) -> AsyncIterator[Images]:
    """The images below the root, which runtimes with `others` share; mounted roots that none of them knows are removed."""
    images = Images(settings.options.root / "images", settings.registry)
    await images.start()
    try:
        known = {path.name for root in (settings.options.root, *others) for path in (root / "containers").glob("*")}
        for name in images.snapshots.containers():
            if name not in known:
                await images.snapshots.remove(name)
        yield images
    finally:
        await images.close()


async def serve(settings: Settings, images: Images, zygote: Zygote | None = None) -> None:
    """Serve CRI at the socket until cancelled; several may share images and zygote."""
    async with (
        open_runtime(settings.options, images, zygote) as runtime,
        open_door(runtime.core, images) as building,
        cri_socket.serve(settings.socket, runtime, images, Library(images), building),
    ):
        log.info("serving socket=%s", settings.socket)
        await asyncio.get_running_loop().create_future()


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
    netns: str = flags.option("", "file on which the node's network namespace is pinned, if it has its own")
    registry_mirror: tuple[str, ...] = flags.option((), "HOST=URL: ask there first")
    insecure_registry: tuple[str, ...] = flags.option((), "HOST[:PORT]: plain HTTP")
    v: int = flags.option(0, "verbosity of the log")


def parse(arguments: Sequence[str]) -> Settings:
    """Settings from flags. Raises ValueError for a range or a mirror that cannot be one."""
    given = flags.parse(Flags, "p8s runtime", arguments, "A container runtime behind CRI.")
    bridge = None
    if given.bridge:
        uplink = UPLINK if given.netns else ""
        bridge = bridge_config(given.bridge, given.node_cidr, given.pod_cidr, given.service_cidr, uplink)
    options = Options(
        root=Path(given.root),
        oci_runtime=given.oci_runtime,
        bridge=bridge,
        netns=Path(given.netns) if given.netns else None,
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
