"""Client certificates: the common name is the user, the organizations are the groups."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.apiserver.http.message import Request
from pybernetes.apiserver.stages.authenticate.authenticator import InvalidCredentialError
from pybernetes.apiserver.stages.authenticate.user import CREDENTIAL_ID
from pybernetes.apiserver.user import UserInfo
from pybernetes.telemetry.metrics import Histogram

USER_UID = x509.ObjectIdentifier("1.3.6.1.4.1.57683.2")
"""The subject attribute that carries a user's uid (KEP-4193)."""
CLIENT_USAGES = frozenset((ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE))
REMEMBERED = 1024
_DAY = 86400
LIFETIMES = (
    0,
    1800,
    3600,
    7200,
    21600,
    43200,
    _DAY,
    2 * _DAY,
    4 * _DAY,
    7 * _DAY,
    30 * _DAY,
    90 * _DAY,
    180 * _DAY,
    360 * _DAY,
)
"""Seconds."""


def certificate_lifetimes() -> Histogram:
    """`apiserver_client_certificate_expiration_seconds`, of which alerts are made."""
    about = "Distribution of the remaining lifetime on the certificate used to authenticate a request."
    return Histogram("apiserver_client_certificate_expiration_seconds", about, (), LIFETIMES)


class Certificate(Struct, frozen=True):
    """A certificate of one of our authorities: the identity in it, and from when until when both hold.

    An authority that was renewed with its key has issued it in either form, each with a time of its own.
    """

    user: UserInfo
    periods: tuple[tuple[datetime, datetime], ...]

    def holds(self, now: datetime) -> bool:
        return any(begin <= now <= end for begin, end in self.periods)


class CertificateCheck(Struct, frozen=True):
    """Checks client certificates against authorities; the outcome is remembered, the time is checked each time."""

    authorities: Sequence[x509.Certificate]
    clock: Clock
    lifetimes: Histogram | None = None
    """Told how long certificates will still hold, each time that one is taken."""
    _known: dict[bytes, Certificate | None] = field(default_factory=dict)
    """None for certificates of others, which come with every request of theirs too."""

    def check(self, der: bytes) -> UserInfo | None:
        """The subject; None if no authority of ours issued it. Raises InvalidCredentialError if it is out of date."""
        if der not in self._known:
            found = self._read(der)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[der] = found
        known = self._known[der]
        if known is None:
            return None
        now = self.clock.now()
        if not known.holds(now):
            raise InvalidCredentialError("x509: certificate has expired or is not yet valid")
        if self.lifetimes is not None:
            self.lifetimes.observe((max(end for _, end in known.periods) - now).total_seconds())
        return known.user

    def _read(self, der: bytes) -> Certificate | None:
        certificate = x509.load_der_x509_certificate(der)
        issuers = [authority for authority in self.authorities if _issued(authority, certificate)]
        if not issuers:
            return None
        if not _is_for_clients(certificate):
            raise InvalidCredentialError("x509: certificate specifies an incompatible key usage")
        return Certificate(user_of(certificate), tuple(_common(certificate, issuer) for issuer in issuers))


class ClientCertificates(Struct, frozen=True):
    """Users of `--client-ca-file`. A certificate without a common name names nobody."""

    certificates: CertificateCheck

    def authenticate(self, request: Request) -> UserInfo | None:
        if request.peer_certificate is None:
            return None
        user = self.certificates.check(request.peer_certificate)
        if user is None:
            raise InvalidCredentialError("x509: certificate signed by unknown authority")
        return user if user.name else None


def user_of(certificate: x509.Certificate) -> UserInfo:
    """The user that a certificate's subject names."""
    digest = certificate.fingerprint(hashes.SHA256()).hex()
    return UserInfo(
        next(iter(_values(certificate, NameOID.COMMON_NAME)), ""),
        next(iter(_values(certificate, USER_UID)), ""),
        tuple(_values(certificate, NameOID.ORGANIZATION_NAME)),
        {CREDENTIAL_ID: (f"X509SHA256={digest}",)},
    )


def _values(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    values = (attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid))
    return [value if isinstance(value, str) else value.decode("utf-8", "replace") for value in values]


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _common(certificate: x509.Certificate, issuer: x509.Certificate) -> tuple[datetime, datetime]:
    """When both hold."""
    begin = max(certificate.not_valid_before_utc, issuer.not_valid_before_utc)
    return begin, min(certificate.not_valid_after_utc, issuer.not_valid_after_utc)


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return any(usage in CLIENT_USAGES for usage in usages)
