"""Checking presented tokens: signature, issuer, audience and time, then that all they are bound to still lives."""

import base64
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.stages.authenticate.tokens import jws
from pybernetes.apiserver.stages.authenticate.tokens.claims import LEGACY_ISSUER, Claims, Legacy, Ref
from pybernetes.apiserver.stages.authenticate.tokens.keys import Verifier
from pybernetes.apiserver.stages.authenticate.user import (
    CREDENTIAL_ID,
    NODE_NAME,
    NODE_UID,
    POD_NAME,
    POD_UID,
    service_account_groups,
    service_account_name,
)
from pybernetes.apiserver.stages.objects import Objects
from pybernetes.apiserver.user import UserInfo

LEEWAY = 10
"""Seconds by which clocks may differ at `nbf` and `exp`."""
DELETION_LEEWAY = 60
"""Seconds for which a token outlives the deletion of its object, for what a pod does while it ends."""
REMEMBERED = 4096


class TokenError(Exception):
    """The token is one of ours, or claims to be, and is not valid; the text goes into a TokenReview."""


class Validator(Struct, frozen=True):
    """Validates tokens of this cluster's issuers. Signatures once checked are remembered; objects never are."""

    issuers: Sequence[str]
    verifiers: Sequence[Verifier]
    objects: Objects
    clock: Clock
    _checked: OrderedDict[str, Claims | Legacy] = field(default_factory=OrderedDict)

    def validate(self, token: str, audiences: Iterable[str]) -> tuple[UserInfo, list[str]] | None:
        """The account and the audiences that token and caller share; None if the token is of another issuer.

        Raises TokenError for a token of ours that is not (or no longer) valid.
        """
        claims = self._claims(token)
        if claims is None:
            return None
        if isinstance(claims, Legacy):
            return self._legacy_user(claims, token), list(audiences)
        shared = [audience for audience in claims.aud if audience in set(audiences)]
        if not shared:
            given, wanted = (f"[{' '.join(map(quote, each))}]" for each in (claims.aud, audiences))
            raise TokenError(f"token audiences {given} is invalid for the target audiences {wanted}")
        self._check_time(claims)
        return self._user(claims), shared

    def _claims(self, token: str) -> Claims | Legacy | None:
        if (known := self._checked.get(token)) is not None:
            self._checked.move_to_end(token)
            return known
        issuer = jws.unverified_issuer(token)
        if issuer != LEGACY_ISSUER and issuer not in self.issuers:
            return None
        payload = jws.verify(self.verifiers, token)
        if payload is None:
            raise TokenError("invalid bearer token")
        claims: Claims | Legacy
        try:
            if issuer == LEGACY_ISSUER:
                claims = msgspec.json.decode(payload, type=Legacy)
            else:
                claims = msgspec.json.decode(payload, type=Claims)
        except msgspec.ValidationError as error:
            raise TokenError("token could not be validated due to unexpected claims") from error
        self._checked[token] = claims
        if len(self._checked) > REMEMBERED:
            self._checked.popitem(last=False)
        return claims

    def _check_time(self, claims: Claims) -> None:
        now = self.clock.now().timestamp()
        if now + LEEWAY < claims.nbf:
            raise TokenError("service account token is not valid yet")
        if now - LEEWAY > claims.exp:
            raise TokenError("service account token has expired")

    def _user(self, claims: Claims) -> UserInfo:
        bound = claims.kubernetes
        account = bound.serviceaccount
        if claims.sub != service_account_name(bound.namespace, account.name):
            raise TokenError("token could not be validated due to unexpected claims")
        self._require("serviceaccounts", bound.namespace, account, "service account")
        extra: dict[str, tuple[str, ...]] = {}
        if claims.jti:
            extra[CREDENTIAL_ID] = (f"JTI={claims.jti}",)
        if bound.secret is not None:
            self._require("secrets", bound.namespace, bound.secret, "service account token")
        if bound.pod is not None:
            self._require("pods", bound.namespace, bound.pod, "service account token")
            extra |= {POD_NAME: (bound.pod.name,), POD_UID: (bound.pod.uid,)}
        if bound.node is not None:
            if bound.pod is None:
                self._require("nodes", "", bound.node, "service account token")
            extra |= {NODE_NAME: (bound.node.name,)}
            if bound.node.uid:
                extra |= {NODE_UID: (bound.node.uid,)}
        name = service_account_name(bound.namespace, account.name)
        return UserInfo(name, account.uid, service_account_groups(bound.namespace), extra)

    def _require(self, plural: str, namespace: str, ref: Ref, what: str) -> None:
        """The very object must be there, and must not have been deleted more than the leeway ago."""
        found = self.objects.get("", plural, namespace, ref.name)
        if found is None or found["metadata"].get("uid") != ref.uid or self._is_over(found):
            raise TokenError(f"{what} has been invalidated")

    def _is_over(self, obj: Tree) -> bool:
        deleted = obj["metadata"].get("deletionTimestamp")
        if not deleted:
            return False
        return self.clock.now().timestamp() > _seconds(deleted) + DELETION_LEEWAY

    def _legacy_user(self, claims: Legacy, token: str) -> UserInfo:
        self._require("serviceaccounts", claims.namespace, Ref(claims.name, claims.uid), "service account")
        secret = self.objects.get("", "secrets", claims.namespace, claims.secret)
        if secret is None or secret["metadata"].get("deletionTimestamp") or _stored_token(secret) != token:
            raise TokenError("service account token has been invalidated")
        name = service_account_name(claims.namespace, claims.name)
        return UserInfo(name, claims.uid, service_account_groups(claims.namespace))


def _stored_token(secret: Tree) -> str:
    return base64.b64decode(secret.get("data", {}).get("token", "")).decode("ascii", "replace")


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
