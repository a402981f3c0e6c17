"""What a server does at its start, before it serves: everything here is safe to repeat, by several servers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from pybernetes.api.errors import StatusError, is_already_exists
from pybernetes.api.scheme import Resource
from pybernetes.apiserver.bootstrap import policy
from pybernetes.apiserver.bootstrap.addresses import repair_addresses
from pybernetes.apiserver.bootstrap.facts import bootstrap_objects
from pybernetes.apiserver.bootstrap.kubernetes_service import keep_kubernetes_service
from pybernetes.apiserver.bootstrap.objects import complete
from pybernetes.apiserver.bootstrap.system import authentication_config, namespaces, service_cidr
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.services import Services

GROUPS: Final[Mapping[str, tuple[str, str]]] = {
    "priorityclasses": ("scheduling.k8s.io", "v1"),
    "prioritylevelconfigurations": ("flowcontrol.apiserver.k8s.io", "v1"),
    "flowschemas": ("flowcontrol.apiserver.k8s.io", "v1"),
}
AUTO_UPDATE = "apf.kubernetes.io/autoupdate-spec"


async def bootstrap(services: Services) -> None:
    """Bring the store in line with what every cluster has."""
    async with asyncio.TaskGroup() as tasks:
        for namespace in namespaces():
            tasks.create_task(ensure(services, builtin("", "v1", "namespaces"), namespace))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(policy.reconcile(services))
        for plural, (group, version) in GROUPS.items():
            for obj in bootstrap_objects()[plural]:
                tasks.create_task(_ensure_configured(services, builtin(group, version, plural), obj))
        cidr = service_cidr(services.options)
        tasks.create_task(ensure(services, builtin("networking.k8s.io", "v1", "servicecidrs"), cidr))
        tasks.create_task(_publish_authentication(services))
        tasks.create_task(keep_kubernetes_service(services))
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


async def _ensure_configured(services: Services, resource: Resource, obj: Tree) -> None:
    """Create the object, or put its spec back where it asks to be kept up to date."""
    item = services.registry.get(resource, obj["metadata"]["name"])
    if item is None:
        await ensure(services, resource, obj)
        return
    annotations = item.tree["metadata"].get("annotations") or {}
    wanted = complete(resource, obj)
    if annotations.get(AUTO_UPDATE) == "true" and item.tree.get("spec") != wanted.get("spec"):
        await services.registry.update(resource, item.decode() | {"spec": wanted["spec"]})


async def _publish_authentication(services: Services) -> None:
    """Extension API servers read from this ConfigMap whose certificates to trust."""
    resource = builtin("", "v1", "configmaps")
    wanted = authentication_config(services.options)
    item = services.registry.get(resource, wanted["metadata"]["name"], wanted["metadata"]["namespace"])
    if item is None:
        await ensure(services, resource, wanted)
    elif wanted.get("data") and item.tree.get("data") != wanted["data"]:
        await services.registry.update(resource, item.decode() | {"data": wanted["data"]})
