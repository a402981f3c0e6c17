"""The service `registry` of kube-system: the cluster's own registry by name, for pods."""

from __future__ import annotations

import asyncio

import msgspec

from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.api.types import meta_v1 as meta
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType
from pybernetes.cluster.registry import NAMESPACE, SERVICE, SERVICE_PORT

MANAGER = "pybernetes-cluster"
_PORT_NAME = "registry"


def service() -> core.Service:
    """Without a selector: it is a process of the machine."""
    labels = {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "Registry"}
    port = core.ServicePort(name=_PORT_NAME, port=SERVICE_PORT, protocol="TCP")
    return core.Service(
        metadata=meta.ObjectMeta(name=SERVICE, namespace=NAMESPACE, labels=labels), spec=core.ServiceSpec(ports=[port])
    )


def endpoints(address: str, port: int) -> discovery.EndpointSlice:
    labels = {"kubernetes.io/service-name": SERVICE, "endpointslice.kubernetes.io/managed-by": MANAGER}
    ready = discovery.EndpointConditions(ready=True, serving=True)
    return discovery.EndpointSlice(
        metadata=meta.ObjectMeta(name=f"{SERVICE}-node", namespace=NAMESPACE, labels=labels),
        address_type="IPv4",
        endpoints=[discovery.Endpoint(addresses=[address], conditions=ready)],
        ports=[discovery.EndpointPort(name=_PORT_NAME, port=port, protocol="TCP")],
    )


async def run(informers: Informers, address: str, port: int) -> None:
    """Put the service and its endpoint in place; then nothing remains to be done until cancelled."""
    for obj in (service(), endpoints(address, port)):
        await informers.client.patch(
            type(obj),
            obj.metadata.name or "",
            NAMESPACE,
            msgspec.json.encode(obj),
            PatchType.APPLY,
            field_manager=MANAGER,
            force=True,
        )
    await asyncio.get_running_loop().create_future()
