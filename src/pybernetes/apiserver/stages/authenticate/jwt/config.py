"""`AuthenticationConfiguration` of `apiserver.config.k8s.io`, checked as upstream does, and what the `--oidc-*` flags make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pybernetes.api import field as fields
from pybernetes.api.cel.errors import CompileError
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.configuration import ConfigurationError, decode, read
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.stages.authenticate.jwt.mapping import compile_claims, compile_user

VERSIONS: Final = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1")
BOTH: Final = "claim and expression can't both be set"


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


def load(path: str) -> Authentication:
    """The configuration in a file. Raises ConfigurationError."""
    try:
        return _parse(read(path))
    except ConfigurationError as error:
        raise ConfigurationError(f'failed to load AuthenticationConfiguration from file "{path}": {error}') from error


def _parse(text: str) -> Authentication:
    kinds = {(version, "AuthenticationConfiguration"): Authentication for version in VERSIONS}
    made = decode(text, kinds)
    refuse(list(_errors(made)))
    return made


def of_flags(options: Options) -> Authentication:
    """What the `--oidc-*` flags ask for. Raises ConfigurationError."""
    if not options.oidc_issuer_url and not options.oidc_client_id:
        return Authentication()
    if not options.oidc_issuer_url or not options.oidc_client_id:
        raise ConfigurationError(
            "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set"
        )
    prefix = options.oidc_username_prefix
    if not prefix and options.oidc_username_claim != "email":
        prefix = f"{options.oidc_issuer_url}#"
    authority = read(options.oidc_ca_file) if options.oidc_ca_file else ""
    rules = [ClaimRule(claim=name, required_value=value) for name, _, value in (one.partition("=") for one in options.oidc_required_claim)]  # fmt: skip
    groups = Mapping(options.oidc_groups_claim, options.oidc_groups_prefix) if options.oidc_groups_claim else Mapping()
    username = Mapping(options.oidc_username_claim, "" if prefix == "-" else prefix)
    jwt = JWT(
        Issuer(url=options.oidc_issuer_url, certificate_authority=authority, audiences=[options.oidc_client_id]),
        rules,
        Mappings(username=username, groups=groups),
    )
    made = Authentication(jwt=[jwt])
    refuse(list(_errors(made)))
    return made


def refuse(wrong: list[FieldError]) -> None:
    if wrong:
        shown = [str(one) for one in wrong]
        raise ConfigurationError(shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]")


def _errors(made: Authentication) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, jwt in enumerate(made.jwt):
        here = Path("jwt").index(index)
        yield from _issuer_errors(jwt.issuer, here.child("issuer"), seen)
        yield from _rule_errors(jwt, here)
        yield from _mapping_errors(jwt.claim_mappings, here.child("claimMappings"))
    anonymous = made.anonymous
    if anonymous is not None and anonymous.conditions and not anonymous.enabled:
        where = Path("anonymous").child("conditions")
        yield fields.invalid(
            where,
            [one.path for one in anonymous.conditions],
            "enabled should be set to true when conditions are defined",
        )


def _issuer_errors(issuer: Issuer, path: Path, seen: set[str]) -> Iterator[FieldError]:
    for name, url in (("url", issuer.url), ("discoveryURL", issuer.discovery_url)):
        if not url and name == "url":
            yield fields.required(path.child(name), "URL is required")
        elif url and urlsplit(url).scheme != "https":
            yield fields.invalid(path.child(name), url, "URL scheme must be https")
    if issuer.url in seen:
        yield fields.duplicate(path.child("url"), issuer.url)
    seen.add(issuer.url)
    if not issuer.audiences:
        yield fields.required(path.child("audiences"), f"at least one {path.child('audiences')} is required")
    if len(issuer.audiences) > 1 and issuer.audience_match_policy != "MatchAny":
        words = "audienceMatchPolicy must be MatchAny for multiple audiences"
        yield fields.invalid(path.child("audienceMatchPolicy"), issuer.audience_match_policy, words)
    if issuer.egress_selector_type:
        yield fields.invalid(
            path.child("egressSelectorType"), issuer.egress_selector_type, "egress selectors are not supported"
        )


def _rule_errors(jwt: JWT, path: Path) -> Iterator[FieldError]:
    for index, rule in enumerate(jwt.claim_validation_rules):
        here = path.child("claimValidationRules").index(index)
        if rule.claim and rule.expression:
            yield fields.invalid(here, rule.claim, BOTH)
        elif not rule.claim and not rule.expression:
            yield fields.required(here, "claim or expression is required")
        elif rule.expression:
            yield from _compiles(here.child("expression"), rule.expression)
    for index, user_rule in enumerate(jwt.user_validation_rules):
        here = path.child("userValidationRules").index(index).child("expression")
        if not user_rule.expression:
            yield fields.required(here, "expression is required")
            continue
        try:
            compile_user(user_rule.expression)
        except CompileError as error:
            yield fields.invalid(here, user_rule.expression, f"compilation failed: {error}")


def _mapping_errors(mappings: Mappings, path: Path) -> Iterator[FieldError]:
    named = (("username", mappings.username), ("groups", mappings.groups), ("uid", mappings.uid))
    for name, mapping in named:
        here = path.child(name)
        if mapping.claim and mapping.expression:
            yield fields.invalid(here, "", BOTH)
        elif name == "username" and not mapping.claim and not mapping.expression:
            yield fields.required(here, "claim or expression is required")
        elif mapping.claim and mapping.prefix is None and name != "uid":
            words = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
            yield fields.required(here.child("prefix"), words)
        elif mapping.expression and mapping.prefix is not None:
            yield fields.invalid(here.child("prefix"), mapping.prefix, "prefix can't be set when expression is set")
        if mapping.expression:
            yield from _compiles(here.child("expression"), mapping.expression)
    for index, extra in enumerate(mappings.extra):
        here = path.child("extra").index(index)
        if not extra.key:
            yield fields.required(here.child("key"), "")
        elif extra.key != extra.key.lower():
            yield fields.invalid(here.child("key"), extra.key, "key must be lowercase")
        if not extra.value_expression:
            yield fields.required(here.child("valueExpression"), "valueExpression is required")
        else:
            yield from _compiles(here.child("valueExpression"), extra.value_expression)


def _compiles(path: Path, expression: str) -> Iterator[FieldError]:
    try:
        compile_claims(expression)
    except CompileError as error:
        yield fields.invalid(path, expression, f"compilation failed: {error}")
