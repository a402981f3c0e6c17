"""Making tokens: what `serviceaccounts/<name>/token` answers, and the documents by which others can check them."""

import uuid
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.apiserver.stages.authenticate.tokens import jws
from pybernetes.apiserver.stages.authenticate.tokens.claims import Claims, Kubernetes, Ref
from pybernetes.apiserver.stages.authenticate.tokens.keys import Signer, Verifier
from pybernetes.apiserver.stages.authenticate.user import service_account_name

HOUR = 3600
WARN_ONLY_BOUND = HOUR + 7
"""The expiry that the ServiceAccount plugin asks for; a token of exactly this life is let live on for a year."""
EXTENDED = 365 * 24 * HOUR


class Binding(Struct, frozen=True):
    """What a token is for: the account, and the objects whose end is the token's end."""

    namespace: str
    account: Ref
    pod: Ref | None = None
    secret: Ref | None = None
    node: Ref | None = None


class Issuer(Struct, frozen=True):
    """Signs tokens as `url`; `extend` gives clients that never reload their token file a year (upstream's default)."""

    url: str
    api_audiences: tuple[str, ...]
    signer: Signer
    clock: Clock
    extend: bool = True
    new_id: Callable[[], uuid.UUID] = uuid.uuid4

    def issue(self, binding: Binding, audiences: Sequence[str], seconds: int) -> tuple[str, int]:
        """The signed token, and the second at which its owner has to have fetched another."""
        now = int(self.clock.now().timestamp())
        expires = now + seconds
        extended = self._extends(binding, audiences, seconds)
        claims = Claims(
            iss=self.url,
            sub=service_account_name(binding.namespace, binding.account.name),
            aud=list(audiences),
            exp=now + EXTENDED if extended else expires,
            iat=now,
            nbf=now,
            jti=str(self.new_id()),
            kubernetes=Kubernetes(
                namespace=binding.namespace,
                serviceaccount=binding.account,
                node=binding.node,
                pod=binding.pod,
                secret=binding.secret,
                warnafter=expires if extended else None,
            ),
        )
        return jws.sign(self.signer, msgspec.json.encode(claims)), expires

    def _extends(self, binding: Binding, audiences: Sequence[str], seconds: int) -> bool:
        for_the_api = set(audiences) <= set(self.api_audiences)
        return self.extend and binding.pod is not None and seconds == WARN_ONLY_BOUND and for_the_api


def openid_configuration(issuer: str, jwks_uri: str, verifiers: Sequence[Verifier]) -> dict[str, object]:
    """The document at `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0)."""
    return {
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": sorted({verifier.algorithm for verifier in verifiers}),
    }


def key_set(verifiers: Sequence[Verifier]) -> dict[str, object]:
    """The document at `/openid/v1/jwks` (RFC 7517)."""
    return {"keys": [verifier.to_jwk() for verifier in verifiers]}
