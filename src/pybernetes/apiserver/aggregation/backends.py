"""Where the server of an aggregated API is, how it is trusted, and how it knows that it is the front proxy who calls."""

from __future__ import annotations

import base64
import random
import ssl
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from pybernetes.aio.trust import client_context
from pybernetes.api.tree import Tree
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.kubelets.kubelets import Endpoint
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.registry.registry import Registry
from pybernetes.apiserver.user import UserInfo

TOKEN: Final = "!#$&'*+-.^_`|~"
"""What a header's name may hold beside letters and digits (RFC 9110, section 5.6.2), but for the percent sign."""
API_SERVICES: Final = builtin("apiregistration.k8s.io", "v1", "apiservices")
SERVICES: Final = builtin("", "v1", "services")
SLICES: Final = builtin("discovery.k8s.io", "v1", "endpointslices")


class UnreachableError(Exception):
    """There is no way to the server: `reason` is that of the APIService's condition, the text its message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Backends:
    """Finds them in the server's caches at each request: endpoints come and go."""

    def __init__(self, registry: Registry, options: Options) -> None:
        self._registry = registry
        self._certificate = options.proxy_client_cert_file, options.proxy_client_key_file

    def endpoint(self, spec: Tree) -> Endpoint:
        """One of the ready endpoints of an APIService's service. Raises UnreachableError."""
        backend = spec["service"]
        name, namespace, port = backend["name"], backend["namespace"], backend.get("port", 443)
        tls = _context(spec.get("caBundle") or "", bool(spec.get("insecureSkipTLSVerify")), *self._certificate)
        server_name = f"{name}.{namespace}.svc"
        found = self._registry.get(SERVICES, name, namespace)
        if found is None:
            raise UnreachableError("ServiceNotFound", f'service/{name} in "{namespace}" is not present')
        service = found.tree["spec"]
        if service.get("type") == "ExternalName":
            return Endpoint(service["externalName"], port, tls, server_name)
        entry = next((one for one in service.get("ports") or () if one["port"] == port), None)
        if entry is None:
            words = f'service/{name} in "{namespace}" is not listening on port {port}'
            raise UnreachableError("ServicePortError", words)
        called = entry.get("name", "")
        candidates = list(self._ready(name, namespace, called))
        if not candidates:
            words = f'endpoints for service/{name} in "{namespace}" have no addresses with port name "{called}"'
            raise UnreachableError("MissingEndpoints", words)
        return Endpoint(*random.choice(candidates), tls, server_name)

    def _ready(self, name: str, namespace: str, port: str) -> Iterator[tuple[str, int]]:
        for item in self._registry.list(SLICES, namespace):
            if item.labels.get("kubernetes.io/service-name") != name:
                continue
            numbers = [one["port"] for one in item.tree.get("ports") or () if (one.get("name") or "") == port]
            for endpoint in item.tree.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready", True) and endpoint.get("addresses"):
                    yield from ((endpoint["addresses"][0], number) for number in numbers)


@lru_cache(maxsize=64)
def _context(bundle: str, insecure: bool, certificate: str, key: str) -> ssl.SSLContext:
    """Raises UnreachableError for a bundle that is none."""
    try:
        context = client_context(base64.b64decode(bundle).decode() if bundle else None)
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate, key or None)
    except (ValueError, OSError) as error:
        raise UnreachableError("FailedDiscoveryCheck", f"unable to load root certificates: {error}") from error
    return context


def identity_headers(user: UserInfo) -> list[tuple[str, str]]:
    """Who asks, as the front proxy tells it."""
    headers = [("X-Remote-User", user.name)]
    headers += [("X-Remote-Uid", user.uid)] if user.uid else []
    headers += [("X-Remote-Group", group) for group in user.groups]
    headers += [
        (f"X-Remote-Extra-{quote(key, safe=TOKEN)}", value) for key, values in user.extra.items() for value in values
    ]
    return headers
