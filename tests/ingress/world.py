"""A proxy whose decisions a test makes, backends behind it, and clients before it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pybernetes.api.endpoints import Target
from pybernetes.ingress.annotations import Options
from pybernetes.ingress.decide import Decision, Forward, Question
from pybernetes.ingress.server.gate import Gate
from pybernetes.ingress.table import Backend

BACKEND = Backend("default", "web", "80")
PIECE = 64 << 10
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class World:
    """A proxy whose decisions the test makes, and backends behind it."""

    def __init__(self) -> None:
        self.targets: list[Target] = []
        self.options = Options()
        self.contexts: dict[str, ssl.SSLContext] = {}
        self.decide: Callable[[Question], Decision] = lambda question: Forward(
            question.target, tuple(self.targets), self.options, BACKEND
        )
        self.http = self.https = 0
        self.gate: Gate | None = None

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.http}{path}"


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[Target]:
    """A backend of aiohttp's."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Target("127.0.0.1", runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(answer: bytes, *, close: bool = True) -> AsyncIterator[tuple[Target, list[bytes]]]:
    """A backend that says the same to every request's head, whatever it was; with what it was sent."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
                if close:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1]), seen


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    said = {"method": request.method, "path": request.raw_path, "headers": dict(request.headers), "body": body.decode()}
    return web.json_response(said)


async def exchange(world: World, request: bytes) -> bytes:
    """Bytes in, everything that comes back until the proxy closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.http)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def certificate(*hosts: str) -> tuple[bytes, bytes]:
    """A chain and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    return signed.public_bytes(serialization.Encoding.PEM), pem
