"""The cluster's certificate authorities and every certificate they sign, made on first start and renewed before expiry.

Keys are EC P-256: signing one takes under a millisecond, so that a start does not wait for RSA primes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pybernetes.aio.self_signed import alternative_names
from pybernetes.cluster.files import write_private
from pybernetes.cluster.node import Node
from pybernetes.cluster.profile import Profile

AUTHORITY_LIFETIME = timedelta(days=3650)
AUTHORITY_BACKDATE = timedelta(days=3650)
"""Authorities are kept when the clock is set back."""

RENEWED_PART = 4
"""A certificate is renewed when only this part, a quarter, of its time is left."""


@dataclass(frozen=True, slots=True)
class Validity:
    """How long certificates hold. They begin an hour before they were made: clocks of virtual machines jump."""

    lifetime: timedelta = timedelta(days=365)
    backdate: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Request:
    """A certificate to be: `organizations` are Kubernetes' groups, `hosts` DNS names and addresses of a server."""

    name: str
    common_name: str
    organizations: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    authority: str = "ca"

    @property
    def is_server(self) -> bool:
        return bool(self.hosts)


SIMULATOR = Request("simulator-server", "system:node-simulator", hosts=("localhost", "127.0.0.1"))


def requests(profile: Profile) -> list[Request]:
    """Every certificate of a cluster's nodes here. Its components need none as clients: they are on this machine."""
    domain = profile.settings.cluster_domain
    api_hosts = (
        "kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{domain}",
        "localhost", "127.0.0.1", profile.api_service_address, profile.node_address, profile.node_name,
    )  # fmt: skip
    return [
        Request("apiserver", "kube-apiserver", hosts=api_hosts),
        Request("apiserver-kubelet-client", "kube-apiserver-kubelet-client", ("system:masters",)),
        Request("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
        Request("admin", "kubernetes-admin", ("system:masters",)),
        *((SIMULATOR,) if profile.simulates else ()),
        *map(request_of, profile.nodes),
    ]


def request_of(node: Node) -> Request:
    """A node's certificate as the server on its address."""
    identity, hosts = f"system:node:{node.name}", (node.name, node.address)
    return Request(node.named("kubelet-server"), identity, ("system:nodes",), hosts)


class Certificates:
    """The certificates of one profile under `<state>/pki`: `<name>.crt` and `<name>.key`, 0600."""

    def __init__(self, profile: Profile, now: datetime | None = None, validity: Validity | None = None) -> None:
        self._profile = profile
        self._directory = profile.certificates
        self._now = now or datetime.now(UTC)
        self._validity = validity or Validity()

    def ensure(self) -> list[str]:
        """Make what is missing, renew what ends soon; returns the names of the certificates made."""
        made = [name for name in ("ca", "front-proxy-ca") if self._ensure_authority(name)]
        if not (self._directory / "service-account.key").exists():
            self._write_key("service-account", ec.generate_private_key(ec.SECP256R1()))
        for request in requests(self._profile):
            if request.authority in made or not self._is_current(request):
                self._sign(request)
                made.append(request.name)
        return made

    def renewal(self) -> datetime:
        """When the first certificate has to be renewed; in the past if one is missing or damaged."""
        return min(self._renewal(request) for request in requests(self._profile))

    def _renewal(self, request: Request) -> datetime:
        stored = self._read(request.name)
        return renewal_of(stored) if stored else self._now - timedelta(seconds=1)

    def _read(self, name: str) -> x509.Certificate | None:
        """None if it is missing, damaged, or not the one of the key beside it: a renewal was cut off between both."""
        try:
            stored = x509.load_pem_x509_certificate((self._directory / f"{name}.crt").read_bytes())
            key = self._read_key(name)
        except (FileNotFoundError, ValueError):
            return None
        return stored if stored.public_key() == key.public_key() else None

    def _ensure_authority(self, name: str) -> bool:
        if (self._directory / f"{name}.crt").exists() and (self._directory / f"{name}.key").exists():
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{self._profile.name}-{name}")])
        builder = self._builder(subject, subject, key.public_key(), Validity(AUTHORITY_LIFETIME, AUTHORITY_BACKDATE))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage(authority=True), critical=True)
        self._write(name, builder.sign(key, hashes.SHA256()), key)
        return True

    def _is_current(self, request: Request) -> bool:
        stored = self._read(request.name)
        if stored is None or stored.subject != _subject(request):
            return False
        if self._now >= renewal_of(stored) or stored.not_valid_before_utc > self._now:
            return False
        return not request.is_server or alternative_names(request.hosts) == _stored_alternative_names(stored)

    def _sign(self, request: Request) -> None:
        authority = x509.load_pem_x509_certificate((self._directory / f"{request.authority}.crt").read_bytes())
        authority_key = self._read_key(request.authority)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_subject(request), authority.subject, key.public_key(), self._validity)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(authority=False), critical=True)
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if request.is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        if request.is_server:
            builder = builder.add_extension(alternative_names(request.hosts), critical=False)
        self._write(request.name, builder.sign(authority_key, hashes.SHA256()), key)

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, validity: Validity
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(self._now - validity.backdate)
        builder = builder.not_valid_after(self._now + validity.lifetime)
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)

    def _read_key(self, name: str) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key((self._directory / f"{name}.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{name}.key is not an EC key")
        return key

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._write_key(name, key)
        write_private(self._directory / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))

    def _write_key(self, name: str, key: ec.EllipticCurvePrivateKey) -> None:
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(self._directory / f"{name}.key", pem)


def renewal_of(certificate: x509.Certificate) -> datetime:
    """When it has to be renewed."""
    ends = certificate.not_valid_after_utc
    return ends - (ends - certificate.not_valid_before_utc) / RENEWED_PART


def _subject(request: Request) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in request.organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, request.common_name)])


def _stored_alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=not authority, data_encipherment=False,
        key_agreement=False, key_cert_sign=authority, crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip
