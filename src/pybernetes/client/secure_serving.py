"""The secure port of a component: TLS, and who may read its pages by the API server's word, with upstream's flags."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from pybernetes.aio.asked import listen
from pybernetes.aio.clock import Clock
from pybernetes.aio.http_server import Answer, Connection, Front, Handler, RequestError, Routes, respond
from pybernetes.aio.tasks import open_scope
from pybernetes.aio.tls import server_context, serving_files
from pybernetes.api.errors import StatusError
from pybernetes.api.types import authorization_v1, core_v1
from pybernetes.client.config import Config
from pybernetes.client.rest import Client, connect
from pybernetes.client.reviews import ANONYMOUS, MASTERS, Reviews, User, user_of_certificate
from pybernetes.client.serving_options import ServingOptions

log = logging.getLogger(__name__)


class Guard(msgspec.Struct, frozen=True):
    """Decides over requests."""

    authentication: Reviews | None
    authorization: Reviews | None
    open_paths: tuple[str, ...]

    async def check(self, connection: Connection) -> None:
        """Raises StatusError 401 or 403, or that of an API server that cannot be asked."""
        head = connection.head
        path = head.target.partition("?")[0]
        user = await self._user(connection)
        if MASTERS in user.groups or self._is_open(path):
            return
        verb = head.method.lower()
        attributes = authorization_v1.NonResourceAttributes(path=path, verb=verb)
        if self.authorization is None or not await self.authorization.may(user, attributes):
            raise StatusError(403, "Forbidden", f'forbidden: User "{user.name}" cannot {verb} path "{path}"')

    def _is_open(self, path: str) -> bool:
        return any(path == one or (one.endswith("*") and path.startswith(one[:-1])) for one in self.open_paths)

    async def _user(self, connection: Connection) -> User:
        if certificate := connection.writer.get_extra_info("peercert"):
            return user_of_certificate(certificate)
        scheme, _, token = connection.head.header("authorization").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return ANONYMOUS
        found = await self.authentication.user_of_token(token) if self.authentication is not None else None
        if found is None:
            raise StatusError(401, "Unauthorized", "Unauthorized")
        return found


def guard_by(client: Client, options: ServingOptions, clock: Clock) -> Guard:
    """A guard that asks by a connection that there is anyway."""
    reviews = Reviews(client, clock, options.authorization_webhook_cache_authorized_ttl)
    return Guard(reviews, reviews, options.authorization_always_allow_paths)


@asynccontextmanager
async def serving_alone(options: ServingOptions, name: str, pages: Mapping[str, Handler], clock: Clock) -> AsyncIterator[None]:  # fmt: skip
    """Serve as the flags say while the block runs, or nothing at port 0. Raises ConfigError, OSError, ssl.SSLError."""
    if not options.secure_port:
        yield
        return
    async with AsyncExitStack() as stack:

        async def reviews(kubeconfig: str) -> Reviews | None:
            if not kubeconfig:
                return None
            client = await stack.enter_async_context(connect(Config.from_kubeconfig(kubeconfig), clock=clock))
            return Reviews(client, clock, options.authorization_webhook_cache_authorized_ttl)

        authentication = await reviews(options.authentication_kubeconfig)
        authorization = await reviews(options.authorization_kubeconfig)
        guard = Guard(authentication, authorization, options.authorization_always_allow_paths)
        listening = stack.enter_context(listen(options.bind_address, options.secure_port))
        if authentication is not None and not options.client_ca_file:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pybernetes-"))
            options = replace(options, client_ca_file=await _published(authentication.client, Path(folder)))
        await stack.enter_async_context(serving(listening, options, name, pages, guard, clock))
        yield


async def _published(client: Client, folder: Path) -> str:
    """A file of the authority of clients that the API server tells; "" if it cannot be asked, as upstream tolerates."""
    try:
        found = await client.get(core_v1.ConfigMap, "extension-apiserver-authentication", "kube-system")
    except StatusError as error:
        log.warning("certificates of clients are not known error=%s", error.message)
        return ""
    authority = found.data.get("client-ca-file", "")
    if not authority:
        return ""
    file = folder / "client-ca.crt"
    file.write_text(authority)
    return str(file)


@asynccontextmanager
async def serving(
    listening: socket.socket,
    options: ServingOptions,
    name: str,
    pages: Mapping[str, Handler],
    guard: Guard,
    clock: Clock,
) -> AsyncIterator[None]:
    """Answer on the socket while the block runs. Raises OSError, ssl.SSLError for certificates."""
    routes = Routes(pages)

    async def serve(connection: Connection) -> None:
        await respond(connection, _answer(connection, routes, guard))

    with tempfile.TemporaryDirectory(prefix="pybernetes-") as folder:
        tls = _tls(options, name, Path(options.cert_dir or folder), clock)
        async with open_scope(name) as scope:
            server = await asyncio.get_running_loop().create_server(
                lambda: Front(serve, scope), sock=listening.dup(), ssl=tls
            )
            try:
                yield
            finally:
                server.close()


def _tls(options: ServingOptions, name: str, folder: Path, clock: Clock) -> ssl.SSLContext:
    hosts = "localhost", socket.gethostname(), "127.0.0.1", options.bind_address
    files = serving_files(options.tls_cert_file, options.tls_private_key_file, folder, name, hosts, clock.now())
    return server_context(*files, options.client_ca_file)


async def _answer(connection: Connection, routes: Routes, guard: Guard) -> Answer:
    """Raises RequestError."""
    try:
        await guard.check(connection)
    except StatusError as error:
        code = error.code if error.code in (401, 403) else 500
        return Answer(msgspec.json.encode(error.status) + b"\n", "application/json", code)
    try:
        return await routes.answer(connection.head)
    except StatusError as error:
        raise RequestError(error.code, error.message) from error
