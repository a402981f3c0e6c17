"""The rules of the `kubernetes.io/` signers: what a request has to look like, and what is signed. No I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

KUBE_CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"
SIGNERS = frozenset({KUBE_CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY})

NODES_GROUP, NODE_PREFIX = "system:nodes", "system:node:"
MIN_SECONDS = 600
# Clocks differ: a certificate is valid a little before it was made.
BACKDATE = timedelta(minutes=5)

_HANDSHAKE_USAGES = frozenset({"key encipherment", "digital signature"})
_EXTENDED = {
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class RefusedError(Exception):
    """The request may not be signed by its signer; the message is what its condition says."""


class Authority(Struct, frozen=True):
    """The CA that signs, and how long what it signs is valid at most."""

    certificate: x509.Certificate
    key: PrivateKey
    duration: timedelta


def common_name(request: x509.CertificateSigningRequest) -> str:
    return next((str(found.value) for found in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)), "")


def organizations(request: x509.CertificateSigningRequest) -> list[str]:
    return [str(found.value) for found in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def _alternative_names(request: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    try:
        return request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def check(signer: str, request: x509.CertificateSigningRequest, usages: frozenset[str]) -> None:
    """Raise RefusedError if the signer does not sign such a request."""
    match signer:
        case "kubernetes.io/kube-apiserver-client":
            _check_client_usages(usages)
        case "kubernetes.io/kube-apiserver-client-kubelet":
            _check_kubelet_client(request, usages)
        case "kubernetes.io/kubelet-serving":
            _check_kubelet_serving(request, usages)


def is_kubelet_client(request: x509.CertificateSigningRequest, usages: frozenset[str]) -> bool:
    """Whether the request is one for a kubelet's client certificate."""
    try:
        _check_kubelet_client(request, usages)
    except RefusedError:
        return False
    return True


def _check_kubelet_client(request: x509.CertificateSigningRequest, usages: frozenset[str]) -> None:
    _check_node_subject(request)
    if _alternative_names(request) is not None:
        raise RefusedError("DNS, IP, email and URI subjectAltNames are not allowed")
    _check_node_usages(usages, "client auth")


def _check_kubelet_serving(request: x509.CertificateSigningRequest, usages: frozenset[str]) -> None:
    _check_node_subject(request)
    names = _alternative_names(request)
    if names is None or not (names.get_values_for_type(x509.DNSName) or names.get_values_for_type(x509.IPAddress)):
        raise RefusedError("at least one DNS or IP subjectAltName is required")
    if names.get_values_for_type(x509.RFC822Name) or names.get_values_for_type(x509.UniformResourceIdentifier):
        raise RefusedError("email and URI subjectAltNames are not allowed")
    _check_node_usages(usages, "server auth")


def _check_node_subject(request: x509.CertificateSigningRequest) -> None:
    if organizations(request) != [NODES_GROUP]:
        raise RefusedError("subject organization is not system:nodes")
    if not common_name(request).startswith(NODE_PREFIX):
        raise RefusedError("subject common name does not begin with system:node: ")


def _check_node_usages(usages: frozenset[str], purpose: str) -> None:
    """Exactly a signature and the purpose; RSA keys encipher as well."""
    if usages - {"key encipherment"} != {"digital signature", purpose}:
        raise RefusedError(f"usages must be exactly digital signature, {purpose}, and optionally key encipherment")


def _check_client_usages(usages: frozenset[str]) -> None:
    if "client auth" not in usages:
        raise RefusedError("missing required usage for client certificate: client auth")
    if others := sorted(usages - _HANDSHAKE_USAGES - {"client auth"}):
        raise RefusedError(f"invalid usage for client certificate: {others[0]}")


def sign(
    authority: Authority,
    request: x509.CertificateSigningRequest,
    usages: frozenset[str],
    seconds: int | None,
    now: datetime,
) -> x509.Certificate:
    """A certificate for the request's key and names; valid for `seconds`, within what the authority allows."""
    life = (
        authority.duration if seconds is None else min(authority.duration, timedelta(seconds=max(seconds, MIN_SECONDS)))
    )
    end = min(now + life, authority.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(authority.certificate.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(usages), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    if extended := [_EXTENDED[usage] for usage in sorted(usages) if usage in _EXTENDED]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if (names := _alternative_names(request)) is not None:
        builder = builder.add_extension(names, critical=False)
    algorithm = None if isinstance(authority.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(authority.key, algorithm)


def _key_usage(usages: frozenset[str]) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature="digital signature" in usages or "signing" in usages,
        content_commitment="content commitment" in usages,
        key_encipherment="key encipherment" in usages,
        data_encipherment="data encipherment" in usages,
        key_agreement="key agreement" in usages,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
