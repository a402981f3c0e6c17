"""What becomes of a request: where it is forwarded or redirected to, or why it is refused. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias
from urllib.parse import quote, unquote

from msgspec import Struct

from pybernetes.api.endpoints import Target, targets_of
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.ingress.annotations import Options
from pybernetes.ingress.table import Backend, Table, rewritten

HTTP2 = "kubernetes.io/h2c"
"""The appProtocol of a service port whose pods speak HTTP/2 without TLS (KEP-3726)."""
SAFE = "/:@!$&'()*+,;=~-._%"


class Endpoints(Struct, frozen=True):
    """The targets of a backend, or the cause why there are none."""

    targets: tuple[Target, ...] = ()
    cause: str = ""
    http2: bool = False


class Question(Struct, frozen=True):
    """What of a request decides: the authority as its client wrote it, and the target as it came.

    `secure_port` is where TLS is spoken here.
    """

    authority: str
    target: str
    secure: bool
    secure_port: int = 443

    @property
    def host(self) -> str:
        """In lower case, without port and final dot."""
        text = self.authority.lower()
        if text.startswith("["):
            return text.partition("]")[0] + "]"
        return text.partition(":")[0].rstrip(".")


class Forward(Struct, frozen=True):
    """To one of the targets."""

    target: str
    targets: tuple[Target, ...]
    options: Options
    backend: Backend
    http2: bool = False


class Redirect(Struct, frozen=True):
    """To another place, for good and with the same method (308)."""

    location: str


class Refuse(Struct, frozen=True):
    status: int
    message: str


Decision: TypeAlias = Forward | Redirect | Refuse


def decide(table: Table, endpoints_of: Callable[[Backend], Endpoints], question: Question) -> Decision:
    """The whole way from a request to its targets."""
    raw, mark, query = question.target.partition("?")
    path = unquote(raw) if "%" in raw else raw
    route = table.find(question.host, path)
    if route is None:
        return Refuse(404, f"no Ingress has a rule for host {question.host!r} and path {path!r}")
    options = route.options
    if not question.secure and (options.redirect_always or (options.redirect_secured and route.secured)):
        port = "" if question.secure_port == 443 else f":{question.secure_port}"
        return Redirect(f"https://{question.host}{port}{question.target}")
    if options.refused_protocol:
        return Refuse(502, f"Ingress {route.ingress} asks for {options.refused_protocol}, which is not supported")
    found = endpoints_of(route.backend)
    if found.cause:
        return Refuse(503, f"{found.cause} (Ingress {route.ingress})")
    sent = quote(rewritten(route, path), safe=SAFE) if route.rewrite else raw
    return Forward(sent + mark + query, found.targets, options, route.backend, options.backend_http2 or found.http2)


def endpoints_for(backend: Backend, service: v1.Service | None, slices: Iterable[discovery.EndpointSlice]) -> Endpoints:
    """Where a backend's requests may go."""
    if service is None:
        return Endpoints(cause=f"service {backend.name} not found")
    if service.spec.type == "ExternalName":
        return Endpoints(cause=f"service {backend.name} is of type ExternalName, which an Ingress cannot lead to")
    ports = [port for port in service.spec.ports if (port.protocol or "TCP") == "TCP"]
    port = next((each for each in ports if backend.port in (each.name, str(each.port))), None)
    if port is None:
        known = ", ".join(f"{each.port} ({each.name})" if each.name else str(each.port) for each in ports)
        return Endpoints(cause=f"service {backend.name} has no port {backend.port}; its ports are {known or 'none'}")
    targets, _ = targets_of(port, slices, "")
    if not targets:
        return Endpoints(cause=f"service {backend.name} has no endpoints that are ready")
    return Endpoints(targets, http2=port.app_protocol == HTTP2)
