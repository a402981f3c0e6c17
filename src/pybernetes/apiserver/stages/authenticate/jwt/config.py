"""The configuration of authentication as a file or the `--oidc-*` flags give it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pybernetes.api import field as fields
from pybernetes.api.field import Path
from pybernetes.apiserver.configuration import ConfigurationError, decode, read, refuse
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.stages.authenticate.jwt.checks import errors_of
from pybernetes.apiserver.stages.authenticate.jwt.kinds import JWT, Authentication, ClaimRule, Issuer, Mapping, Mappings

VERSIONS: Final = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1")


def load(path: str, own_issuers: Sequence[str] = ()) -> Authentication:
    """The configuration in a file. Raises ConfigurationError."""
    try:
        return parse(read(path), own_issuers)
    except ConfigurationError as error:
        raise ConfigurationError(f'failed to load authentication configuration from file "{path}": {error}') from error


def parse(text: str, own_issuers: Sequence[str] = (), before: Authentication | None = None) -> Authentication:
    """`own_issuers` are this server's; `before` is what it was started with. Raises ConfigurationError."""
    if not text:
        raise ConfigurationError("empty config data")
    made = decode(text, {(version, "AuthenticationConfiguration"): Authentication for version in VERSIONS})
    wrong = list(errors_of(made, own_issuers))
    if before is not None and made.anonymous != before.anonymous:
        wrong.append(fields.forbidden(Path("anonymous"), "changed from initial configuration file"))
    refuse(wrong)
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
    refuse(list(errors_of(made, options.service_account_issuer)))
    return made
