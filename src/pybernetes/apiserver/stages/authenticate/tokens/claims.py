"""The claims of a service-account token (KEP-1205), as a typed value."""

from __future__ import annotations

import msgspec


class Ref(msgspec.Struct, frozen=True, omit_defaults=True):
    """An object that a token is bound to."""

    name: str
    uid: str


class Kubernetes(msgspec.Struct, frozen=True, omit_defaults=True):
    """The private claim `kubernetes.io`."""

    namespace: str
    serviceaccount: Ref
    node: Ref | None = None
    pod: Ref | None = None
    secret: Ref | None = None
    warnafter: int | None = None


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """Times are seconds since the epoch; `aud` is always written as a list."""

    iss: str
    sub: str
    aud: list[str]
    exp: int
    iat: int
    nbf: int
    kubernetes: Kubernetes = msgspec.field(name="kubernetes.io")
    jti: str = ""


class Legacy(msgspec.Struct, frozen=True):
    """The claims of a token of a Secret of type `kubernetes.io/service-account-token`: no audience, no expiry."""

    iss: str
    sub: str
    namespace: str = msgspec.field(name="kubernetes.io/serviceaccount/namespace")
    secret: str = msgspec.field(name="kubernetes.io/serviceaccount/secret.name")
    name: str = msgspec.field(name="kubernetes.io/serviceaccount/service-account.name")
    uid: str = msgspec.field(name="kubernetes.io/serviceaccount/service-account.uid")


LEGACY_ISSUER = "kubernetes/serviceaccount"
