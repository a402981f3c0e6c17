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
    """End its pause process, take its network away and unpin its namespaces. Its directory stays. Raises OSError."""
    try:
        if core.network is not None:
            await core.links.run(core.network.detach, record.id)
    finally:
        await core.files.run(_release_local, core, record)


async def discard(core: Core, record: SandboxRecord) -> None:
    """Release it and delete its directory, and its pod's cgroup if no other sandbox is in it. Raises OSError."""
    await release(core, record)
    await core.files.run(shutil.rmtree, core.records.sandbox_directory(record.id), True)
    parent = core.cgroup_parent(record.config)
    if parent == core.options.cgroup:
        return
    async with core.parents.holding((parent,)):
        if all(core.cgroup_parent(each.config) != parent for each in core.table.records() if each.id != record.id):
            await core.files.run(_remove_cgroup, parent)


async def take_back(core: Core, record: SandboxRecord) -> None:
    """`discard` after a failure, whose cause is not to be hidden by another: what stays is recovery's."""
    try:
        await discard(core, record)
    except OSError as error:
        log.warning("sandbox cannot be taken back sandbox=%s error=%s", record.id, error)


def _release_local(core: Core, record: SandboxRecord) -> None:
    pause = Cgroup(pause_cgroup(core.cgroup_parent(record.config), record.id))
    pause.kill()
    directory = core.records.sandbox_directory(record.id)
    sys.detach(directory / SHM)
    if (directory / NAMESPACES).is_dir():
        for path in (directory / NAMESPACES).iterdir():
            sys.detach(path)
            path.unlink(missing_ok=True)
    pause.remove()


def _remove_cgroup(path: str) -> None:
    try:
        Cgroup(path).remove()
    except OSError as error:
        log.warning("cgroup is still in use path=%s error=%s", path, error)
