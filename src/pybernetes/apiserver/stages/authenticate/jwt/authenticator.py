"""From a token to a user: signature, audience and time, then rules and mappings of claims."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.apiserver.reload import NotYetError
from pybernetes.apiserver.stages.authenticate.authenticator import InvalidCredentialError
from pybernetes.apiserver.stages.authenticate.jwt.keys import KeySet
from pybernetes.apiserver.stages.authenticate.jwt.kinds import JWT, Mapping
from pybernetes.apiserver.stages.authenticate.jwt.mapping import compile_claims, compile_user
from pybernetes.apiserver.stages.authenticate.tokens.jws import unverified_issuer
from pybernetes.apiserver.stages.authenticate.tokens.keys import decode_segment
from pybernetes.apiserver.user import UserInfo

LEEWAY_SECONDS: Final = 10.0


class _Header(msgspec.Struct):
    alg: str
    kid: str = ""


class JWTTokens:
    """`RemoteTokens` of all issuers."""

    def __init__(self, configured: Sequence[JWT], clock: Clock) -> None:
        """Raises ssl.SSLError for an authority that is none."""
        self._clock = clock
        self._issuers = self._made(configured)

    def _made(self, configured: Sequence[JWT]) -> dict[str, tuple[JWT, KeySet]]:
        return {jwt.issuer.url: (jwt, KeySet(jwt.issuer, self._clock)) for jwt in configured}

    async def use(self, configured: Sequence[JWT]) -> None:
        """Other issuers from now on, once the keys of each could be read. Raises NotYetError."""
        made = self._made(configured)
        for _, keys in made.values():
            if error := await keys.read():
                raise NotYetError(error)
        self._issuers = made

    async def inquire(self, token: str) -> bool:
        """Have the key by which a token may be signed."""
        found = self._issuers.get(unverified_issuer(token))
        if found is None:
            return False
        try:
            return await found[1].ensure(_header(token).kid)
        except ValueError:
            return False

    def authenticate_token(self, token: str) -> UserInfo | None:
        found = self._issuers.get(unverified_issuer(token))
        if found is None:
            return None
        jwt, keys = found
        claims = self._verified(token, jwt, keys)
        try:
            return _user(jwt, claims)
        except EvaluationError as error:
            raise InvalidCredentialError(f"oidc: error evaluating claims: {error}") from error

    def _verified(self, token: str, jwt: JWT, keys: KeySet) -> dict[str, Any]:
        signed, _, signature = token.rpartition(".")
        try:
            header = _header(token)
            proof, payload = decode_segment(signature), decode_segment(signed.partition(".")[2])
            claims = msgspec.json.decode(payload, type=dict[str, Any])
        except ValueError as error:
            raise InvalidCredentialError(f"oidc: malformed jwt: {error}") from error
        data = signed.encode()
        if not any(key.verifies(header.alg, data, proof) for key in keys.candidates(header.kid)):
            raise InvalidCredentialError("oidc: failed to verify signature: no valid signature")
        self._check(jwt, claims)
        return claims

    def _check(self, jwt: JWT, claims: Table[str, Any]) -> None:
        given = claims.get("aud", [])
        audiences = [given] if isinstance(given, str) else given
        if not isinstance(audiences, list) or not set(map(str, audiences)) & set(jwt.issuer.audiences):
            raise InvalidCredentialError(f"oidc: expected audience in {jwt.issuer.audiences} got {audiences}")
        now = self._clock.now().timestamp()
        expires, begins = claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(expires, int | float) or expires < now:
            raise InvalidCredentialError("oidc: token is expired")
        if not isinstance(begins, int | float) or begins > now + LEEWAY_SECONDS:
            raise InvalidCredentialError("oidc: current time before the nbf (not before) time")
        for rule in jwt.claim_validation_rules:
            if rule.claim and claims.get(rule.claim) != rule.required_value:
                raise InvalidCredentialError(f"oidc: required claim {rule.claim} value does not match")
            if rule.expression and _evaluated(rule.expression, claims) is not True:
                raise InvalidCredentialError(
                    f"oidc: {rule.message or f'validation expression {rule.expression!r} failed'}"
                )


def _header(token: str) -> _Header:
    """Raises ValueError."""
    return msgspec.json.decode(decode_segment(token.partition(".")[0]), type=_Header)


def _evaluated(expression: str, claims: Table[str, Any]) -> object:
    try:
        return compile_claims(expression).evaluate({"claims": claims})
    except EvaluationError as error:
        raise InvalidCredentialError(f"oidc: error evaluating expression {expression!r}: {error}") from error


def _user(jwt: JWT, claims: Table[str, Any]) -> UserInfo:
    mappings = jwt.claim_mappings
    if mappings.username.claim == "email" and claims.get("email_verified", True) is not True:
        raise InvalidCredentialError("oidc: email not verified")
    name = _mapped(mappings.username, claims)
    if not isinstance(name, str) or not name:
        raise InvalidCredentialError("oidc: username claim must be a string that is not empty")
    groups = tuple(_strings(_mapped(mappings.groups, claims), "groups"))
    uid = _mapped(mappings.uid, claims)
    extra = {
        one.key: values
        for one in mappings.extra
        if (values := [text for text in _strings(_evaluated(one.value_expression, claims), one.key) if text])
    }
    user = UserInfo(name, uid if isinstance(uid, str) else "", groups, extra)
    seen = {"username": user.name, "uid": user.uid, "groups": list(groups), "extra": extra}
    for rule in jwt.user_validation_rules:
        if compile_user(rule.expression).evaluate({"user": seen}) is not True:
            raise InvalidCredentialError(f"oidc: {rule.message or f'validation expression {rule.expression!r} failed'}")
    return user


def _mapped(mapping: Mapping, claims: Table[str, Any]) -> object:
    if mapping.expression:
        return _evaluated(mapping.expression, claims)
    value = claims.get(mapping.claim) if mapping.claim else None
    prefix = mapping.prefix or ""
    if isinstance(value, list):
        return [f"{prefix}{one}" for one in value if isinstance(one, str)]
    return f"{prefix}{value}" if isinstance(value, str) and value else value


def _strings(value: object, what: str) -> list[str]:
    if value is None:
        return []
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidCredentialError(f"oidc: {what} must be a string or a list of strings")
    return [one for one in found if isinstance(one, str)]
