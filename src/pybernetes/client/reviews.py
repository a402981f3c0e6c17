"""Who asks a component, and whether they may: decided by the API server (TokenReview, SubjectAccessReview)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.aio.tls import organizations
from pybernetes.api.types import authentication_v1, authorization_v1
from pybernetes.client.rest import Client

MASTERS = "system:masters"
REMEMBERED = 4096

Attributes: TypeAlias = authorization_v1.ResourceAttributes | authorization_v1.NonResourceAttributes


class User(Struct, frozen=True):
    """A name and its groups."""

    name: str
    groups: tuple[str, ...] = ()


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


class Reviews(Struct):
    """Asks the API server. Whether somebody may is remembered for `seconds`."""

    client: Client
    clock: Clock
    seconds: float
    _remembered: dict[tuple[User, str], tuple[bool, float]] = field(default_factory=dict)

    async def user_of_token(self, token: str) -> User | None:
        """None for a token that is nobody's. Raises StatusError."""
        review = authentication_v1.TokenReview(spec=authentication_v1.TokenReviewSpec(token=token))
        status = (await self.client.create(review)).status
        if not status.authenticated or status.user is None:
            return None
        return User(status.user.username or "", tuple(status.user.groups))

    async def may(self, user: User, attributes: Attributes) -> bool:
        """Raises StatusError."""
        key, now = (user, repr(attributes)), self.clock.monotonic()
        known = self._remembered.get(key)
        if known is not None and now - known[1] < self.seconds:
            return known[0]
        spec = authorization_v1.SubjectAccessReviewSpec(
            user=user.name,
            groups=list(user.groups),
            resource_attributes=attributes if isinstance(attributes, authorization_v1.ResourceAttributes) else None,
            non_resource_attributes=None if isinstance(attributes, authorization_v1.ResourceAttributes) else attributes,
        )
        answer = await self.client.create(authorization_v1.SubjectAccessReview(spec=spec))
        allowed = bool(answer.status and answer.status.allowed)
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (allowed, now)
        return allowed


def user_of_certificate(certificate: Mapping[str, Any]) -> User:
    """Common name and organizations of a verified client certificate."""
    pairs = [pair for group in certificate.get("subject", ()) for pair in group]
    names = [value for name, value in pairs if name == "commonName"]
    return User(names[0] if names else "", organizations(certificate))
