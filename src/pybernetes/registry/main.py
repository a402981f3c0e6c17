"""The registry as a component that is started by its first connection and ends when it is idle."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.idle import Idle
from pybernetes.aio.web import serve_until_idle
from pybernetes.cri import socket as cri
from pybernetes.cri.errors import CRIError, InvalidError
from pybernetes.registry.app import make_app
from pybernetes.registry.service import Service
from pybernetes.registry.storage import Storage
from pybernetes.registry.uploads import Uploads

log = logging.getLogger(__name__)

IDLE_SECONDS = 300.0


class Options(Struct, frozen=True):
    """`root` is the registry's own directory, `shared` the content store's of blobs, both on one file system.

    `runtime` is the socket of the runtime, `host` what images of this registry are called after: `localhost:5000`.
    """

    root: Path
    shared: Path
    runtime: Path
    host: str
    idle_seconds: float = IDLE_SECONDS


async def run(options: Options, sockets: Sequence[socket.socket]) -> None:
    """Serve until cancelled or idle."""
    storage = Storage(options.root, options.shared)
    await asyncio.to_thread(storage.start)
    idle = Idle(options.idle_seconds, SystemClock())
    async with cri.connect(options.runtime) as runtime:

        async def add_image(name: str, digest: str) -> None:
            try:
                await runtime.adopt_image(f"{options.host}/{name}", digest, str(storage.blobs))
            except InvalidError as error:
                log.info("no image of this machine name=%s cause=%s", name, error)
            except CRIError as error:
                log.warning("image is in the registry only name=%s cause=%s", name, error)

        async def forget_image(name: str) -> None:
            try:
                await runtime.untag_image(f"{options.host}/{name}")
            except CRIError as error:
                log.warning("image keeps its name name=%s cause=%s", name, error)

        service = Service(storage, Uploads(storage), add_image, forget_image)
        await serve_until_idle(make_app(service, idle), sockets, idle)
    await asyncio.to_thread(storage.collect)
