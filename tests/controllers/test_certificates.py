"""Which certificate requests are approved, what is signed, and a kubelet's way to its certificate."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pybernetes.api.types import certificates_v1, meta_v1
from pybernetes.controllers.certificates import signers
from pybernetes.controllers.certificates.signers import Authority, RefusedError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLIENT = frozenset({"digital signature", "client auth"})
SERVING = frozenset({"digital signature", "server auth"})


def make_request(name: str, organization: str = "", *names: x509.GeneralName) -> x509.CertificateSigningRequest:
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization:
        subject.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


def make_authority(days: int = 3650) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return Authority(certificate, key, timedelta(days=365))


DNS = x509.DNSName("n1")


@pytest.mark.parametrize(
    ("signer", "request_", "usages", "message"),
    [
        (signers.KUBELET_CLIENT, make_request("system:node:n1", "system:nodes"), CLIENT, ""),
        (signers.KUBELET_CLIENT, make_request("system:node:n1", "system:nodes"), CLIENT | {"key encipherment"}, ""),
        (signers.KUBELET_CLIENT, make_request("system:node:n1", "other"), CLIENT, "organization is not system:nodes"),
        (signers.KUBELET_CLIENT, make_request("n1", "system:nodes"), CLIENT, "does not begin with system:node:"),
        (signers.KUBELET_CLIENT, make_request("system:node:n1", "system:nodes"), SERVING, "usages must be exactly"),
        (signers.KUBELET_CLIENT, make_request("system:node:n1", "system:nodes", DNS), CLIENT, "are not allowed"),
        (signers.KUBELET_SERVING, make_request("system:node:n1", "system:nodes", DNS), SERVING, ""),
        (signers.KUBELET_SERVING, make_request("system:node:n1", "system:nodes"), SERVING, "at least one DNS or IP"),
        (signers.KUBE_CLIENT, make_request("alice"), CLIENT, ""),
        (signers.KUBE_CLIENT, make_request("alice"), SERVING, "missing required usage"),
        (signers.KUBE_CLIENT, make_request("alice"), CLIENT | {"server auth"}, "invalid usage"),
    ],
)
def test_each_signer_has_its_rules(
    signer: str, request_: x509.CertificateSigningRequest, usages: frozenset[str], message: str
) -> None:
    if not message:
        signers.check(signer, request_, usages)
        return
    with pytest.raises(RefusedError, match=message):
        signers.check(signer, request_, usages)


@pytest.mark.parametrize(("seconds", "expected"), [(None, 365 * 86400), (3600, 3600), (1, 600)])
def test_a_certificate_lives_as_long_as_asked_for(seconds: int | None, expected: int) -> None:
    made = signers.sign(make_authority(), make_request("alice"), CLIENT, seconds, NOW)
    assert made.not_valid_after_utc - NOW == timedelta(seconds=expected)
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]


def test_no_certificate_outlives_the_authority() -> None:
    made = signers.sign(make_authority(days=10), make_request("alice"), CLIENT, None, NOW)
    assert made.not_valid_after_utc == NOW + timedelta(days=10)


async def test_a_kubelet_gets_its_certificate(world_of: Callable[..., Any], tmp_path: Path) -> None:
    authority = make_authority()
    (tmp_path / "ca.crt").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "ca.key").write_bytes(authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    controllers = "certificatesigningrequest-approving-controller,certificatesigningrequest-signing-controller"
    files = {
        "cluster_signing_cert_file": str(tmp_path / "ca.crt"),
        "cluster_signing_key_file": str(tmp_path / "ca.key"),
    }
    async with world_of(controllers, **files) as world:
        request = make_request("system:node:n1", "system:nodes")
        spec = certificates_v1.CertificateSigningRequestSpec(
            request=base64.b64encode(request.public_bytes(Encoding.PEM)).decode(),
            signer_name=signers.KUBELET_CLIENT,
            usages=sorted(CLIENT),
        )
        kind, name = certificates_v1.CertificateSigningRequest, f"node-{world.namespace}"
        await world.client.create(kind(metadata=meta_v1.ObjectMeta(name=name), spec=spec))

        async def is_signed() -> bool:
            return bool((await world.client.get(kind, name)).status.certificate)

        await world.eventually(is_signed)
        found = await world.client.get(kind, name)
        assert [condition.reason for condition in found.status.conditions] == ["AutoApproved"]
        made = x509.load_pem_x509_certificate(base64.b64decode(found.status.certificate or ""))
        made.verify_directly_issued_by(authority.certificate)
        assert made.subject == request.subject
        await world.client.delete(kind, name)
