"""UpdateContainerResources."""

import msgspec

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.cgroups.limits import apply_limits
from pybernetes.runtime.oci.resources import build_resources
from pybernetes.runtime.service.container_create import rewrite_resources
from pybernetes.runtime.service.core import Core


async def update_container_resources(core: Core, container_id: str, resources: t.LinuxContainerResources) -> None:
    """Set what `resources` names on the running container, and keep it in its record and bundle."""
    container = core.table.container(container_id)
    async with container.lock:
        if container.state == t.ContainerState.CONTAINER_EXITED:
            raise CRIError(f"container {container.id!r} is in exited state")
        merged = _merged(container.record.config, resources)
        try:
            if container.state == t.ContainerState.CONTAINER_RUNNING:
                await core.files.run(apply_limits, Cgroup(container.record.cgroup), build_resources(resources))
            await core.files.run(rewrite_resources, core.directory(container), build_resources(resources))
        except OSError as error:
            raise CRIError(f"failed to update resources: {error}") from error
        container.record = msgspec.structs.replace(container.record, config=merged)
        await core.files.run(core.records.save, container.record)


def _merged(config: t.ContainerConfig, change: t.LinuxContainerResources) -> t.ContainerConfig:
    linux = config.linux or t.LinuxContainerConfig()
    known = linux.resources or t.LinuxContainerResources()
    given = {name: value for name in change.__struct_fields__ if (value := getattr(change, name))}
    resources = msgspec.structs.replace(known, **given)
    return msgspec.structs.replace(config, linux=msgspec.structs.replace(linux, resources=resources))
