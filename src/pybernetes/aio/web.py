"""aiohttp applications on sockets that somebody else holds. Not imported before it is needed: aiohttp is large."""

import socket
from collections.abc import Iterable

from aiohttp import web

from pybernetes.aio.idle import Idle

_SHUTDOWN_SECONDS = 2.0


async def serve_until_idle(app: web.Application, sockets: Iterable[socket.socket], idle: Idle) -> None:
    """Serve until cancelled, or until the application is idle: then connections that are open and quiet are closed."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        for listener in sockets:
            listener.setblocking(False)
            await web.SockSite(runner, listener).start()
        await idle.wait()
    finally:
        await runner.cleanup()
