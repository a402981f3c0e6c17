"""The controllers of certificate signing requests: approve, sign, clean up."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from pybernetes.api.time import parse_time
from pybernetes.api.types import authorization_v1, certificates_v1
from pybernetes.client.cache import Key
from pybernetes.client.config import ConfigError
from pybernetes.controllers.certificates import signers
from pybernetes.controllers.certificates.signers import Authority, RefusedError
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found

CSR = certificates_v1.CertificateSigningRequest


class _RequestController(KeyedController):
    """Reconciles each request whenever it changes."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.requests = context.informers.of(CSR)
        self.requests.subscribe(self.enqueue_change)


class CSRApprovingController(_RequestController):
    """Approves requests of nodes for their own client certificates, if their user may make such."""

    name = "certificatesigningrequest-approving-controller"

    async def reconcile(self, key: Key) -> None:
        found = self.requests.get(key[1])
        if found is None or found.status.certificate or found.status.conditions:
            return
        if found.spec.signer_name != signers.KUBELET_CLIENT:
            return
        request = parse_request(found)
        if request is None or not signers.is_kubelet_client(request, frozenset(found.spec.usages)):
            return
        own = signers.common_name(request) == found.spec.username
        checks = (
            [("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.")]
            if own
            else []
        )
        checks.append(("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."))
        for subresource, message in checks:
            if await self._may(found, subresource):
                await self._approve(found, message)
                return

    async def _may(self, found: CSR, subresource: str) -> bool:
        """Ask the API server whether the request's author may make such certificates."""
        review = authorization_v1.SubjectAccessReview(
            spec=authorization_v1.SubjectAccessReviewSpec(
                user=found.spec.username,
                uid=found.spec.uid,
                groups=found.spec.groups,
                extra=found.spec.extra,
                resource_attributes=authorization_v1.ResourceAttributes(
                    group="certificates.k8s.io", resource="certificatesigningrequests", verb="create",
                    subresource=subresource, version="*",
                ),
            )
        )  # fmt: skip
        answer = await self.client.create(review)
        return bool(answer.status and answer.status.allowed)

    async def _approve(self, found: CSR, message: str) -> None:
        now = self.context.now()
        condition = certificates_v1.CertificateSigningRequestCondition(
            type="Approved", status="True", reason="AutoApproved", message=message,
            last_update_time=now, last_transition_time=now,
        )  # fmt: skip
        status = msgspec.structs.replace(found.status, conditions=[*found.status.conditions, condition])
        approved = await self.client.update(msgspec.structs.replace(found, status=status), subresource="approval")
        self.requests.assume(approved)


class CSRSigningController(_RequestController):
    """Signs approved requests of the kubernetes.io signers; does nothing without a CA."""

    name = "certificatesigningrequest-signing-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        options = context.options
        self.authority = load_authority(
            options.cluster_signing_cert_file, options.cluster_signing_key_file, options.cluster_signing_duration
        )

    async def reconcile(self, key: Key) -> None:
        found = self.requests.get(key[1])
        if found is None or self.authority is None or found.status.certificate:
            return
        if found.spec.signer_name not in signers.SIGNERS or not _is(found, "Approved") or _is(found, "Failed"):
            return
        status = self._signed(found, self.authority)
        self.requests.assume(await self.client.update_status(msgspec.structs.replace(found, status=status)))

    def _signed(self, found: CSR, authority: Authority) -> certificates_v1.CertificateSigningRequestStatus:
        request, usages = parse_request(found), frozenset(found.spec.usages)
        try:
            if request is None:
                raise RefusedError("unable to parse csr")
            signers.check(found.spec.signer_name, request, usages)
        except RefusedError as error:
            now = self.context.now()
            condition = certificates_v1.CertificateSigningRequestCondition(
                type="Failed", status="True", reason="SignerValidationFailure", message=str(error),
                last_update_time=now, last_transition_time=now,
            )  # fmt: skip
            return msgspec.structs.replace(found.status, conditions=[*found.status.conditions, condition])
        made = signers.sign(authority, request, usages, found.spec.expiration_seconds, self.context.clock.now())
        text = base64.b64encode(made.public_bytes(Encoding.PEM)).decode()
        return msgspec.structs.replace(found.status, certificate=text)


class CSRCleanerController(_RequestController):
    """Deletes requests that are done with, or that nobody answered."""

    name = "certificatesigningrequest-cleaner-controller"

    async def reconcile(self, key: Key) -> float | None:
        found = self.requests.get(key[1])
        if found is None or not found.metadata.creation_timestamp:
            return None
        age = self.context.seconds_since(parse_time(found.metadata.creation_timestamp))
        left = lifetime(found).total_seconds() - age
        if left > 0:
            return left
        await ignore_not_found(self.client.delete(CSR, key[1], uid=found.metadata.uid or ""))
        return None


def lifetime(found: CSR) -> timedelta:
    """An hour once it is answered; a day while it is not."""
    answered = _is(found, "Approved") or _is(found, "Denied") or _is(found, "Failed")
    return timedelta(hours=1) if answered else timedelta(hours=24)


def _is(found: CSR, type: str) -> bool:
    return any(condition.type == type for condition in found.status.conditions)


def parse_request(found: CSR) -> x509.CertificateSigningRequest | None:
    """The request in it; None if it cannot be read or its signature is wrong."""
    try:
        request = x509.load_pem_x509_csr(base64.b64decode(found.spec.request))
    except ValueError:
        return None
    return request if request.is_signature_valid else None


def load_authority(cert_file: str, key_file: str, seconds: float) -> Authority | None:
    """The CA of these files; None if none are given. Raises ConfigError if they cannot be used."""
    if not cert_file or not key_file:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(Path(cert_file).read_bytes())
        key = load_pem_private_key(Path(key_file).read_bytes(), None)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cluster signing certificate {cert_file}, key {key_file}: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise ConfigError(f"cluster signing key {key_file}: neither RSA, ECDSA nor Ed25519")
    return Authority(certificate, key, timedelta(seconds=seconds))
