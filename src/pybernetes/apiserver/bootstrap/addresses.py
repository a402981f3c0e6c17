"""Addresses and services brought in line: what a server that died between two writes has left behind."""

from __future__ import annotations

import logging
from datetime import datetime

from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree
from pybernetes.apiserver.allocators.addresses import MANAGED_BY_LABEL, MANAGER, AllocationError, Owner
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.services import Services

log = logging.getLogger(__name__)
SETTLED_SECONDS = 60
"""An address that is younger may be that of a service which another server is just writing."""


async def repair_addresses(services: Services) -> None:
    """Give back addresses that no service has, and take those that a service has without a record."""
    registry = services.registry
    held = {
        address: service
        for item in registry.list(builtin("", "v1", "services"))
        for service in [item.tree]
        for address in _addresses(service)
    }
    recorded = {item.name for item in registry.list(builtin("networking.k8s.io", "v1", "ipaddresses"))}
    for item in registry.list(builtin("networking.k8s.io", "v1", "ipaddresses")):
        if item.labels.get(MANAGED_BY_LABEL) == MANAGER and item.name not in held and _is_settled(services, item.tree):
            log.info("address without a service released address=%s", item.name)
            await services.allocators.addresses.release(item.name)
    for address, service in held.items():
        if address not in recorded:
            await _record(services, address, service)


async def _record(services: Services, address: str, service: Tree) -> None:
    metadata = service["metadata"]
    owner = Owner(metadata.get("namespace", ""), metadata["name"])
    try:
        await services.allocators.addresses.take(address, owner, dry_run=False)
    except (AllocationError, StatusError) as error:
        log.warning("address not recorded address=%s service=%s/%s err=%s", address, owner.namespace, owner.name, error)


def _addresses(service: Tree) -> list[str]:
    return [address for address in service["spec"].get("clusterIPs") or () if address not in ("", "None")]


def _is_settled(services: Services, obj: Tree) -> bool:
    made = datetime.fromisoformat(obj["metadata"]["creationTimestamp"])
    return (services.clock.now() - made).total_seconds() > SETTLED_SECONDS
