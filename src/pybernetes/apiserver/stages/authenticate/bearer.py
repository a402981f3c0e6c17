"""Bearer tokens: read off the request, then asked of each kind of token in turn."""

import base64
from collections.abc import Sequence

from msgspec import Struct

from pybernetes.apiserver.http.message import Request
from pybernetes.apiserver.stages.authenticate.authenticator import (
    InvalidCredentialError,
    RemoteTokens,
    TokenAuthenticator,
)
from pybernetes.apiserver.user import UserInfo

WEBSOCKET_PROTOCOL = "base64url.bearer.authorization.k8s.io."
"""Browsers cannot set headers on a WebSocket, so the token travels as a subprotocol of this prefix."""


class Bearer(Struct, frozen=True):
    """A token that no authenticator knows is invalid, never anonymous."""

    authenticators: Sequence[TokenAuthenticator]
    remote: Sequence[RemoteTokens] = ()
    """Those of them that may have to ask."""

    def authenticate(self, request: Request) -> UserInfo | None:
        token = token_of(request)
        return self.authenticate_token(token) if token else None

    def authenticate_token(self, token: str) -> UserInfo:
        """Whose token this is. Raises InvalidCredentialError."""
        refused: InvalidCredentialError | None = None
        for authenticator in self.authenticators:
            try:
                user = authenticator.authenticate_token(token)
            except InvalidCredentialError as error:
                refused = refused or error
                continue
            if user is not None:
                return user
        raise refused or InvalidCredentialError("invalid bearer token")

    async def inquire(self, token: str) -> bool:
        """Ask about a token that was refused, until it is valid; whether more is known of it now."""
        known = False
        for one in self.remote:
            if await one.inquire(token):
                known = True
                try:
                    self.authenticate_token(token)
                except InvalidCredentialError:
                    continue
                break
        return known

    async def inquire_of(self, request: Request) -> bool:
        """Likewise of a request's token."""
        try:
            token = token_of(request)
        except InvalidCredentialError:
            return False
        return bool(token) and await self.inquire(token)


def token_of(request: Request) -> str:
    """The bearer token of the Authorization header, or of a WebSocket's subprotocols; empty without one."""
    said = request.headers.get("authorization", "")
    if said.startswith("Bearer ") and (token := said[7:]) and " " not in token:
        return token
    scheme, _, rest = said.strip().partition(" ")
    token = rest.partition(" ")[0]  # empty after two spaces, which upstream takes for no token
    if scheme.lower() == "bearer" and token:
        return token
    if request.headers.get("upgrade", "").lower() != "websocket":
        return ""
    return _websocket_token(request.headers.get("sec-websocket-protocol", ""))


def has_second_space(request: Request) -> bool:
    """Whether there would be a token but for a second space before it."""
    said = request.headers.get("authorization")
    if said is None:
        return False
    scheme, _, rest = said.strip().partition(" ")
    return rest.startswith(" ") and scheme.lower() == "bearer"


def _websocket_token(protocols: str) -> str:
    for protocol in protocols.split(","):
        encoded = protocol.strip()
        if encoded.startswith(WEBSOCKET_PROTOCOL):
            encoded = encoded.removeprefix(WEBSOCKET_PROTOCOL)
            try:
                return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("utf-8")
            except ValueError as error:
                raise InvalidCredentialError("malformed bearer token in Sec-WebSocket-Protocol") from error
    return ""
