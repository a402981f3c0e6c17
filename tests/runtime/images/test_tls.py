"""Registries over TLS: who signed for them decides."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.images import Image, Tree
from tests.runtime.images.conftest import OpenImages
from tests.runtime.images.fakes import FakeRegistry, serving

from pybernetes.cri.errors import PullError
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.runtime.images.service import Images

IMAGE = Image([Tree().file("a", "1").layer()])
NAME = "registry.invalid/app"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1, signed by itself, with its key behind it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "registry.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


@asynccontextmanager
async def images_of(open_images: OpenImages, tls: ssl.SSLContext | None, ca_file: Path | None) -> AsyncIterator[Images]:
    async with serving(FakeRegistry(IMAGE), tls) as host:
        mirrors = {"registry.invalid": (f"https://{host}",)}
        async with open_images(RegistryOptions(mirrors=mirrors, ca_file=ca_file)) as images:
            yield images


def server(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_a_registry_that_a_known_authority_signed_for_is_trusted(
    open_images: OpenImages, certificate: Path
) -> None:
    async with images_of(open_images, server(certificate), certificate) as images:
        assert await images.pull(NAME) == IMAGE.id


async def test_a_registry_that_nobody_known_signed_for_is_refused(open_images: OpenImages, certificate: Path) -> None:
    async with images_of(open_images, server(certificate), None) as images:
        with pytest.raises(PullError, match=r"tls: failed to verify certificate: x509: certificate signed by unknown"):
            await images.pull(NAME)


async def test_a_registry_that_speaks_no_tls_is_named(open_images: OpenImages) -> None:
    async with images_of(open_images, None, None) as images:
        with pytest.raises(PullError, match="http: server gave HTTP response to HTTPS client"):
            await images.pull(NAME)
