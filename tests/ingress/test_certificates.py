"""TLS on both sides."""

from __future__ import annotations

import asyncio
import ssl

from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.ingress.world import World, certificate, echo, exchange, serving

from pybernetes.api.endpoints import Target
from pybernetes.ingress.annotations import Options
from pybernetes.ingress.certificates import FAKE_NAME, context_of


async def common_name(world: World, host: str) -> str:
    """Of the certificate that a client is shown who asks for the host."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", world.https, ssl=context, server_hostname=host)
    shown = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    writer.close()
    return str(shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


async def test_each_host_has_its_certificate_from_the_next_handshake_on(world: World) -> None:
    world.contexts["a.example"] = context_of(*certificate("a.example"))
    world.contexts["b.example"] = context_of(*certificate("b.example"))
    assert await common_name(world, "a.example") == "a.example"
    assert await common_name(world, "b.example") == "b.example"
    assert await common_name(world, "c.example") == FAKE_NAME
    world.contexts["a.example"] = context_of(*certificate("renewed.example"))
    assert await common_name(world, "a.example") == "renewed.example"


async def test_backends_are_told_that_a_client_came_by_tls(world: World) -> None:
    chain, key = certificate("a.example")
    world.contexts["a.example"] = context_of(chain, key)
    trusting = ssl.create_default_context(cadata=chain.decode())
    async with serving(echo) as target:
        world.targets = [target]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", world.https, ssl=trusting, server_hostname="a.example"
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
        said = await reader.read()
        writer.close()
    assert b'"X-Forwarded-Proto": "https"' in said


async def test_a_backend_may_speak_tls(world: World) -> None:
    context = context_of(*certificate("pod"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        world.targets = [Target("127.0.0.1", server.sockets[0].getsockname()[1])]
        world.options = Options(backend_tls=True)
        assert (await exchange(world, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).endswith(b"secret")
