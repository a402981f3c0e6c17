"""aiohttp applications on sockets that somebody else holds. Not imported before it is needed: aiohttp is large."""

import socket
from collections.abc import Iterable

from aiohttp import web

from pybernetes.aio.idle import Idle

_SHUTDOWN_SECONDS = 2.0


async def serve_until_idle(
    app: web.Application, sockets: Iterable[socket.socket], idle: Idle, *, ends_with_client: bool = False
) -> None:
    """Serve until cancelled, or until the application is idle: then connections that are open and quiet are closed.

    With `ends_with_client` a request whose client goes away is cancelled, even if it has nothing to say just then.
    """
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, handler_cancellation=ends_with_client
    )
    await runner.setup()
    try:
        for listener in sockets:
            listener.setblocking(False)
            await web.SockSite(runner, listener).start()
        await idle.wait()
    finally:
        await runner.cleanup()
