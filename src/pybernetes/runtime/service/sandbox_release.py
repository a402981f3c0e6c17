"""Give back what a sandbox holds: processes, network, namespaces, mounts, cgroups. Safe to repeat."""

import logging
import shutil

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.sandbox_files import NAMESPACES, SHM, pause_cgroup
from pybernetes.runtime.state import SandboxRecord

log = logging.getLogger(__name__)


async def release(core: Core, record: SandboxRecord) -> None:
    """End its pause process, take its network away and unpin its namespaces. Its directory stays."""
    if core.network is not None:
        await core.links.run(core.network.detach, record.id)
    await core.files.run(_release_local, core, record)


async def discard(core: Core, record: SandboxRecord) -> None:
    """Release it and delete its directory, and its pod's cgroup if no other sandbox is in it."""
    await release(core, record)
    await core.files.run(_delete, core, record)


def _release_local(core: Core, record: SandboxRecord) -> None:
    pause = Cgroup(pause_cgroup(core.cgroup_parent(record.config), record.id))
    pause.kill()
    pause.remove()
    directory = core.records.sandbox_directory(record.id)
    sys.detach(directory / SHM)
    if (directory / NAMESPACES).is_dir():
        for path in (directory / NAMESPACES).iterdir():
            sys.detach(path)
            path.unlink(missing_ok=True)


def _delete(core: Core, record: SandboxRecord) -> None:
    shutil.rmtree(core.records.sandbox_directory(record.id), ignore_errors=True)
    parent = core.cgroup_parent(record.config)
    others = (each for each in core.table.sandboxes.values() if each.id != record.id)
    if parent != core.options.cgroup and all(core.cgroup_parent(each.record.config) != parent for each in others):
        try:
            Cgroup(parent).remove()
        except OSError as error:
            log.warning("cgroup is still in use path=%s error=%s", parent, error)
