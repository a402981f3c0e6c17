"""Whom a client trusts: real handshakes with certificates as libraries for webhooks make them."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pybernetes.aio.http.client import open_client
from pybernetes.aio.http.errors import ConnectError
from pybernetes.aio.http.request import Origin
from pybernetes.aio.trust import client_context

HOST = "hook.ns.svc"
NAME = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "hooks")])
ANOTHER = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "others")])
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)

Key = ec.EllipticCurvePrivateKey
Serve = Callable[[x509.Certificate, Key], AbstractAsyncContextManager[int]]


def key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(
    own: Key, signer: Key, *, subject: x509.Name = NAME, issuer: x509.Name = NAME, ca: bool = False,
    host: str = HOST, until: datetime.datetime = NOW + DAY,
) -> x509.Certificate:  # fmt: skip
    """Without key identifiers, and an authority without key usage."""
    made = x509.CertificateBuilder(issuer, subject, own.public_key(), x509.random_serial_number(), NOW - DAY, until)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    if ca:
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return made.sign(signer, hashes.SHA256())


def pem(*certificates: x509.Certificate) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    @asynccontextmanager
    async def serving(shown: x509.Certificate, own: Key) -> AsyncIterator[int]:
        """A server of a certificate that answers each request with nothing; its port."""
        file = tmp_path / "server.pem"
        secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        file.write_text(pem(shown) + secret)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.readline() not in (b"\r\n", b""):
                pass
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        async with server:
            yield server.sockets[0].getsockname()[1]

    return serving


async def status(port: int, context: ssl.SSLContext) -> int:
    async with open_client() as client:
        answer, _ = await client.fetch(
            Origin("127.0.0.1", port, context, server_name=HOST), "GET", "/", (), seconds=5.0
        )
        return answer.status


@pytest.mark.parametrize("called", [NAME, ANOTHER], ids=["as its authority", "otherwise"])
async def test_what_an_authority_has_issued_is_trusted_however_it_is_called(serve: Serve, called: x509.Name) -> None:
    root, own = key(), key()
    authority, shown = certificate(root, root, ca=True), certificate(own, root, subject=called)
    async with serve(shown, own) as port:
        context = client_context(pem(authority))
        assert [await status(port, context) for _ in range(2)] == [204, 204]


async def test_an_authority_below_another_is_trusted_alone(serve: Serve) -> None:
    root, below, own = key(), key(), key()
    middle = certificate(below, root, subject=ANOTHER, ca=True)
    shown = certificate(own, below, issuer=ANOTHER, subject=x509.Name([]))
    async with serve(shown, own) as port:
        assert await status(port, client_context(pem(middle))) == 204


ROOT, OWN, OTHER = key(), key(), key()
REFUSED = {
    "has signed itself": certificate(OWN, OWN),
    "is of an authority of the same name": certificate(OWN, OTHER),
    "is for another host": certificate(OWN, ROOT, host="other.ns.svc"),
    "is out of date": certificate(OWN, ROOT, until=NOW - DAY / 2),
}


@pytest.mark.parametrize("shown", REFUSED.values(), ids=list(REFUSED))
async def test_who_is_called_as_an_authority_is_not_trusted_for_that(serve: Serve, shown: x509.Certificate) -> None:
    async with serve(shown, OWN) as port:
        with pytest.raises(ConnectError) as refused:
            await status(port, client_context(pem(certificate(ROOT, ROOT, ca=True))))
        assert isinstance(refused.value.__cause__, ssl.SSLCertVerificationError)
