"""What a server does at its start, before it serves: everything here is safe to repeat, by several servers at once."""

from __future__ import annotations

import asyncio

from pybernetes.api.errors import StatusError, is_already_exists
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.bootstrap import flow_control, policy
from pybernetes.apiserver.bootstrap.addresses import repair_addresses
from pybernetes.apiserver.bootstrap.facts import bootstrap_objects
from pybernetes.apiserver.bootstrap.kubernetes_service import keep_kubernetes_service
from pybernetes.apiserver.bootstrap.objects import complete
from pybernetes.apiserver.bootstrap.system import authentication_config, namespaces, service_cidr
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.services import Services


async def bootstrap(services: Services, *, alone: bool = True) -> None:
    """Bring the store in line with what every cluster has; `alone` if no other server writes to it."""
    async with asyncio.TaskGroup() as tasks:
        for namespace in namespaces():
            tasks.create_task(ensure(services, builtin("", "v1", "namespaces"), namespace))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(policy.reconcile(services))
        for obj in bootstrap_objects()["priorityclasses"]:
            tasks.create_task(ensure(services, builtin("scheduling.k8s.io", "v1", "priorityclasses"), obj))
        for resource, obj in flow_control.wanted():
            tasks.create_task(flow_control.keep(services, resource, obj))
        cidr = service_cidr(services.options)
        tasks.create_task(ensure(services, builtin("networking.k8s.io", "v1", "servicecidrs"), cidr))
        tasks.create_task(_publish_authentication(services))
        tasks.create_task(keep_kubernetes_service(services, alone=alone))
    await repair_addresses(services)


async def ensure(services: Services, resource: Resource, obj: Tree) -> None:
    """Create the object unless it is there."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "")
    if services.registry.get(resource, metadata["name"], namespace) is not None:
        return
    try:
        await services.registry.create(resource, complete(resource, obj), namespace)
    except StatusError as error:
        if not is_already_exists(error):
            raise


async def _publish_authentication(services: Services) -> None:
    """Extension API servers read from this ConfigMap whose certificates to trust."""
    resource = builtin("", "v1", "configmaps")
    wanted = authentication_config(services.options)
    item = services.registry.get(resource, wanted["metadata"]["name"], wanted["metadata"]["namespace"])
    if item is None:
        await ensure(services, resource, wanted)
    elif wanted.get("data") and item.tree.get("data") != wanted["data"]:
        await services.registry.update(resource, item.decode() | {"data": wanted["data"]})
