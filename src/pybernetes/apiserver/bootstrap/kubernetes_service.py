"""The service `kubernetes` in `default`: how pods find the API server, and where its endpoints are."""

from __future__ import annotations

import ipaddress
import logging

from pybernetes.api.errors import StatusError, is_already_exists
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.allocators.allocators import service_networks
from pybernetes.apiserver.bootstrap.objects import complete
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.own_names import advertised_address
from pybernetes.apiserver.services import Services

NAME = "kubernetes"
NAMESPACE = "default"
PORT = 443
log = logging.getLogger(__name__)


async def keep_kubernetes_service(services: Services, *, alone: bool) -> None:
    """Make the service, and if no other server may be there, set its endpoints to this one's address."""
    options = services.options
    if services.registry.get(builtin("", "v1", "services"), NAME, NAMESPACE) is None:
        address = str(service_networks(options)[0].network_address + 1)
        await _write(services, builtin("", "v1", "services"), _service(address, options.secure_port))
    advertised = advertised_address(options)
    if alone and not ipaddress.ip_address(advertised).is_loopback:  # no pod would get there, nor may endpoints be so
        await publish_endpoints(services, [advertised])


async def publish_endpoints(services: Services, addresses: list[str]) -> None:
    """Let the service lead to these servers. Raises StatusError."""
    port = services.options.secure_port
    await _write(services, builtin("", "v1", "endpoints"), _endpoints(addresses, port))
    await _write(services, builtin("discovery.k8s.io", "v1", "endpointslices"), _endpoint_slice(addresses, port))


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
            changed = item.decode() | content
            del changed["metadata"]["resourceVersion"]  # another server may write the same at this moment
            await registry.update(resource, changed)


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


def _endpoints(addresses: list[str], port: int) -> Tree:
    return {
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [
            {
                "addresses": [{"ip": address} for address in addresses],
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            }
        ],
    }


def _endpoint_slice(addresses: list[str], port: int) -> Tree:
    return {
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": f"IPv{ipaddress.ip_address(addresses[0]).version}",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
