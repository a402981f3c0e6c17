"""Everything that answers "who" and "may they", made of the server's options once at its start."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.api.types.rbac_v1 import PolicyRule
from pybernetes.apiserver.bootstrap.facts import bootstrap_objects
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.registry.registry import Registry
from pybernetes.apiserver.stages.authenticate.authenticator import (
    Authenticator,
    FirstOf,
    OrAnonymous,
    RemoteTokens,
    TokenAuthenticator,
)
from pybernetes.apiserver.stages.authenticate.bearer import Bearer
from pybernetes.apiserver.stages.authenticate.bootstrap_token import BootstrapTokens
from pybernetes.apiserver.stages.authenticate.front_proxy import FrontProxy
from pybernetes.apiserver.stages.authenticate.service_account import ServiceAccountTokens
from pybernetes.apiserver.stages.authenticate.static import parse_tokens
from pybernetes.apiserver.stages.authenticate.tokens.issuer import Issuer
from pybernetes.apiserver.stages.authenticate.tokens.keys import FileSigner, Verifier, load_signer, load_verifiers
from pybernetes.apiserver.stages.authenticate.tokens.validator import Validator
from pybernetes.apiserver.stages.authenticate.x509 import CertificateCheck, ClientCertificates, certificate_lifetimes
from pybernetes.apiserver.stages.authorize.attributes import Authorizer
from pybernetes.apiserver.stages.authorize.escalation import Escalation
from pybernetes.apiserver.stages.authorize.modes import Modes
from pybernetes.apiserver.stages.authorize.node import NodeAuthorizer
from pybernetes.apiserver.stages.authorize.node_graph import NodeGraph
from pybernetes.apiserver.stages.authorize.objects import policy_object, rules_of
from pybernetes.apiserver.stages.authorize.rbac import GROUP, Policy
from pybernetes.apiserver.stages.objects import Objects
from pybernetes.apiserver.stages.registry_objects import RegistryObjects
from pybernetes.telemetry.metrics import Registry as Metrics

if TYPE_CHECKING:
    from pybernetes.apiserver.reload import Reload
    from pybernetes.apiserver.stages.authenticate.jwt.kinds import Authentication

log = logging.getLogger(__name__)
DEFAULT_ISSUER = "https://kubernetes.default.svc.cluster.local"


class Security(Struct, frozen=True):
    """`authorizer` is what every request is asked of; `policy` is the RBAC part of it."""

    objects: Objects
    authenticator: Authenticator
    bearer: Bearer
    authorizer: Authorizer
    policy: Policy
    escalation: Escalation
    issuer: Issuer
    validator: Validator
    verifiers: Sequence[Verifier]
    reloads: Sequence[Reload] = ()
    """Files that are followed."""


def make_security(options: Options, clock: Clock, registry: Registry, metrics: Metrics) -> Security:
    """Read the keys and files that the options name, and follow roles, bindings and pods from now on.

    Raises OSError and ValueError for files that are missing or malformed.
    """
    objects = RegistryObjects(registry)
    policy = _follow_policy(registry)
    modes = Modes(
        lambda: policy, lambda: NodeAuthorizer(_follow_pods(registry, objects), _node_rules()), clock, metrics
    )
    reloads = [modes.start(options)]
    signer = _signer(options)
    issuers = options.service_account_issuer or (DEFAULT_ISSUER,)
    audiences = options.api_audiences or issuers
    verifiers = _verifiers(options, signer)
    validator = Validator(issuers, verifiers, objects, clock)
    configured = _configured(options)
    tokens: list[TokenAuthenticator] = [ServiceAccountTokens(validator, audiences)]
    if options.enable_bootstrap_token_auth:
        tokens.append(BootstrapTokens(objects, clock))
    remote: list[RemoteTokens] = []
    if configured is not None and (configured.jwt or options.authentication_config):
        from pybernetes.apiserver.stages.authenticate.jwt.reload import make_tokens

        jwt, reload = make_tokens(configured, options, clock, metrics)
        remote.append(jwt)
        reloads.append(reload)
    if options.authentication_token_webhook_config_file:
        from pybernetes.apiserver.stages.authenticate.webhook import WebhookTokens

        remote.append(WebhookTokens(options, tuple(audiences), clock))
    bearer = Bearer([*_static(options), *tokens, *remote], remote)
    return Security(
        objects=objects,
        authenticator=_authenticator(options, clock, bearer, configured, metrics),
        bearer=bearer,
        authorizer=modes.union,
        policy=policy,
        escalation=Escalation(policy, modes.union),
        issuer=Issuer(issuers[0], tuple(audiences), signer, clock),
        validator=validator,
        verifiers=verifiers,
        reloads=[one for one in reloads if one is not None],
    )


def _configured(options: Options) -> Authentication | None:
    """Of `--authentication-config`, or of the `--oidc-*` flags. Raises ConfigurationError."""
    if not (options.authentication_config or options.oidc_issuer_url or options.oidc_client_id):
        return None
    # What most servers do not have: it brings CEL along.
    from pybernetes.apiserver.stages.authenticate.jwt.config import load, of_flags

    if not options.authentication_config:
        return of_flags(options)
    if options.oidc_issuer_url or options.oidc_client_id:
        raise ConfigurationError("authentication-config file and oidc-* flags are mutually exclusive")
    configured = load(options.authentication_config, options.service_account_issuer)
    if configured.anonymous is not None and not options.anonymous_auth:
        words = "--anonymous-auth flag cannot be set when anonymous field is configured in authentication configuration file"
        raise ConfigurationError(f"anonymous: Forbidden: {words}")
    return configured


def _static(options: Options) -> list[TokenAuthenticator]:
    if not options.token_auth_file:
        return []
    lines = Path(options.token_auth_file).read_text("utf-8").splitlines()
    return [parse_tokens(lines, options.token_auth_file)]


def _authenticator(
    options: Options, clock: Clock, bearer: Bearer, configured: Authentication | None, metrics: Metrics
) -> Authenticator:
    authenticators: list[Authenticator] = []
    if options.requestheader_client_ca_file or options.local_socket:
        proxies = options.requestheader_client_ca_file
        authenticators.append(
            FrontProxy(
                CertificateCheck(_authorities(proxies), clock) if proxies else None,
                options.requestheader_allowed_names,
                _lower(options.requestheader_username_headers),
                _lower(options.requestheader_group_headers),
                _lower(options.requestheader_extra_headers_prefix),
            )
        )
    if options.client_ca_file:
        lifetimes = certificate_lifetimes()
        metrics.add(lifetimes)
        checked = CertificateCheck(_authorities(options.client_ca_file), clock, lifetimes)
        authenticators.append(ClientCertificates(checked))
    first = FirstOf([*authenticators, bearer])
    anonymous = configured.anonymous if configured else None
    if anonymous is None:
        return OrAnonymous(first) if options.anonymous_auth else first
    return OrAnonymous(first, frozenset(one.path for one in anonymous.conditions)) if anonymous.enabled else first


def _node_rules() -> list[PolicyRule]:
    roles = bootstrap_objects()["clusterroles"]
    return rules_of(next(role for role in roles if role["metadata"]["name"] == "system:node"))


def _follow_policy(registry: Registry) -> Policy:
    policy = Policy()

    def listener(plural: str) -> Callable[[Item | None, Item | None], None]:
        def on_change(old: Item | None, new: Item | None) -> None:
            if new is not None:
                policy.put(policy_object(plural, new.tree))
            elif old is not None:
                policy.remove(policy_object(plural, old.tree))

        return on_change

    for plural in ("clusterroles", "roles", "clusterrolebindings", "rolebindings"):
        registry.subscribe(builtin(GROUP, "v1", plural), listener(plural))
    return policy


def _follow_pods(registry: Registry, objects: Objects) -> NodeGraph:
    graph = NodeGraph(objects)

    def on_change(old: Item | None, new: Item | None) -> None:
        graph.change(old.tree if old else None, new.tree if new else None)

    registry.subscribe(builtin("", "v1", "pods"), on_change)
    return graph


def _signer(options: Options) -> FileSigner:
    if options.service_account_signing_key_file:
        return load_signer(Path(options.service_account_signing_key_file).read_bytes())
    log.warning("service account tokens end with this process: no signing key file is given")
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return load_signer(key.private_bytes(encoding, form, serialization.NoEncryption()))


def _verifiers(options: Options, signer: FileSigner) -> list[Verifier]:
    """The signer's own key first, then those of `--service-account-key-file`, each once."""
    files = [Path(path).read_bytes() for path in options.service_account_key_file]
    loaded = [signer.verifier, *(verifier for pem in files for verifier in load_verifiers(pem))]
    return list({verifier.key_id: verifier for verifier in loaded}.values())


def _authorities(path: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(Path(path).read_bytes())


def _lower(names: Sequence[str]) -> list[str]:
    return [name.lower() for name in names]
