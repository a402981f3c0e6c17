"""The seam of authentication, and the authenticators that are made of others."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from pybernetes.apiserver.http.message import Request
from pybernetes.apiserver.user import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, UserInfo

REMEMBERED = 1024


class InvalidCredentialError(Exception):
    """A credential was presented and is not valid; the client gets 401, the log the text."""


class Authenticator(Protocol):
    """One kind of credential of a request."""

    def authenticate(self, request: Request) -> UserInfo | None:
        """The user; None if the request carries no such credential. Raises InvalidCredentialError."""
        ...


class TokenAuthenticator(Protocol):
    """One kind of bearer token."""

    def authenticate_token(self, token: str) -> UserInfo | None:
        """The user; None if the token is not of this kind. Raises InvalidCredentialError."""
        ...


class RemoteTokens(TokenAuthenticator, Protocol):
    """Tokens about which somebody elsewhere has to be asked; answers are given from memory."""

    async def inquire(self, token: str) -> bool:
        """Ask about a token that nobody knew; whether more is known of it now. Never raises."""
        ...


class FirstOf(Struct, frozen=True):
    """The first credential that names a user counts; an invalid one does not hide a valid one behind it."""

    authenticators: Sequence[Authenticator]
    _known: dict[int, tuple[UserInfo, UserInfo]] = field(default_factory=dict)
    """Users that authenticators give again and again, and what was made of each."""

    def authenticate(self, request: Request) -> UserInfo | None:
        refused: InvalidCredentialError | None = None
        for authenticator in self.authenticators:
            try:
                user = authenticator.authenticate(request)
            except InvalidCredentialError as error:
                refused = refused or error
                continue
            if user is not None:
                return self._as_authenticated(user)
        if refused is not None:
            raise refused
        return None

    def _as_authenticated(self, user: UserInfo) -> UserInfo:
        if AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
            return user
        known = self._known.get(id(user))
        if known is None or known[0] is not user:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            made = UserInfo(user.name, user.uid, (*user.groups, AUTHENTICATED), user.extra)
            known = self._known[id(user)] = user, made
        return known[1]


class OrAnonymous(Struct, frozen=True):
    """Requests without a credential are anonymous's; those with an invalid one stay refused."""

    authenticator: Authenticator
    paths: frozenset[str] = frozenset()
    """The only ones of which this holds; of all if there are none."""

    def authenticate(self, request: Request) -> UserInfo | None:
        user = self.authenticator.authenticate(request)
        return user or (ANONYMOUS if not self.paths or request.path in self.paths else None)
