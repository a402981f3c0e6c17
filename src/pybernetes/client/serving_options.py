"""The flags of a component's secure port."""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes import flags


@dataclass(frozen=True)
class ServingOptions:
    """Flags of the secure port; names and defaults are upstream's."""

    bind_address: str = flags.option("0.0.0.0", "the address of the secure port")
    secure_port: int = flags.option(0, "where health and metrics are served by TLS; 0 for nowhere")
    tls_cert_file: str = flags.option("", "the serving certificate; self-signed if empty")
    tls_private_key_file: str = ""
    cert_dir: str = flags.option("", "where a self-signed certificate is kept; nowhere if empty")
    client_ca_file: str = flags.option("", "signs the certificates of clients")
    authentication_kubeconfig: str = flags.option("", "who is asked about tokens (TokenReview); nobody if empty")
    authorization_kubeconfig: str = flags.option(
        "", "who is asked what callers may (SubjectAccessReview); if empty, system:masters may all, others nothing"
    )
    authorization_always_allow_paths: tuple[str, ...] = flags.option(
        ("/healthz", "/readyz", "/livez"), "pages that anybody may read"
    )
    authorization_webhook_cache_authorized_ttl: float = flags.option(10.0, "for how long an answer is remembered")
