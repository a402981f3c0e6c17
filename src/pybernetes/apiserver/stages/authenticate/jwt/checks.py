"""What is wrong with an `AuthenticationConfiguration`, in upstream's words."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from pybernetes.aio.trust import client_context
from pybernetes.api import field as fields
from pybernetes.api.cel.errors import CompileError
from pybernetes.api.field import FieldError, Path, quote
from pybernetes.api.names import is_domain_prefixed_path
from pybernetes.apiserver.stages.authenticate.jwt.kinds import (
    JWT,
    Authentication,
    ClaimRule,
    Extra,
    Issuer,
    Mappings,
    UserRule,
)
from pybernetes.apiserver.stages.authenticate.jwt.mapping import compile_claims, compile_user

RESERVED: Final = ("kubernetes.io", "k8s.io")
EMAIL: Final = re.compile(r"\bclaims\s*\.\s*\??email\b")
VERIFIED: Final = re.compile(r"\bclaims\s*\.\s*\??email_verified\b")
BOTH: Final = "claim and expression can't both be set"


def errors_of(made: Authentication, own_issuers: Sequence[str]) -> Iterator[FieldError]:
    """What is wrong with a configuration; `own_issuers` are this server's."""
    issuers: set[str] = set()
    discovered: set[str] = set()
    for index, jwt in enumerate(made.jwt):
        here, issuer = Path("jwt").index(index), jwt.issuer
        yield from _issuer_errors(issuer, here.child("issuer"), own_issuers)
        yield from _claim_rule_errors(jwt.claim_validation_rules, here.child("claimValidationRules"))
        yield from _mapping_errors(jwt.claim_mappings, here.child("claimMappings"))
        yield from _email_errors(jwt, here.child("claimMappings"))
        yield from _user_rule_errors(jwt.user_validation_rules, here.child("userValidationRules"))
        for name, url, seen in (("url", issuer.url, issuers), ("discoveryURL", issuer.discovery_url, discovered)):
            if url in seen:
                yield fields.duplicate(here.child("issuer", name), url)
            if url or name == "url":
                seen.add(url)
    anonymous = made.anonymous
    if anonymous is not None and anonymous.conditions and not anonymous.enabled:
        shown = [{"Path": one.path} for one in anonymous.conditions]
        words = "enabled should be set to true when conditions are defined"
        yield fields.invalid(Path("anonymous").child("conditions"), shown, words)


def _issuer_errors(issuer: Issuer, path: Path, own: Sequence[str]) -> Iterator[FieldError]:
    if not issuer.url:
        yield fields.required(path.child("url"), "")
    else:
        yield from _url_errors(issuer.url, path.child("url"), own)
    if issuer.discovery_url:
        here = path.child("discoveryURL")
        if issuer.url and issuer.url.rstrip("/") == issuer.discovery_url.rstrip("/"):
            yield fields.invalid(here, issuer.discovery_url, "discoveryURL must be different from URL")
        yield from _url_errors(issuer.discovery_url, here, ())
    yield from _audience_errors(issuer, path)
    if issuer.certificate_authority:
        try:
            client_context(issuer.certificate_authority)
        except (ssl.SSLError, ValueError):
            words = "data does not contain any valid RSA or ECDSA certificates"
            yield fields.invalid(path.child("certificateAuthority"), "<omitted>", words)
    if kind := issuer.egress_selector_type:
        words = "egress selectors are not supported"
        if kind not in ("controlplane", "cluster"):
            words = "egress selector must be either controlplane or cluster"
        yield fields.invalid(path.child("egressSelectorType"), kind, words)


def _url_errors(url: str, path: Path, own: Sequence[str]) -> Iterator[FieldError]:
    if url in own:
        shown = " ".join(sorted(own))
        yield fields.invalid(path, url, f"URL must not overlap with disallowed issuers: [{shown}]")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        yield fields.invalid(path, url, f"parse {quote(url)}: {error}")
        return
    if parts.scheme != "https":
        yield fields.invalid(path, url, "URL scheme must be https")
    for wrong, what in (("@" in parts.netloc, "username or password"), (parts.query, "query"), (parts.fragment, "fragment")):  # fmt: skip
        if wrong:
            yield fields.invalid(path, url, f"URL must not contain a {what}")


def _audience_errors(issuer: Issuer, path: Path) -> Iterator[FieldError]:
    here, policy = path.child("audiences"), issuer.audience_match_policy
    if not issuer.audiences:
        yield fields.required(here, f"at least one {here} is required")
        return
    for index, audience in enumerate(issuer.audiences):
        if not audience:
            yield fields.required(here.index(index), "")
        if audience in issuer.audiences[:index]:
            yield fields.duplicate(here.index(index), audience)
    if len(issuer.audiences) > 1 and policy != "MatchAny":
        words = "audienceMatchPolicy must be MatchAny for multiple audiences"
        yield fields.invalid(path.child("audienceMatchPolicy"), policy, words)
    elif policy not in ("", "MatchAny"):
        words = "audienceMatchPolicy must be empty or MatchAny for single audience"
        yield fields.invalid(path.child("audienceMatchPolicy"), policy, words)


def _claim_rule_errors(rules: list[ClaimRule], path: Path) -> Iterator[FieldError]:
    claims: set[str] = set()
    expressions: set[str] = set()
    for index, rule in enumerate(rules):
        here = path.index(index)
        if rule.claim and rule.expression:
            yield fields.invalid(here, rule.claim, BOTH)
        elif not rule.claim and not rule.expression:
            yield fields.required(here, "claim or expression is required")
        elif rule.claim:
            if rule.message:
                yield fields.invalid(here.child("message"), rule.message, "may not be specified when claim is set")
            if rule.claim in claims:
                yield fields.duplicate(here.child("claim"), rule.claim)
            claims.add(rule.claim)
        else:
            if rule.required_value:
                words = "may not be specified when expression is set"
                yield fields.invalid(here.child("requiredValue"), rule.required_value, words)
            if rule.expression in expressions:
                yield fields.duplicate(here.child("expression"), rule.expression)
            else:
                yield from _compiles(here.child("expression"), rule.expression)
            expressions.add(rule.expression)


def _user_rule_errors(rules: list[UserRule], path: Path) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        here = path.index(index).child("expression")
        if not rule.expression:
            yield fields.required(here, "")
            continue
        if rule.expression in seen:
            yield fields.duplicate(here, rule.expression)
            continue
        seen.add(rule.expression)
        try:
            compile_user(rule.expression)
        except CompileError as error:
            yield fields.invalid(here, rule.expression, f"compilation failed: {error}")


def _mapping_errors(mappings: Mappings, path: Path) -> Iterator[FieldError]:
    for name, mapping in (("username", mappings.username), ("groups", mappings.groups), ("uid", mappings.uid)):
        here = path.child(name)
        if mapping.claim and mapping.expression:
            yield fields.invalid(here, "", BOTH)
        elif name == "username" and not mapping.claim and not mapping.expression:
            yield fields.required(here, "claim or expression is required")
        elif mapping.claim and mapping.prefix is None and name != "uid":
            words = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
            yield fields.required(here.child("prefix"), words)
        elif mapping.expression:
            if mapping.prefix is not None:
                words = "may not be specified when expression is set"
                yield fields.invalid(here.child("prefix"), mapping.prefix, words)
            yield from _compiles(here.child("expression"), mapping.expression)
    seen: set[str] = set()
    for index, extra in enumerate(mappings.extra):
        yield from _extra_errors(extra, path.child("extra").index(index), seen)
        seen.add(extra.key)


def _extra_errors(extra: Extra, path: Path, seen: set[str]) -> Iterator[FieldError]:
    here = path.child("key")
    if not extra.key:
        yield fields.required(here, "")
    elif not is_domain_prefixed_path(extra.key):
        yield fields.invalid(here, extra.key, 'must be a domain-prefixed path (such as "acme.io/foo")')
    if extra.key != extra.key.lower():
        yield fields.invalid(here, extra.key, "must be lowercase")
    domain = extra.key.partition("/")[0]
    if domain in RESERVED or domain.endswith(tuple(f".{one}" for one in RESERVED)):
        words = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
        yield fields.invalid(here, extra.key, words)
    if extra.key in seen:
        yield fields.duplicate(here, extra.key)
    elif not extra.value_expression:
        yield fields.required(path.child("valueExpression"), "")
    else:
        yield from _compiles(path.child("valueExpression"), extra.value_expression)


def _email_errors(jwt: JWT, path: Path) -> Iterator[FieldError]:
    """An address that nobody has verified makes no name."""
    mappings = jwt.claim_mappings
    texts = [mappings.username.expression, *(one.value_expression for one in mappings.extra)]
    texts += [one.expression for one in jwt.claim_validation_rules]
    if EMAIL.search(mappings.username.expression) and not any(VERIFIED.search(text) for text in texts):
        words = (
            "claims.email_verified must be used in claimMappings.username.expression or "
            "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in "
            "claimMappings.username.expression"
        )
        yield fields.invalid(path.child("username", "expression"), mappings.username.expression, words)


def _compiles(path: Path, expression: str) -> Iterator[FieldError]:
    try:
        compile_claims(expression)
    except CompileError as error:
        yield fields.invalid(path, expression, f"compilation failed: {error}")
