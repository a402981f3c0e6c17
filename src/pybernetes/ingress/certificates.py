"""TLS by the name that the client asks for: certificates come from secrets and are never written to a disk."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

FAKE_NAME = "Pybernetes Ingress Fake Certificate"
LIFETIME = timedelta(days=365)


class CertificateError(ValueError):
    """A secret holds no certificate that can be used; the message says why."""


def context_of(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """Serves with a chain and its key, both PEM. Raises CertificateError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with _in_memory(certificate.strip() + b"\n" + key.strip() + b"\n") as path:
            context.load_cert_chain(path)
    except (ssl.SSLError, ValueError) as error:
        raise CertificateError(f"tls.crt and tls.key are no certificate with its key: {error}") from error
    return context


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """OpenSSL takes files only."""
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def of_secret(data: Mapping[str, str]) -> ssl.SSLContext:
    """The context of a secret of type kubernetes.io/tls. Raises CertificateError."""
    for key in ("tls.crt", "tls.key"):
        if not data.get(key):
            raise CertificateError(f"it has no {key}")
    return context_of(base64.b64decode(data["tls.crt"]), base64.b64decode(data["tls.key"]))


def self_signed(now: datetime) -> ssl.SSLContext:
    """For hosts without a certificate of their own: encrypts, proves nothing."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, FAKE_NAME)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + LIFETIME)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("*.localhost")])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    return context_of(signed.public_bytes(serialization.Encoding.PEM), pem)


class Certificates:
    """Chooses a context per handshake; the fake certificate is made with the first that needs it."""

    def __init__(self, choose: Callable[[str], ssl.SSLContext | None]) -> None:
        self._choose = choose
        self._fake: ssl.SSLContext | None = None
        self._fake_until = datetime.min.replace(tzinfo=UTC)

    def listening(self) -> ssl.SSLContext:
        """The context for the listening socket."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.sni_callback = self._on_hello
        return context

    def _on_hello(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called for clients that name no host, too."""
        connection.context = self._choose((name or "").lower().rstrip(".")) or self._fallback()

    def _fallback(self) -> ssl.SSLContext:
        now = datetime.now(UTC)
        if self._fake is None or now > self._fake_until:
            self._fake, self._fake_until = self_signed(now), now + LIFETIME / 2
        return self._fake
