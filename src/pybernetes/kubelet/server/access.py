"""Who asks, and whether they may: client certificates and tokens, decided by the API server.

Rules: kubelet authentication and authorization (webhook mode) of upstream's documentation.
"""

from collections.abc import Mapping
from typing import Any

from pybernetes.aio.clock import Clock
from pybernetes.api.types import authorization_v1
from pybernetes.client.rest import Client
from pybernetes.client.reviews import ANONYMOUS, MASTERS, Reviews, User, user_of_certificate

REMEMBER_SECONDS = 60.0
_OWN = {"logs": "log", "stats": "stats", "metrics": "metrics", "checkpoint": "checkpoint", "statusz": "statusz", "flagz": "configz"}  # fmt: skip
"""First part of a path -> the subresource of nodes that opens it, and nothing else does."""
_FINE = {"pods": "pods", "runningpods": "pods", "healthz": "healthz", "configz": "configz"}
"""The same, but whoever may do everything (`proxy`) may this, too (KEP-2862)."""
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def subresources_of(path: str) -> list[str]:
    """Each of which opens a path of the kubelet's API."""
    first = path.lstrip("/").split("/")[0].split("?")[0]
    if first in _FINE:
        return [_FINE[first], "proxy"]
    return [_OWN.get(first, "proxy")]


class Refused(Exception):
    """401 or 403 with the words for the body."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Access:
    """Decides over requests. Members of system:masters may all; everything else is asked and remembered."""

    def __init__(self, client: Client, clock: Clock, node_name: str, *, anonymous: bool = False) -> None:
        self._reviews = Reviews(client, clock, REMEMBER_SECONDS)
        self._node_name = node_name
        self._anonymous = anonymous

    async def check(self, certificate: Mapping[str, Any] | None, authorization: str, method: str, path: str) -> None:
        """Raises Refused, or StatusError if the API server cannot be asked."""
        user = await self._user(certificate, authorization)
        if MASTERS in user.groups:
            return
        verb = _VERBS.get(method, "get")
        asked = subresources_of(path)
        for subresource in asked:
            attributes = authorization_v1.ResourceAttributes(
                verb=verb, version="v1", resource="nodes", subresource=subresource, name=self._node_name
            )
            if await self._reviews.may(user, attributes):
                return
        words = f"(user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(asked)}])"
        raise Refused(403, f"Forbidden {words}")

    async def _user(self, certificate: Mapping[str, Any] | None, authorization: str) -> User:
        if certificate:
            return user_of_certificate(certificate)
        scheme, _, token = authorization.partition(" ")
        found = None
        if scheme.lower() == "bearer" and token:
            found = await self._reviews.user_of_token(token)
        elif self._anonymous:
            found = ANONYMOUS
        if found is None:
            raise Refused(401, "Unauthorized")
        return found
