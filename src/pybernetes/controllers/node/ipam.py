"""The node range allocator: each node without a pod range gets a free one of the cluster's."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from pybernetes.api import errors
from pybernetes.api.types import core_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController

Network = IPv4Network | IPv6Network
IPV6_MASK_SIZE = 64


class NodeIpamController(KeyedController):
    """Does nothing without `--allocate-node-cidrs`. One worker: ranges are given out one after the other."""

    name = "node-ipam-controller"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = context.informers.of(core_v1.Node)
        self.recorder = context.recorder("cidrAllocator")
        options = context.options
        self.ranges = [ip_network(text) for text in options.cluster_cidr.split(",") if text]
        if options.allocate_node_cidrs:
            self.nodes.subscribe(self._on_node)

    def _on_node(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        if new is not None and not new.spec.pod_cidr:
            self.enqueue(new)
        elif new is None:
            # A range became free: those that found none may have it.
            for node in self.nodes.list():
                if not node.spec.pod_cidr:
                    self.enqueue(node)

    async def reconcile(self, key: Key) -> None:
        node = self.nodes.get(key[1])
        if node is None or node.spec.pod_cidr or node.metadata.deletion_timestamp is not None:
            return
        options = self.context.options
        used = [ip_network(text) for other in self.nodes.list() for text in other.spec.pod_cidrs or _single(other)]
        if options.load_balancer_range:
            used.append(ip_network(options.load_balancer_range))
        chosen = [free_range(whole, self._mask(whole), used) for whole in self.ranges]
        if not chosen or any(found is None for found in chosen):
            reference = core_v1.ObjectReference(kind="Node", name=key[1], uid=node.metadata.uid)
            message = f"Node {key[1]} status is now: CIDRNotAvailable"
            self.recorder.event(reference, "Normal", "CIDRNotAvailable", message)
            return
        texts = [str(found) for found in chosen]
        patch = {"metadata": {"uid": node.metadata.uid}, "spec": {"podCIDR": texts[0], "podCIDRs": texts}}
        try:
            self.nodes.assume(await self.client.patch(core_v1.Node, key[1], "", patch))
        except errors.StatusError as error:
            if not errors.is_not_found(error):
                raise

    def _mask(self, whole: Network) -> int:
        return self.context.options.node_cidr_mask_size if whole.version == 4 else IPV6_MASK_SIZE


def _single(node: core_v1.Node) -> list[str]:
    return [node.spec.pod_cidr] if node.spec.pod_cidr else []


def free_range(whole: Network, mask: int, used: Iterable[Network]) -> Network | None:
    """The first part of `whole` with this mask that overlaps none in use; None if there is none left."""
    if mask < whole.prefixlen:
        return None
    taken = [found for found in used if found.version == whole.version]
    blocked = {
        (int(found.network_address) >> (whole.max_prefixlen - mask)) for found in taken if found.prefixlen >= mask
    }
    wide = [found for found in taken if found.prefixlen < mask]
    for part in whole.subnets(new_prefix=mask):
        number = int(part.network_address) >> (whole.max_prefixlen - mask)
        if number not in blocked and not any(part.overlaps(found) for found in wide):
            return part
    return None
