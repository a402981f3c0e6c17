"""Where the kubelets are, and how they know that it is the API server who calls."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from msgspec import Struct

from pybernetes.aio.tls import FollowedContext
from pybernetes.api import errors
from pybernetes.api.tree import Tree
from pybernetes.apiserver.options import Options

DEFAULT_PORT = 10250


class Endpoint(Struct, frozen=True):
    """Where to connect to; `tls` is None for plain HTTP, `server_name` the name that its certificate must have."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Kubelets(Struct, frozen=True):
    """How to reach them; holds no connection."""

    tls: FollowedContext | None
    """None for kubelets that speak plain HTTP."""
    preferred_address_types: Sequence[str]
    backend_tls: ssl.SSLContext
    """For HTTPS to pods and services: whatever certificate they have, as upstream."""

    def endpoint(self, node: Tree) -> Endpoint:
        """Where the node's kubelet listens. Raises StatusError if its status does not say."""
        status = node.get("status") or {}
        addresses = status.get("addresses") or []
        endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
        tls = self.tls.current() if self.tls else None
        for kind in self.preferred_address_types:
            for address in addresses:
                if address.get("type") == kind and address.get("address"):
                    return Endpoint(address["address"], endpoint.get("Port") or DEFAULT_PORT, tls)
        raise errors.internal(f"no preferred addresses found; known addresses: {addresses}")


def make_kubelets(options: Options) -> Kubelets:
    """Read certificate and authority that the options name, and again when they are renewed. Raises OSError, ssl.SSLError.

    Without `--kubelet-certificate-authority` the kubelets' certificates are not verified (upstream's default).
    """
    authority, certificate = options.kubelet_certificate_authority, options.kubelet_client_certificate

    def make() -> ssl.SSLContext:
        context = _trusting(authority)
        if certificate:
            context.load_cert_chain(certificate, options.kubelet_client_key or None)
        return context

    followed = FollowedContext(make, (authority, certificate, options.kubelet_client_key))
    return Kubelets(followed, options.kubelet_preferred_address_types, _trusting(""))


def _trusting(authority: str) -> ssl.SSLContext:
    """A context that trusts this authority alone, or, without one, everybody; the machine's own list never counts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority:
        context.load_verify_locations(authority)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
