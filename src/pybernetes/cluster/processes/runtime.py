"""The container runtime of a profile's nodes: one process, one store of images, a CRI socket for each node."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from pybernetes.aio.tasks import Scope, keep_running, open_scope
from pybernetes.cluster import network, registry
from pybernetes.cluster.node import Node
from pybernetes.cluster.profile import Profile
from pybernetes.cri.errors import CRIError
from pybernetes.process import run_until_terminated
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.launcher.client import Zygote
from pybernetes.runtime.main import open_images, parse, serve
from pybernetes.runtime.service.runtime import monitors_of, open_runtime

log = logging.getLogger(__name__)


def arguments(node: Node) -> list[str]:
    """The flags that a node's part is started with. One whose network is gone has only its files left."""
    profile, settings = node.profile, node.profile.settings
    flags_of_network = [
        f"--bridge={profile.bridge}",
        f"--node-cidr={node.pod_cidr}",
        f"--pod-cidr={settings.pod_cidr}",
        f"--service-cidr={settings.service_cidr}",
        f"--netns={node.namespace or ''}",
    ]
    return [
        f"--root={root_of(node)}",
        f"--socket={node.runtime_socket}",
        f"--streaming={profile.run / (node.named('streaming') + '.sock')}",
        f"--oci-runtime={settings.oci_runtime}",
        f"--cgroup={node.cgroup}",
        *(flags_of_network if network.is_attached(node) else []),
        *(f"--registry-mirror={mirror}" for mirror in (*settings.registry_mirrors, *registry.mirrors(profile))),
        *(f"--insecure-registry={registry}" for registry in settings.insecure_registries),
    ]


def root_of(node: Node) -> Path:
    """What its runtime keeps; the first node's has the images of all."""
    return node.state / "runtime"


class Served:
    """The nodes that are being served, by name: started and ended as they come and go."""

    def __init__(self, images: Images, zygote: Zygote, scope: Scope) -> None:
        self._images, self._zygote, self._scope = images, zygote, scope
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def follow(self, nodes: Iterable[Node]) -> None:
        """Serve these and no others. The containers of one that is served no longer run on."""
        wanted = {node.name: node for node in nodes}
        gone = [self._tasks.pop(name) for name in list(self._tasks) if name not in wanted]
        for task in gone:
            task.cancel()
        if gone:
            await asyncio.wait(gone)
        for name, node in wanted.items():
            if name not in self._tasks:
                settings = parse(arguments(node))
                serving = partial(serve, settings, self._images, self._zygote)
                self._tasks[name] = self._scope.spawn(keep_running(serving, name), name)


def blobs(profile: Profile) -> Path:
    """The content store's directory of blobs."""
    return profile.state / "runtime" / "images" / "blobs" / "sha256"


async def run(profile: Profile) -> None:
    """Serve the first node until cancelled, and the others as long as they have a network; SIGHUP: look again."""
    settings = parse(arguments(profile.first_node))
    zygote = Zygote(monitors_of(profile.first_node.cgroup))
    looking = asyncio.Event()
    looking.set()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, looking.set)

    async def follow_others(served: Served) -> None:
        while True:
            await looking.wait()
            looking.clear()
            await served.follow(node for node in profile.reread().nodes[1:] if network.is_attached(node))

    try:
        # As of now: the roots of nodes that are not named here would be swept away.
        roots = map(root_of, profile.reread().nodes)
        async with open_images(settings, roots) as images, open_scope("runtime") as scope:
            await asyncio.to_thread(zygote.start)
            scope.spawn(follow_others(Served(images, zygote, scope)), "nodes")
            await serve(settings, images, zygote)
    finally:
        await asyncio.to_thread(zygote.close)


async def remove_everything(profile: Profile) -> None:
    """End and remove every sandbox and container, with nobody else serving the runtime's directories."""
    profile.save()  # /run is empty after a reboot
    settings = parse(arguments(profile.first_node))
    async with open_images(settings, map(root_of, profile.nodes)) as images:
        for node in reversed(profile.nodes):
            async with open_runtime(parse(arguments(node)).options, images) as service:
                for sandbox in await service.list_pod_sandbox():
                    try:
                        await service.remove_pod_sandbox(sandbox.id)
                    except (CRIError, OSError) as error:  # who removes mounts and cgroups afterwards says what stays
                        log.warning("sandbox stays sandbox=%s error=%s", sandbox.id, error)


def main(profile: Profile) -> None:
    """Serve CRI until SIGTERM."""
    run_until_terminated("runtime", lambda: run(profile))
