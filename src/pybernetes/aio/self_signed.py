"""The serving certificate of a server that was given none: self-signed, kept in a directory, as upstream does."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
BACKDATE = timedelta(hours=1)


def ensure(folder: Path, name: str, hosts: Sequence[str], now: datetime) -> tuple[str, str]:
    """Paths of certificate and key; made anew if they are missing, damaged, out of date or for other names.

    Raises OSError if the directory cannot be written.
    """
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    names = alternative_names(hosts)
    if not _is_usable(*paths, names, now):
        folder.mkdir(parents=True, exist_ok=True)
        _make(*paths, names, now)
    return str(paths[0]), str(paths[1])


def alternative_names(hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    """What a certificate says of the host names and addresses that it is for."""
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return x509.SubjectAlternativeName(names)


def _is_usable(certificate: Path, key: Path, names: x509.SubjectAlternativeName, now: datetime) -> bool:
    try:
        stored = x509.load_pem_x509_certificate(certificate.read_bytes())
        stored_key = serialization.load_pem_private_key(key.read_bytes(), None)
        stored_names = stored.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    is_of_today = stored.not_valid_before_utc <= now < stored.not_valid_after_utc
    return is_of_today and stored_names == names and stored.public_key() == stored_key.public_key()


def _make(certificate: Path, key: Path, names: x509.SubjectAlternativeName, now: datetime) -> None:
    made = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{socket.gethostname()}@{int(now.timestamp())}")])
    builder = x509.CertificateBuilder(subject, subject, made.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - BACKDATE).not_valid_after(now + LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    signed = builder.add_extension(names, critical=False).sign(made, hashes.SHA256())
    pem = serialization.Encoding.PEM
    _write(key, made.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    _write(certificate, signed.public_bytes(pem))


def _write(path: Path, data: bytes) -> None:
    """For the server's own user only; replaced as a whole."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    temporary.replace(path)
