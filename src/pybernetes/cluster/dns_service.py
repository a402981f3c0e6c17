"""The service `kube-dns`: the cluster's resolver under its well-known address, each node answering its own pods."""

from __future__ import annotations

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.api.types import meta_v1 as meta
from pybernetes.api.types.base import Object
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.simulator.names import NODE_LABEL

NAME, NAMESPACE = "kube-dns", "kube-system"
MANAGER = "pybernetes-cluster"
PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))


def service(address: str) -> core.Service:
    """Without a selector: its endpoints are nodes. `Local` keeps a pod's question on its own node."""
    ports = [core.ServicePort(name=name, port=53, protocol=protocol) for name, protocol in PORTS]
    return core.Service(
        metadata=meta.ObjectMeta(
            name=NAME,
            namespace=NAMESPACE,
            labels={"k8s-app": NAME, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
        ),
        spec=core.ServiceSpec(cluster_ip=address, cluster_ips=[address], internal_traffic_policy="Local", ports=ports),
    )


def endpoints(nodes: list[core.Node]) -> discovery.EndpointSlice:
    """Every node's resolver listens on the node's own address; simulated ones have none."""
    labels = {"kubernetes.io/service-name": NAME, "endpointslice.kubernetes.io/managed-by": MANAGER}
    found = [(node.metadata.name or "", address_of(node)) for node in nodes if NODE_LABEL not in node.metadata.labels]
    return discovery.EndpointSlice(
        metadata=meta.ObjectMeta(name=f"{NAME}-nodes", namespace=NAMESPACE, labels=labels),
        address_type="IPv4",
        endpoints=[
            discovery.Endpoint(
                addresses=[address], node_name=name, conditions=discovery.EndpointConditions(ready=True, serving=True)
            )
            for name, address in sorted(found)
            if address
        ],
        ports=[discovery.EndpointPort(name=name, port=53, protocol=protocol) for name, protocol in PORTS],
    )


def address_of(node: core.Node) -> str:
    return next((each.address for each in node.status.addresses if each.type == "InternalIP"), "")


async def run(informers: Informers, address: str, clock: Clock) -> None:
    """Keep the service and its endpoints in place until cancelled."""
    nodes = informers.of(core.Node)
    queue: WorkQueue[str] = WorkQueue(clock)

    def on_change(old: core.Node | None, new: core.Node | None) -> None:
        known = new or old
        if known is None or NODE_LABEL in known.metadata.labels:
            return
        if old is None or new is None or address_of(old) != address_of(new):
            queue.add("nodes")

    async def reconcile(key: str) -> None:
        if key == "service":
            await apply(service(address), NAME)
        else:
            slice = endpoints(nodes.list())
            await apply(slice, slice.metadata.name or "")

    async def apply(obj: Object, name: str) -> None:
        body = msgspec.json.encode(obj)
        await informers.client.patch(
            type(obj), name, NAMESPACE, body, PatchType.APPLY, field_manager=MANAGER, force=True
        )  # fmt: skip

    queue.add("service")
    await nodes.synced.wait()
    queue.add("nodes")
    nodes.subscribe(on_change)
    await run_workers(queue, reconcile, workers=2, name="dns service")
