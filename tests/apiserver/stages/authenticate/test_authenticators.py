"""Tokens from files, client certificates, headers of a front proxy, and what comes of a wrong credential."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.apiserver.stages.object_table import ObjectTable

from pybernetes.aio.clock import FakeClock
from pybernetes.apiserver.http.message import Request
from pybernetes.apiserver.stages.authenticate.authenticator import FirstOf, InvalidCredentialError, OrAnonymous
from pybernetes.apiserver.stages.authenticate.bearer import Bearer
from pybernetes.apiserver.stages.authenticate.bootstrap_token import BootstrapTokens
from pybernetes.apiserver.stages.authenticate.front_proxy import FrontProxy
from pybernetes.apiserver.stages.authenticate.static import TokenFileError, parse_tokens
from pybernetes.apiserver.stages.authenticate.x509 import CertificateCheck, ClientCertificates, certificate_lifetimes
from pybernetes.apiserver.user import ANONYMOUS, UserInfo

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class NoBody:
    async def read(self) -> bytes:
        return b""


def request(*headers: tuple[str, str], certificate: x509.Certificate | None = None) -> Request:
    made = Request("GET", "/api", "", list(headers), NoBody())
    if certificate is not None:
        made.peer_certificate = certificate.public_bytes(serialization.Encoding.DER)
    return made


class Authority:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.key, [(NameOID.COMMON_NAME, "ca")], True)

    def renewed(self, begin: datetime) -> x509.Certificate:
        """The authority's certificate, of the same key and another time."""
        return self._sign(self.key, [(NameOID.COMMON_NAME, "ca")], True, begin)

    def issue(self, name: str, *groups: str) -> x509.Certificate:
        subject = [(NameOID.COMMON_NAME, name), *((NameOID.ORGANIZATION_NAME, group) for group in groups)]
        return self._sign(ec.generate_private_key(ec.SECP256R1()), subject, False)

    def _sign(
        self,
        key: ec.EllipticCurvePrivateKey,
        subject: list[tuple[x509.ObjectIdentifier, str]],
        ca: bool,
        begin: datetime = NOW - timedelta(days=1),
    ) -> x509.Certificate:
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
        return (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in subject]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )


def test_static_tokens_and_what_follows_a_wrong_one() -> None:
    tokens = parse_tokens(['t1,alice,alice-uid,"devs,readers"', "t2,bob,bob-uid"], "f")
    chain = OrAnonymous(FirstOf([Bearer([tokens])]))
    assert chain.authenticate(request(("authorization", "Bearer t1"))) == UserInfo(
        "alice", "alice-uid", ("devs", "readers", "system:authenticated")
    )
    assert chain.authenticate(request(("authorization", "bearer t2"))).groups == ("system:authenticated",)
    for harmless in ("Basic YTpi", "Bearer", "Bearer  "):
        assert chain.authenticate(request(("authorization", harmless))) == ANONYMOUS
    with pytest.raises(InvalidCredentialError):
        chain.authenticate(request(("authorization", "Bearer wrong")))


def test_a_token_file_with_too_few_columns_is_refused() -> None:
    with pytest.raises(TokenFileError, match="at least 3 columns"):
        parse_tokens(["t1,alice"], "f")


def test_a_websocket_may_carry_its_token_as_a_protocol() -> None:
    tokens = parse_tokens(["t1,alice,u"], "f")
    protocol = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(b"t1").decode().rstrip("=")
    headers = [("upgrade", "websocket"), ("sec-websocket-protocol", f"v4.channel.k8s.io, {protocol}")]
    assert Bearer([tokens]).authenticate(request(*headers)) == UserInfo("alice", "u")


async def test_an_authority_that_was_renewed_with_its_key() -> None:
    authority, clock = Authority(), FakeClock(NOW)
    alice = authority.issue("alice")
    past, today = authority.renewed(NOW - timedelta(days=9)), authority.certificate
    for authorities in ([past, today], [today, past]):
        check = ClientCertificates(CertificateCheck(authorities, clock))
        user = check.authenticate(request(certificate=alice))
        assert user is not None
        assert user.name == "alice"
    with pytest.raises(InvalidCredentialError, match="expired"):
        ClientCertificates(CertificateCheck([past], clock)).authenticate(request(certificate=alice))


async def test_client_certificates_name_users_while_they_are_valid() -> None:
    authority, other, clock = Authority(), Authority(), FakeClock(NOW)
    certificates = ClientCertificates(CertificateCheck([authority.certificate], clock))
    alice = authority.issue("alice", "devs", "ops")
    user = certificates.authenticate(request(certificate=alice))
    assert user is not None
    assert (user.name, user.groups) == ("alice", ("devs", "ops"))
    assert certificates.authenticate(request()) is None
    with pytest.raises(InvalidCredentialError, match="signed by unknown authority"):
        certificates.authenticate(request(certificate=other.issue("mallory", "system:masters")))
    await clock.advance(2 * 86400)
    with pytest.raises(InvalidCredentialError, match="expired"):
        certificates.authenticate(request(certificate=alice))


def test_how_long_certificates_will_hold_is_counted() -> None:
    authority, lifetimes = Authority(), certificate_lifetimes()
    check = CertificateCheck([authority.certificate], FakeClock(NOW), lifetimes)
    assert ClientCertificates(check).authenticate(request(certificate=authority.issue("alice"))) is not None
    told = "apiserver_client_certificate_expiration_seconds_bucket"
    assert {f'{told}{{le="43200"}} 0', f'{told}{{le="86400"}} 1'} <= set(lifetimes.lines())


def test_headers_of_a_front_proxy_count_only_with_its_certificate() -> None:
    authority, clock = Authority(), FakeClock(NOW)
    check = CertificateCheck([authority.certificate], clock)
    proxy = FrontProxy(check, ["aggregator"], ["x-remote-user"], ["x-remote-group"], ["x-remote-extra-"])
    headers = [("x-remote-user", "bob"), ("x-remote-group", "g"), ("x-remote-extra-acme.com%2fscope", "s")]
    trusted = authority.issue("aggregator")
    expected = UserInfo("bob", groups=("g",), extra={"acme.com/scope": ["s"]})
    assert proxy.authenticate(request(*headers, certificate=trusted)) == expected
    assert proxy.authenticate(request(*headers, certificate=authority.issue("someone"))) is None
    assert proxy.authenticate(request(*headers)) is None


def bootstrap_secret(**changes: str) -> dict[str, object]:
    data = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
    data |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {
        "metadata": {"name": "bootstrap-token-abcdef", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


@pytest.mark.parametrize(
    ("secret", "groups"),
    [
        (bootstrap_secret(), ("system:bootstrappers",)),
        (
            bootstrap_secret(auth_extra_groups="system:bootstrappers:kubeadm"),
            ("system:bootstrappers", "system:bootstrappers:kubeadm"),
        ),
        (bootstrap_secret(auth_extra_groups="system:masters"), None),
        (bootstrap_secret(expiration="2025-12-31T00:00:00Z"), None),
        (bootstrap_secret(token_secret="another"), None),
        (bootstrap_secret(usage_bootstrap_authentication="false"), None),
    ],
)
def test_bootstrap_tokens(secret: dict[str, object], groups: tuple[str, ...] | None) -> None:
    objects = ObjectTable()
    objects.put("", "secrets", secret)
    user = BootstrapTokens(objects, FakeClock(NOW)).authenticate_token("abcdef.0123456789abcdef")
    assert (user.groups if user else None) == groups
