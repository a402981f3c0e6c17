"""A real etcd (Debian's etcd-server) for tests, on loopback, with or without TLS."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.ports import free_port

START_SECONDS = 20.0


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for 127.0.0.1, good for servers and clients."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.crt"
        self.file.write_bytes(self._certificate(self._subject, self._key, timedelta(hours=1), ca=True))

    def sign(self, name: str, ends: timedelta = timedelta(hours=1)) -> Pair:
        """Valid since two hours before until `ends` from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        pair.certificate.write_bytes(self._certificate(subject, key, ends, ca=False))
        form = serialization.PrivateFormat.PKCS8
        pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        return pair

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, ends: timedelta, *, ca: bool) -> bytes:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(self._subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=2))
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
            )
        )  # fmt: skip
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@contextlib.contextmanager
def running_etcd(folder: Path, authority: Authority | None = None) -> Iterator[str]:
    """A fresh etcd; HOST:PORT. With an authority it speaks TLS, and to clients with its certificates alone."""
    binary = shutil.which("etcd")
    assert binary, "etcd is missing: make test installs etcd-server"
    client, peer = free_port(), free_port()
    mine, theirs = f"{'https' if authority else 'http'}://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    command = [
        binary, f"--data-dir={folder}", "--unsafe-no-fsync", "--log-level=error",
        f"--listen-client-urls={mine}", f"--advertise-client-urls={mine}", f"--listen-peer-urls={theirs}",
        f"--initial-advertise-peer-urls={theirs}", f"--initial-cluster=default={theirs}",
    ]  # fmt: skip
    if authority is not None:
        pair = authority.sign("etcd")
        command += [
            f"--cert-file={pair.certificate}", f"--key-file={pair.key}", f"--trusted-ca-file={authority.file}", "--client-cert-auth",
        ]  # fmt: skip
    with subprocess.Popen(command) as server:
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", client)) == 0:
                        break
                assert server.poll() is None, "etcd has ended"
                assert time.monotonic() < deadline, "etcd does not answer"
                time.sleep(0.02)
            yield f"127.0.0.1:{client}"
        finally:
            server.kill()
