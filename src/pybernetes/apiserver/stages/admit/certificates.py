"""Certificates: who may approve and sign requests of a signer, and what no request may ask for."""

import base64

from cryptography import x509
from cryptography.x509.oid import NameOID

from pybernetes.api.field import quote
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.authorize.attributes import Attributes as Question
from pybernetes.apiserver.stages.authorize.attributes import Authorizer
from pybernetes.apiserver.user import MASTERS, UserInfo

GROUP = "certificates.k8s.io"
REQUESTS = f"certificatesigningrequests.{GROUP}"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def is_for_signer(authorizer: Authorizer, user: UserInfo, verb: str, signer: str) -> bool:
    """Whether the user has the verb on the signer, or on all signers of its domain."""
    names = (signer, f"{signer.partition('/')[0]}/*")
    questions = (Question(user, verb, GROUP, "*", "signers", name=name) for name in names)
    return any(authorizer.authorize(question).allowed for question in questions)


class CertificateApproval(Plugin):
    """Approving needs the verb `approve` on the signer, besides the right to write the approval."""

    name = "CertificateApproval"
    operations = frozenset(("UPDATE",))
    resources = frozenset((REQUESTS,))
    subresources = frozenset(("approval",))

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: Attributes) -> None:
        signer = ((attributes.old or {}).get("spec") or {}).get("signerName", "")
        if not is_for_signer(self._authorizer, attributes.ctx.user, "approve", signer):
            raise refuse(attributes, f"user not permitted to approve requests with signerName {quote(signer)}")


class CertificateSigning(Plugin):
    """Issuing, or declaring a request failed, needs the verb `sign` on the signer."""

    name = "CertificateSigning"
    operations = frozenset(("UPDATE",))
    resources = frozenset((REQUESTS,))
    subresources = frozenset(("status",))

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: Attributes) -> None:
        old = attributes.old or {}
        before, after = old.get("status") or {}, (attributes.object or {}).get("status") or {}
        if all(before.get(field) == after.get(field) for field in ("certificate", "conditions")):
            return
        signer = (old.get("spec") or {}).get("signerName", "")
        if not is_for_signer(self._authorizer, attributes.ctx.user, "sign", signer):
            raise refuse(attributes, f"user not permitted to sign requests with signerName {quote(signer)}")


class CertificateSubjectRestriction(Plugin):
    """No client certificate makes its owner a member of `system:masters`."""

    name = "CertificateSubjectRestriction"
    operations = frozenset(("CREATE",))
    resources = frozenset((REQUESTS,))

    async def validate(self, attributes: Attributes) -> None:
        spec = (attributes.object or {}).get("spec") or {}
        if spec.get("signerName") != CLIENT_SIGNER:
            return
        try:
            request = x509.load_pem_x509_csr(base64.b64decode(spec.get("request", "")))
        except ValueError as error:
            raise refuse(attributes, f"failed to parse CSR: {error}") from error
        groups = (entry.value for entry in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
        if MASTERS in groups:
            raise refuse(attributes, f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


class ClusterTrustBundleAttest(Plugin):
    """Publishing a signer's trust anchors needs the verb `attest` on the signer."""

    name = "ClusterTrustBundleAttest"
    operations = frozenset(("CREATE", "UPDATE"))
    resources = frozenset((f"clustertrustbundles.{GROUP}",))

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: Attributes) -> None:
        signer = ((attributes.object or {}).get("spec") or {}).get("signerName", "")
        if signer and not is_for_signer(self._authorizer, attributes.ctx.user, "attest", signer):
            raise refuse(attributes, f"user not permitted to attest for signerName {quote(signer)}")
