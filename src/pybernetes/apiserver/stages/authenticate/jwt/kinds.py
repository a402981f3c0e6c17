"""`AuthenticationConfiguration` of `apiserver.config.k8s.io`."""

from __future__ import annotations

import msgspec


class _Base(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    pass


class Issuer(_Base):
    url: str = ""
    discovery_url: str = msgspec.field(default="", name="discoveryURL")
    certificate_authority: str = ""
    audiences: list[str] = []
    audience_match_policy: str = ""
    egress_selector_type: str = ""


class Mapping(_Base):
    """A claim with a prefix, or an expression."""

    claim: str = ""
    prefix: str | None = None
    expression: str = ""


class Extra(_Base):
    key: str = ""
    value_expression: str = ""


class Mappings(_Base):
    username: Mapping = msgspec.field(default_factory=Mapping)
    groups: Mapping = msgspec.field(default_factory=Mapping)
    uid: Mapping = msgspec.field(default_factory=Mapping)
    extra: list[Extra] = []


class ClaimRule(_Base):
    claim: str = ""
    required_value: str = ""
    expression: str = ""
    message: str = ""


class UserRule(_Base):
    expression: str = ""
    message: str = ""


class JWT(_Base):
    issuer: Issuer = msgspec.field(default_factory=Issuer)
    claim_validation_rules: list[ClaimRule] = []
    claim_mappings: Mappings = msgspec.field(default_factory=Mappings)
    user_validation_rules: list[UserRule] = []


class Condition(_Base):
    path: str = ""


class Anonymous(_Base):
    enabled: bool = False
    conditions: list[Condition] = []


class Authentication(_Base):
    jwt: list[JWT] = []
    anonymous: Anonymous | None = None
