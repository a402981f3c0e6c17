"""The API server of a profile."""

from __future__ import annotations

from pybernetes.apiserver.main import run
from pybernetes.apiserver.options import parse
from pybernetes.cluster.profile import Profile
from pybernetes.process import run_until_terminated


def arguments(profile: Profile) -> list[str]:
    """The flags that it is started with, under upstream's names."""
    pki, settings = profile.certificates, profile.settings
    storage = f"sqlite:{profile.state / 'store' / 'store.db'}" if settings.store == "sqlite" else settings.store
    issuer = f"https://kubernetes.default.svc.{settings.cluster_domain}"
    return [
        "--bind-address=127.0.0.1",
        f"--advertise-address={profile.node_address}",
        f"--secure-port={settings.api_port}",
        f"--storage={storage}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        "--authorization-mode=Node,RBAC",
        f"--service-account-issuer={issuer}",
        f"--service-account-key-file={pki / 'service-account.key'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        f"--service-cluster-ip-range={settings.service_cidr}",
        f"--service-node-port-range={settings.node_ports}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
        "--enable-bootstrap-token-auth=true",
    ]


def main(profile: Profile) -> None:
    """Serve until SIGTERM."""
    options = parse(arguments(profile))
    run_until_terminated("apiserver", lambda: run(options))
