"""The API server as a process: sockets around the server that `assembly.py` makes, until it is told to end.

await run(options)                      # serves until cancelled
await run(options, ready=event.set)     # calls `ready` once it serves
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.assembly import started
from pybernetes.apiserver.http.server import HTTPServer, serving
from pybernetes.apiserver.listening import listening_addresses, server_tls
from pybernetes.apiserver.options import Options, parse
from pybernetes.apiserver.storage import EtcdAccess, open_backend
from pybernetes.process import collect_seldom, run_alone
from pybernetes.store.backend import StoreError

log = logging.getLogger(__name__)

SWITCH_SECONDS = 0.0005
"""How long the store's writer may have to wait for the interpreter: each of its commits does, several times."""
MAX_BODY_BYTES = 3 << 20


async def run(options: Options, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until cancelled; then finish what is in hand."""
    if options.profiling:
        raise ValueError("--profiling is not supported: there are no profiles in the format of Go; use py-spy")
    collect_seldom()
    sys.setswitchinterval(SWITCH_SECONDS)
    access = EtcdAccess(options.etcd_cafile, options.etcd_certfile, options.etcd_keyfile, options.etcd_prefix)
    backend = await open_backend(options.storage, access)
    try:
        async with open_scope("apiserver") as scope, started(options, backend, scope, SystemClock()) as handler:
            server = HTTPServer(handler, scope, max_body=MAX_BODY_BYTES, body_seconds=options.request_timeout)
            tls = server_tls(options, SystemClock())
            async with serving(server):
                for address in listening_addresses(options):
                    port = await server.listen(address, options.secure_port, tls)
                    log.info("serving address=%s port=%d", address, port)
                if options.local_socket:
                    await server.listen_locally(options.local_socket)
                ready()
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.shield(handler.end())
                    await asyncio.sleep(options.shutdown_delay_duration)
    finally:
        await backend.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """`p8s apiserver`: serve until SIGTERM or SIGINT; requests in hand are finished. Returns the exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    return run_alone("apiserver", lambda: run(options), StoreError, ValueError, verbosity=options.v)
