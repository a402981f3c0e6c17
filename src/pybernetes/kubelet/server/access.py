"""Who asks, and whether they may: client certificates and tokens, decided by the API server.

Rules: kubelet authentication and authorization (webhook mode) of upstream's documentation.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.aio.tls import organizations
from pybernetes.api.types import authentication_v1, authorization_v1
from pybernetes.client.rest import Client

MASTERS = "system:masters"
REMEMBER_SECONDS = 60.0
_SUBRESOURCES = {"containerLogs": "log", "logs": "log", "stats": "stats", "metrics": "metrics", "healthz": "healthz", "pods": "pods", "runningpods": "pods", "configz": "configz"}  # fmt: skip
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class User(Struct, frozen=True):
    """A name and its groups."""

    name: str
    groups: tuple[str, ...] = ()


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


class Refused(Exception):
    """401 or 403 with the words for the body."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Access(Struct):
    """Decides over requests. Members of system:masters may all; everything else is asked and remembered."""

    client: Client
    clock: Clock
    node_name: str
    anonymous: bool = False
    _remembered: dict[tuple[User, str, str], tuple[bool, float]] = field(default_factory=dict)

    async def check(self, certificate: Mapping[str, Any] | None, authorization: str, method: str, path: str) -> None:
        """Raises Refused, or StatusError if the API server cannot be asked."""
        user = await self._user(certificate, authorization)
        if MASTERS in user.groups:
            return
        verb = _VERBS.get(method, "get")
        subresource = _SUBRESOURCES.get(path.lstrip("/").split("/")[0].split("?")[0], "proxy")
        if not await self._may(user, verb, subresource):
            words = f"(user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{subresource}])"
            raise Refused(403, f"Forbidden {words}")

    async def _user(self, certificate: Mapping[str, Any] | None, authorization: str) -> User:
        if certificate:
            return user_of(certificate)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token:
            return await self._user_of_token(token)
        if self.anonymous:
            return ANONYMOUS
        raise Refused(401, "Unauthorized")

    async def _user_of_token(self, token: str) -> User:
        review = authentication_v1.TokenReview(spec=authentication_v1.TokenReviewSpec(token=token))
        status = (await self.client.create(review)).status
        if not status.authenticated or status.user is None:
            raise Refused(401, "Unauthorized")
        return User(status.user.username or "", tuple(status.user.groups))

    async def _may(self, user: User, verb: str, subresource: str) -> bool:
        key, now = (user, verb, subresource), self.clock.monotonic()
        known = self._remembered.get(key)
        if known is not None and now - known[1] < REMEMBER_SECONDS:
            return known[0]
        attributes = authorization_v1.ResourceAttributes(
            verb=verb, version="v1", resource="nodes", subresource=subresource, name=self.node_name
        )
        spec = authorization_v1.SubjectAccessReviewSpec(
            user=user.name, groups=list(user.groups), resource_attributes=attributes
        )
        answer = await self.client.create(authorization_v1.SubjectAccessReview(spec=spec))
        allowed = bool(answer.status and answer.status.allowed)
        self._remembered[key] = (allowed, now)
        return allowed


def user_of(certificate: Mapping[str, Any]) -> User:
    """Common name and organizations of a verified client certificate."""
    pairs = [pair for group in certificate.get("subject", ()) for pair in group]
    names = [value for name, value in pairs if name == "commonName"]
    return User(names[0] if names else "", organizations(certificate))
