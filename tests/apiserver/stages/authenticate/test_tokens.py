"""Tokens of service accounts: issued, bound, extended, at their end."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.apiserver.stages.object_table import ObjectTable

from pybernetes.aio.clock import FakeClock
from pybernetes.apiserver.stages.authenticate.tokens.claims import Ref
from pybernetes.apiserver.stages.authenticate.tokens.issuer import WARN_ONLY_BOUND, Binding, Issuer, key_set
from pybernetes.apiserver.stages.authenticate.tokens.keys import FileSigner, load_signer, load_verifiers
from pybernetes.apiserver.stages.authenticate.tokens.validator import TokenError, Validator

URL = "https://kubernetes.default.svc.cluster.local"
POD = Binding("ns", Ref("robot", "u1"), pod=Ref("p", "u2"), node=Ref("n", "u3"))


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def es256() -> FileSigner:
    return load_signer(pem(ec.generate_private_key(ec.SECP256R1())))


class Cluster:
    def __init__(self, signer: FileSigner | None = None) -> None:
        self.clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.objects = ObjectTable()
        self.signer = signer or es256()
        self.issuer = Issuer(URL, (URL,), self.signer, self.clock)
        self.validator = Validator([URL], [self.signer.verifier], self.objects, self.clock)
        self.put("serviceaccounts", "robot", "u1")
        self.put("pods", "p", "u2")

    def put(self, plural: str, name: str, uid: str, **metadata: str) -> None:
        self.objects.put("", plural, {"metadata": {"name": name, "namespace": "ns", "uid": uid, **metadata}})

    def refusal(self, token: str, audiences: list[str]) -> str:
        with pytest.raises(TokenError) as caught:
            self.validator.validate(token, audiences)
        return str(caught.value)


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)])
def test_a_token_names_its_account_and_what_it_is_bound_to(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    cluster = Cluster(load_signer(pem(key)))
    token, expires = cluster.issuer.issue(POD, [URL, "other"], 600)
    user, audiences = cluster.validator.validate(token, [URL]) or (None, [])
    assert expires == int(cluster.clock.now().timestamp()) + 600
    assert audiences == [URL]
    assert user is not None
    assert user.name == "system:serviceaccount:ns:robot"
    assert user.uid == "u1"
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated")
    assert user.extra["authentication.kubernetes.io/pod-name"] == ("p",)
    assert user.extra["authentication.kubernetes.io/node-uid"] == ("u3",)


def test_tokens_end_with_their_time_audience_and_objects() -> None:
    cluster = Cluster()
    token, _ = cluster.issuer.issue(POD, [URL], 600)
    assert "audiences" in cluster.refusal(token, ["else"])
    cluster.put("pods", "p", "another uid")
    assert cluster.refusal(token, [URL]) == "service account token has been invalidated"
    cluster.put("pods", "p", "u2", deletionTimestamp="2026-01-01T00:00:00Z")
    assert cluster.validator.validate(token, [URL]) is not None


async def test_a_token_outlives_the_deletion_of_its_pod_by_a_minute_only() -> None:
    cluster = Cluster()
    token, _ = cluster.issuer.issue(POD, [URL], 600)
    cluster.put("pods", "p", "u2", deletionTimestamp="2026-01-01T00:00:00Z")
    await cluster.clock.advance(61)
    assert cluster.refusal(token, [URL]) == "service account token has been invalidated"


async def test_expired_and_extended_tokens() -> None:
    cluster = Cluster()
    short, _ = cluster.issuer.issue(POD, [URL], 600)
    extended, expires = cluster.issuer.issue(POD, [URL], WARN_ONLY_BOUND)
    await cluster.clock.advance(WARN_ONLY_BOUND + 60)
    assert cluster.refusal(short, [URL]) == "service account token has expired"
    assert cluster.validator.validate(extended, [URL]) is not None
    assert expires < cluster.clock.now().timestamp()


def test_foreign_and_forged_tokens() -> None:
    cluster = Cluster()
    assert cluster.validator.validate("nonsense", [URL]) is None
    assert cluster.validator.validate("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln", [URL]) is None
    forged, _ = Issuer(URL, (URL,), es256(), cluster.clock).issue(POD, [URL], 600)
    assert cluster.refusal(forged, [URL]) == "invalid bearer token"
    _, payload, signature = cluster.issuer.issue(POD, [URL], 600)[0].split(".")
    assert cluster.refusal(f"eyJhbGciOiJub25lIn0.{payload}.{signature}", [URL]) == "invalid bearer token"


def test_key_files_hold_private_and_public_keys() -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    verifiers = load_verifiers(public + pem(key))
    assert len({verifier.key_id for verifier in verifiers}) == 1
    (entry, _) = key_set(verifiers)["keys"]  # type: ignore[misc]
    assert entry.keys() == {"use", "kty", "kid", "alg", "n", "e"}
    with pytest.raises(ValueError, match="no key"):
        load_verifiers(b"")
