"""The API server's flags, under upstream's names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pybernetes import flags


@dataclass(frozen=True, slots=True)
class Options:
    """Every value has upstream's default where upstream has one; an empty path switches its feature off."""

    bind_address: str = flags.option("127.0.0.1", "the address to listen on")
    advertise_address: str = flags.option("", "the address that pods are told; listened on too")
    secure_port: int = 6443
    local_socket: str = flags.option(
        "", "a socket for components of this machine and user, which name themselves in --requestheader-* headers"
    )
    storage: str = flags.option("sqlite::memory:", "sqlite:FILE, sqlite::memory: or etcd://HOST:PORT[,HOST:PORT...]")
    etcd_servers: tuple[str, ...] = flags.option((), "URLs of etcd; the same as --storage=etcd://...")
    etcd_cafile: str = flags.option("", "signs the certificates of etcd's servers")
    etcd_certfile: str = flags.option("", "the client certificate for etcd")
    etcd_keyfile: str = ""
    etcd_prefix: str = flags.option("/registry", "what keys in etcd begin with")
    etcd_compaction_interval: float = flags.option(300.0, "how often the store forgets what is older; 0 for never")
    tls_cert_file: str = flags.option(
        "", "the serving certificate; without one a self-signed one is made under --cert-dir"
    )
    cert_dir: str = flags.option(
        "/var/run/kubernetes", "where a self-signed certificate is kept; empty for plain HTTP instead"
    )
    tls_private_key_file: str = ""
    tls_min_version: str = flags.option("", "VersionTLS12 (the default) or VersionTLS13")
    cors_allowed_origins: tuple[str, ...] = flags.option((), "regular expressions of origins whose web pages may ask")
    client_ca_file: str = flags.option("", "signs the certificates of clients")
    token_auth_file: str = flags.option("", 'CSV of token,user,uid,"group,group"')
    service_account_key_file: tuple[str, ...] = ()
    service_account_signing_key_file: str = ""
    service_account_issuer: tuple[str, ...] = ()
    api_audiences: tuple[str, ...] = ()
    authentication_config: str = flags.option("", "issuers of tokens, and who may ask without one")
    oidc_issuer_url: str = flags.option("", "the issuer of OpenID Connect whose tokens are taken")
    oidc_client_id: str = flags.option("", "the audience that its tokens must have")
    oidc_ca_file: str = ""
    oidc_username_claim: str = "sub"
    oidc_username_prefix: str = flags.option("", "what user names begin with; - for nothing")
    oidc_groups_claim: str = ""
    oidc_groups_prefix: str = ""
    oidc_required_claim: tuple[str, ...] = flags.option((), "NAME=VALUE that tokens must have")
    authorization_mode: tuple[str, ...] = ("AlwaysAllow",)
    authorization_policy_file: str = flags.option("", "who may what in mode ABAC, a JSON object a line")
    authorization_webhook_config_file: str = flags.option("", "a kubeconfig of who decides in mode Webhook")
    authorization_webhook_version: str = flags.option("v1beta1", "of the SubjectAccessReview that is sent")
    authorization_webhook_cache_authorized_ttl: float = flags.option(300.0, "for how long its consent is remembered")
    authorization_webhook_cache_unauthorized_ttl: float = flags.option(30.0, "for how long its refusal is remembered")
    authorization_config: str = flags.option("", "authorizers in their order, in place of --authorization-mode")
    authentication_token_webhook_config_file: str = flags.option("", "a kubeconfig of who is asked about tokens")
    authentication_token_webhook_version: str = flags.option("v1beta1", "of the TokenReview that is sent")
    authentication_token_webhook_cache_ttl: float = flags.option(120.0, "for how long its answers are remembered")
    anonymous_auth: bool = True
    enable_admission_plugins: tuple[str, ...] = flags.option((), "taken and without effect: all that there are, run")
    disable_admission_plugins: tuple[str, ...] = ()
    service_cluster_ip_range: str = "10.96.0.0/12"
    service_node_port_range: str = "30000-32767"
    allow_privileged: bool = flags.option(True, "taken and without effect: privileged containers are allowed")
    kubelet_certificate_authority: str = ""
    kubelet_client_certificate: str = ""
    kubelet_client_key: str = ""
    kubelet_preferred_address_types: tuple[str, ...] = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")  # fmt: skip
    proxy_client_cert_file: str = ""
    proxy_client_key_file: str = ""
    requestheader_client_ca_file: str = ""
    requestheader_username_headers: tuple[str, ...] = ("X-Remote-User",)
    requestheader_group_headers: tuple[str, ...] = ("X-Remote-Group",)
    requestheader_extra_headers_prefix: tuple[str, ...] = ("X-Remote-Extra-",)
    requestheader_allowed_names: tuple[str, ...] = ()
    egress_selector_config_file: str = flags.option("", "how others are reached; only directly")
    enable_bootstrap_token_auth: bool = False
    encryption_provider_config: str = flags.option("", "says which resources are encrypted in the store, and how")
    encryption_provider_config_automatic_reload: bool = flags.option(False, "use the file anew when it changes")
    audit_policy_file: str = ""
    audit_log_path: str = flags.option("", "a file of JSON lines; - for standard output")
    audit_log_maxsize: int = flags.option(0, "megabytes after which the log file is rotated; 0 for 100")
    audit_log_maxbackup: int = flags.option(0, "how many rotated files are kept; 0 for all")
    audit_log_maxage: int = flags.option(0, "for how many days rotated files are kept; 0 for ever")
    audit_webhook_config_file: str = flags.option("", "a kubeconfig of where audit events are sent")
    audit_webhook_batch_buffer_size: int = 10000
    audit_webhook_batch_max_size: int = 400
    audit_webhook_batch_max_wait: float = 30.0
    audit_webhook_initial_backoff: float = 10.0
    serve_node_metrics: bool = flags.option(
        True, "serve metrics.k8s.io from the kubelets, unless a server elsewhere does"
    )
    enable_priority_and_fairness: bool = True
    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    min_request_timeout: int = 1800
    request_timeout: float = 60.0
    shutdown_delay_duration: float = 0.0
    event_ttl: float = 3600.0
    profiling: bool = flags.option(False, "not supported: profiles in the format of Go cannot be made")
    default_watch_cache_size: int = 5000
    v: int = 0


def parse(arguments: Sequence[str]) -> Options:
    """Options of a command line; exits with a usage message on an unknown flag or a malformed value."""
    options = flags.parse(Options, "p8s apiserver", arguments, "Serves the Kubernetes API.")
    if not options.etcd_servers:
        return options
    hosts = ",".join(server.rpartition("://")[2].rstrip("/") for server in options.etcd_servers)
    secure = any(server.startswith("https://") for server in options.etcd_servers)
    return replace(options, storage=f"{'etcds' if secure else 'etcd'}://{hosts}")


def parser() -> argparse.ArgumentParser:
    """Of the flags."""
    return flags.parser(Options, "p8s apiserver")
