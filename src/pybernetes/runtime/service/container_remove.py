"""RemoveContainer."""

import shutil

from pybernetes.cri import types as t
from pybernetes.cri.errors import NotFoundError
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.service.container_stop import kill
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.state import Container


async def remove_container(core: Core, container_id: str) -> None:
    """Kill it if it runs, then delete its root, bundle and records. Its log is the kubelet's."""
    try:
        container = core.table.container(container_id)
    except NotFoundError:
        return
    async with container.lock:
        if container.state == t.ContainerState.CONTAINER_RUNNING:
            await kill(core, container)
        await core.images.snapshots.remove(container.id)
        await core.files.run(_delete, core, container)
        if core.table.containers.pop(container.id, None) is None:
            return
    core.publish(container.id, t.ContainerEventType.CONTAINER_DELETED_EVENT, container.record.sandbox_id)


def _delete(core: Core, container: Container) -> None:
    """The record goes first: a directory without one is swept up after a crash."""
    directory = core.directory(container)
    (directory / "record").unlink(missing_ok=True)
    cgroup = Cgroup(container.record.cgroup)
    cgroup.kill()
    cgroup.remove()
    shutil.rmtree(directory, ignore_errors=True)
