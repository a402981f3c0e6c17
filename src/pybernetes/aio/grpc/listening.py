"""Serving on a unix socket. `h2` is loaded for the first caller: a socket that nobody uses costs a descriptor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pybernetes.aio import unix_sockets
from pybernetes.aio.tasks import open_scope

if TYPE_CHECKING:
    from pybernetes.aio.grpc.server import Methods, ServerConnection


@asynccontextmanager
async def listening(path: Path, methods: Callable[[], Methods], mode: int = 0o600) -> AsyncIterator[None]:
    """Serve at `path`, in the place of whatever was there, while the block lasts. Raises OSError.

    `methods` is asked once somebody has come. Calls under way are cancelled at the end.
    """
    connections: set[ServerConnection] = set()
    ended = False
    async with open_scope(path.name) as scope:

        def accepted() -> ServerConnection:
            from pybernetes.aio.grpc.server import ServerConnection

            made = ServerConnection(methods(), scope)
            connections.add(made)
            made.closed.add_done_callback(lambda _: connections.discard(made))
            if ended:  # it has come before, and is accepted now
                made.close()
            return made

        socket = unix_sockets.listen(path, mode)
        identity = path.stat().st_ino
        server = await asyncio.get_running_loop().create_unix_server(accepted, sock=socket)
        try:
            yield
        finally:
            ended = True
            server.close()
            _remove(path, identity)
            for connection in list(connections):
                connection.close()


def _remove(path: Path, identity: int) -> None:
    """Unless it is somebody else's by now."""
    try:
        if path.stat().st_ino == identity:
            path.unlink()
    except FileNotFoundError:
        pass
