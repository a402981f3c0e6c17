"""`proxy` of nodes, pods and services: HTTP to what runs there, through the API server."""

from __future__ import annotations

import asyncio
import ipaddress
import random
from typing import ClassVar
from urllib.parse import quote

from pybernetes.api import errors
from pybernetes.api.tree import Tree
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.kubelets.forward import forward
from pybernetes.apiserver.kubelets.headers import forwarded, is_upgrade
from pybernetes.apiserver.kubelets.kubelets import Endpoint
from pybernetes.apiserver.kubelets.upgrade import upgrade
from pybernetes.apiserver.resources.strategy import Target
from pybernetes.apiserver.resources.streams import admit_connect
from pybernetes.wire.numbers import parse_number

SAFE_PATH = "/:@!$&'()*+,;=~-._%"


def split_name(text: str) -> tuple[str, str, str]:
    """Scheme, name and port of `name`, `name:port` or `scheme:name:port`. Raises StatusError 400."""
    parts = text.split(":")
    if len(parts) == 1 and parts[0]:
        return "", parts[0], ""
    if len(parts) == 2 and parts[0]:
        return "", parts[0], parts[1]
    if len(parts) == 3 and parts[0] in ("", "http", "https") and parts[1]:
        return parts[0], parts[1], parts[2]
    raise errors.bad_request(f'invalid request "{text}"')


class _Proxy:
    """What the three have in common: find the endpoint, refuse those that nobody may reach, pass the request on."""

    kind: ClassVar[str]
    """Of the options, of which the path is the only one."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        request = ctx.request
        asked = f"/{target.tail}" if target.tail or request.path.endswith("/") else ""
        options = await admit_connect(ctx, target, self.kind, {"path": asked} if asked else {})
        endpoint = await self.endpoint(ctx, target)
        tail = options.path.removeprefix("/")
        prefix = target.resource.path(target.namespace, target.name, "proxy")
        if not tail and not request.path.endswith("/") and request.method in ("GET", "HEAD"):
            query = f"?{request.query_string}" if request.query_string else ""
            return Response(301, headers=[("Location", f"{request.path}/{query}")])
        path = "/" + quote(tail, safe=SAFE_PATH)
        if request.path.endswith("/") and not path.endswith("/"):
            path += "/"
        if request.query_string:
            path += f"?{request.query_string}"
        if is_upgrade(request.header_list):
            return await upgrade(request, endpoint, path)
        uri = prefix + path.partition("?")[0]
        headers = [*forwarded(request.header_list), ("X-Forwarded-For", request.remote), ("X-Forwarded-Uri", uri)]
        return await forward(ctx, endpoint, path, headers=headers, prefix=prefix)

    async def endpoint(self, ctx: RequestContext, target: Target) -> Endpoint:
        """Where the object listens. Raises StatusError."""
        raise NotImplementedError


class NodeProxy(_Proxy):
    """The kubelet of the node, or another port of its address."""

    kind = "NodeProxyOptions"

    async def endpoint(self, ctx: RequestContext, target: Target) -> Endpoint:
        scheme, name, port = split_name(target.name)
        item = ctx.services.registry.get(target.resource, name)
        if item is None:
            raise errors.not_found("", "nodes", name)
        kubelet = ctx.services.kubelets.endpoint(item.tree)
        if not port or port == str(kubelet.port):
            return kubelet
        return _endpoint(ctx, scheme, await _resolved(kubelet.host), _number(port))


class PodProxy(_Proxy):
    """A port of the pod: the first that one of its containers names, unless the request names one."""

    kind = "PodProxyOptions"

    async def endpoint(self, ctx: RequestContext, target: Target) -> Endpoint:
        scheme, name, port = split_name(target.name)
        item = ctx.services.registry.get(target.resource, name, target.namespace)
        if item is None:
            raise errors.not_found("", "pods", name)
        pod = item.tree
        address = (pod.get("status") or {}).get("podIP", "")
        if not address:
            raise errors.bad_request("address not allowed")
        return _endpoint(ctx, scheme, address, _number(port) if port else _first_port(pod))


class ServiceProxy(_Proxy):
    """One of the ready endpoints of the service; the port is named by name or number, or is the only one."""

    kind = "ServiceProxyOptions"

    async def endpoint(self, ctx: RequestContext, target: Target) -> Endpoint:
        scheme, name, port = split_name(target.name)
        item = ctx.services.registry.get(target.resource, name, target.namespace)
        if item is None:
            raise errors.not_found("", "services", name)
        entry = _service_port(item.tree, port)
        if entry is None:
            raise errors.service_unavailable(f'no service port "{port}" found for service "{name}"')
        candidates = _ready(ctx, target.namespace, name, entry.get("name", ""))
        if not candidates:
            raise errors.service_unavailable(f'no endpoints available for service "{name}"')
        address, number = random.choice(candidates)
        return _endpoint(ctx, scheme, address, number)


def _number(text: str) -> int:
    number = parse_number(text, 65535)
    if not number:
        raise errors.bad_request(f'invalid port "{text}"')
    return number


def _first_port(pod: Tree) -> int:
    ports = (port for container in pod["spec"].get("containers") or () for port in container.get("ports") or ())
    return next((port["containerPort"] for port in ports), 80)


def _service_port(service: Tree, wanted: str) -> Tree | None:
    ports: list[Tree] = service["spec"].get("ports") or []
    if not wanted:
        return ports[0] if len(ports) == 1 else next((port for port in ports if not port.get("name")), None)
    by_name = next((port for port in ports if port.get("name") == wanted), None)
    return by_name or next((port for port in ports if str(port["port"]) == wanted), None)


def _ready(ctx: RequestContext, namespace: str, service: str, port_name: str) -> list[tuple[str, int]]:
    """Address and port of each endpoint that is ready."""
    slices = builtin("discovery.k8s.io", "v1", "endpointslices")
    found: list[tuple[str, int]] = []
    for item in ctx.services.registry.list(slices, namespace):
        if item.labels.get("kubernetes.io/service-name") != service:
            continue
        numbers = [port["port"] for port in item.tree.get("ports") or () if port.get("name", "") == port_name]
        for endpoint in item.tree.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready", True) and endpoint.get("addresses"):
                found += [(endpoint["addresses"][0], number) for number in numbers]
    return found


async def _resolved(host: str) -> str:
    """An address of the host, so that what is judged is what is connected to. Raises StatusError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError as error:
        raise errors.bad_request(f"lookup {host}: no such host") from error
    return str(found[0][4][0])


def _endpoint(ctx: RequestContext, scheme: str, address: str, port: int) -> Endpoint:
    """Raises StatusError for addresses that mean this machine, or a machine's neighbours, to whoever connects."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError as error:
        raise errors.bad_request("address not allowed") from error
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    if parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        raise errors.bad_request("address not allowed")
    return Endpoint(address, port, ctx.services.kubelets.backend_tls if scheme == "https" else None)
