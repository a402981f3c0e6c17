"""Contexts follow their files: real handshakes against real certificates."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from pybernetes.aio.tls import FollowedContext, server_context
from pybernetes.cluster.certificates import Certificates
from pybernetes.cluster.profile import Profile, Settings


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a set of certificates of an authority of its own; its folder."""

    def made(name: str) -> Path:
        profile = Profile("test", Settings(), tmp_path / name, tmp_path / name / "run")
        profile.save()
        Certificates(profile).ensure()
        return profile.certificates

    return made


def trusting(pki: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    return context


async def handshake(port: int, client: ssl.SSLContext, name: str | None = None) -> int:
    """The serial number of the server's certificate; a client certificate that is refused is an error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name)
    try:
        writer.write(b"ping\n")
        assert await reader.readline() == b"ping\n"
        der = writer.get_extra_info("ssl_object").getpeercert(True)
        return x509.load_der_x509_certificate(der).serial_number
    finally:
        writer.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


def serial(pki: Path) -> int:
    return x509.load_pem_x509_certificate((pki / "apiserver.crt").read_bytes()).serial_number


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_handshakes_take_the_files_as_they_are(make: Callable[[str], Path], name: str) -> None:
    """With a server name and without one, as clients by address have none; the authority of clients too."""
    first, second = make("first"), make("second")
    files = [str(first / file) for file in ("apiserver.crt", "apiserver.key", "ca.crt")]
    async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_context(*files)) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(first), server_hostname=name)
        before = serial(first)
        assert await handshake(port, trusting(first), name) == before
        shutil.copy(second / "apiserver.crt", first / "apiserver.crt")
        assert await handshake(port, trusting(first), name) == before, "certificate and key do not fit yet"
        shutil.copy(second / "apiserver.key", first / "apiserver.key")
        shutil.copy(second / "ca.crt", first / "ca.crt")
        assert await handshake(port, trusting(second), name) == serial(second) != before
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        writer.close()


async def test_clients_of_any_of_the_authorities_come_in(make: Callable[[str], Path]) -> None:
    """Such as those of the front proxy, which has an authority of its own."""
    ours, proxy, stranger = make("ours"), make("proxy"), make("stranger")
    files = [str(ours / "apiserver.crt"), str(ours / "apiserver.key"), str(ours / "ca.crt"), "", str(proxy / "ca.crt")]
    async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_context(*files)) as server:
        port = server.sockets[0].getsockname()[1]
        for pki in (ours, proxy):
            client = ssl.create_default_context(cafile=str(ours / "ca.crt"))
            client.load_cert_chain(pki / "admin.crt", pki / "admin.key")
            assert await handshake(port, client, "localhost") == serial(ours)
        client = ssl.create_default_context(cafile=str(ours / "ca.crt"))
        client.load_cert_chain(stranger / "admin.crt", stranger / "admin.key")
        client.maximum_version = ssl.TLSVersion.TLSv1_2  # in which a client learns of it within the handshake
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await handshake(port, client, "localhost")


def test_missing_file_keeps_the_last_good_context(make: Callable[[str], Path]) -> None:
    pki = make("client")
    made: list[ssl.SSLContext] = []

    def context() -> ssl.SSLContext:
        made.append(trusting(pki))
        return made[-1]

    followed = FollowedContext(context, [str(pki / "admin.crt"), ""])
    assert followed.current() is followed.current() is made[0]
    kept = (pki / "admin.crt").read_bytes()
    (pki / "admin.crt").unlink()
    assert followed.current() is made[0]
    (pki / "admin.crt").write_bytes(kept)
    assert followed.current() is not made[0]
