"""The service `kubernetes` in `default`: how pods find the API server, and where its endpoints are."""

from __future__ import annotations

import ipaddress
import logging

from pybernetes.api.errors import StatusError, is_already_exists
from pybernetes.api.scheme import Resource
from pybernetes.apiserver.allocators.allocators import service_networks
from pybernetes.apiserver.bootstrap.objects import complete
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.services import Services

NAME = "kubernetes"
NAMESPACE = "default"
PORT = 443
log = logging.getLogger(__name__)


async def keep_kubernetes_service(services: Services) -> None:
    """Make the service, and set its endpoints to this server's address.

    With several servers each would have to add its own address and drop those that are gone; one server owns them here.
    """
    options = services.options
    if services.registry.get(builtin("", "v1", "services"), NAME, NAMESPACE) is None:
        address = str(service_networks(options)[0].network_address + 1)
        await _write(services, builtin("", "v1", "services"), _service(address, options.secure_port))
    advertised = options.advertise_address or options.bind_address
    if ipaddress.ip_address(advertised).is_loopback:
        return  # no pod would get there, and endpoints may not be so
    await _write(services, builtin("", "v1", "endpoints"), _endpoints(advertised, options.secure_port))
    slices = builtin("discovery.k8s.io", "v1", "endpointslices")
    await _write(services, slices, _endpoint_slice(advertised, options.secure_port))


def _is_reachable(address: str) -> bool:
    """Whether a pod may be told to connect to the address: a loopback one is its own."""
    parsed = ipaddress.ip_address(address)
    return not (parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local)


async def _write(services: Services, resource: Resource, obj: Tree) -> None:
    """Create the object, or set what it says where another is there."""
    registry, metadata = services.registry, obj["metadata"]
    wanted = complete(resource, obj)
    item = registry.get(resource, metadata["name"], NAMESPACE)
    if item is None:
        try:
            await registry.create(resource, wanted, NAMESPACE)
            return
        except StatusError as error:
            if not is_already_exists(error):
                raise
            item = registry.get(resource, metadata["name"], NAMESPACE)
    if item is not None:
        content = {key: value for key, value in wanted.items() if key not in ("metadata", "apiVersion", "kind")}
        if any(item.tree.get(key) != value for key, value in content.items()):
            await registry.update(resource, item.decode() | content)


def _service(address: str, port: int) -> Tree:
    return {
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"component": "apiserver", "provider": NAME}},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": address,
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": PORT, "targetPort": port, "protocol": "TCP"}],
        },
    }


def _endpoints(address: str, port: int) -> Tree:
    return {
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": address}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}],
    }


def _endpoint_slice(address: str, port: int) -> Tree:
    return {
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": f"IPv{ipaddress.ip_address(address).version}",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
