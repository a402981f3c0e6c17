"""The Ingress controller and its proxy: started by the first connection to its socket, ended after the last."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence

from pybernetes.aio.tasks import open_scope
from pybernetes.client.config import Config
from pybernetes.client.informer import Informers
from pybernetes.client.rest import connect
from pybernetes.cluster.listening import Listener
from pybernetes.cluster.profile import Profile
from pybernetes.ingress import main as ingress
from pybernetes.process import run_until_terminated

LINGER_SECONDS = 2.0
"""How long it stays without anybody who needs it: an Ingress that is replaced does not cost a start."""


def options(profile: Profile) -> ingress.Options:
    """Never on the machine's outside addresses: who wants that forwards a port, or uses a node port."""
    return ingress.Options(
        bind_addresses=(profile.node_address, "127.0.0.1"),
        publish_status_address=profile.node_address,
        report=str(profile.ingress_report),
    )


async def run(profile: Profile, bound: socket.socket) -> None:
    """Serve while somebody is connected to the socket."""
    config = Config.from_kubeconfig(profile.kubeconfig("ingress"))
    async with connect(config, user_agent=ingress.NAME) as client:
        informers = Informers(client)
        async with informers.running(), open_scope("ingress") as scope:
            serving = scope.spawn(ingress.run(options(profile), informers), "serve")
            unneeded = scope.spawn(wait_unneeded(bound), "needed")
            await asyncio.wait({serving, unneeded}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving  # raises what ended it


async def wait_unneeded(bound: socket.socket) -> None:
    """Until nobody has been connected for a while."""
    holders, changed = set[asyncio.StreamWriter](), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        holders.add(writer)
        changed.set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        holders.discard(writer)
        changed.set()
        writer.close()

    async with await asyncio.start_unix_server(hold, sock=bound.dup()):
        while True:
            changed.clear()
            try:
                async with asyncio.timeout(None if holders else LINGER_SECONDS):
                    await changed.wait()
            except TimeoutError:
                return


def main(profile: Profile, listens: Sequence[Listener]) -> None:
    (bound,) = [held.bound for held in listens if held.bound is not None]
    run_until_terminated("ingress", lambda: run(profile, bound))
