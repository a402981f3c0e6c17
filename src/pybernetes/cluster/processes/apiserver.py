"""The API server of a profile.

Its own modules are loaded by its own process: nobody else has a use for them, and while one core loads them, another
loads the other components' in the supervisor. What this module imports is what all of them share.
"""

from __future__ import annotations

import gc

import httptools  # noqa: F401
import msgspec  # noqa: F401

from pybernetes.aio import threads, tls  # noqa: F401
from pybernetes.api import defaults, names, scheme, selectors  # noqa: F401
from pybernetes.cluster.profile import Profile
from pybernetes.process import run_alone
from pybernetes.telemetry import metrics  # noqa: F401


def arguments(profile: Profile) -> list[str]:
    """The flags that it is started with, under upstream's names."""
    pki, settings = profile.certificates, profile.settings
    storage = f"sqlite:{profile.state / 'store' / 'store.db'}" if settings.store == "sqlite" else settings.store
    extra = profile.extra_flags("apiserver")
    configured = any(flag.startswith("--authorization-config=") for flag in extra)
    issuer = f"https://kubernetes.default.svc.{settings.cluster_domain}"
    return [
        "--bind-address=127.0.0.1",
        f"--advertise-address={'127.0.0.1' if settings.simulated else profile.node_address}",
        f"--secure-port={settings.api_port}",
        f"--local-socket={profile.api_socket}",
        f"--storage={storage}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        *([] if configured else ["--authorization-mode=Node,RBAC"]),
        f"--service-account-issuer={issuer}",
        f"--service-account-key-file={pki / 'service-account.key'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        f"--service-cluster-ip-range={settings.service_cidr}",
        f"--service-node-port-range={settings.node_ports}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalDNS,InternalIP,Hostname",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
        "--enable-bootstrap-token-auth=true",
        *(["--serve-node-metrics=false"] if "metrics" in settings.disabled_addons else []),
        *extra,
    ]


def main(profile: Profile) -> None:
    """Serve until SIGTERM, with the settings of now: addons are switched under a running cluster."""
    gc.disable()
    from pybernetes.apiserver.main import run
    from pybernetes.apiserver.options import parse
    from pybernetes.store.backend import StoreError

    # Modules stay: they are not looked through again.
    gc.freeze()
    gc.enable()
    options = parse(arguments(profile.reread()))
    # Files that flags name, and the store, are the user's to mend: told in a line.
    if run_alone("apiserver", lambda: run(options), StoreError, ValueError):
        raise SystemExit(1)
