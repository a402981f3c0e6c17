"""Find again what an earlier runtime left: its containers run on, or their monitors have recorded how they ended."""

import logging
import shutil
from collections.abc import Iterable
from ipaddress import IPv4Address

import msgspec

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.monitor.protocol import EXITED, SOCKET, STARTED
from pybernetes.runtime.monitor.records import read_record
from pybernetes.runtime.network.pods import PodNetwork
from pybernetes.runtime.service.container_remove import remove_container
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.following import follow
from pybernetes.runtime.service.sandbox_files import NAMESPACES, SHM, are_pinned, namespace_paths
from pybernetes.runtime.service.sandbox_release import discard, release
from pybernetes.runtime.state import STEP, Container, Sandbox, SandboxRecord

log = logging.getLogger(__name__)


async def recover(core: Core) -> None:
    """Fill the table from disk, follow what runs, and sweep up what was never finished."""
    for sandbox_record in await core.files.run(core.records.sandboxes):
        try:
            await _recover_sandbox(core, sandbox_record)
        except OSError as error:  # whoever stops or removes it tries again, and is told
            log.warning("sandbox cannot be given back sandbox=%s error=%s", sandbox_record.id, error)
    for record in await core.files.run(core.records.containers):
        container = Container(record)
        core.table.containers[container.id] = container
        await _recover_container(core, container)
    for orphan in [
        each for each in core.table.containers.values() if each.record.sandbox_id not in core.table.sandboxes
    ]:
        log.warning("container has no sandbox container=%s", orphan.id)
        await remove_container(core, orphan.id)
    for container_id in await core.files.run(_sweep, core, set(core.table.sandboxes), set(core.table.containers)):
        await core.images.snapshots.remove(container_id)
        await core.files.run(shutil.rmtree, core.records.container_directory(container_id), True)
    if core.network is not None:
        await core.links.run(core.network.sweep, set(core.table.sandboxes))
        await core.links.run(_map_ports, core.network, core.table.records())
    log.info("recovered sandboxes=%d containers=%d", len(core.table.sandboxes), len(core.table.containers))


async def _recover_sandbox(core: Core, record: SandboxRecord) -> None:
    if STEP in record.config.labels:
        await core.files.run(Cgroup(core.cgroup_parent(record.config)).kill)
        await discard(core, record)
        return
    sandbox = core.table.sandboxes[record.id] = Sandbox(record)
    if record.ready and not await core.files.run(_is_standing, core, record):
        sandbox.record = msgspec.structs.replace(record, ready=False)
        await core.files.run(core.records.save, sandbox.record)
    if not sandbox.record.ready:
        await release(core, sandbox.record)


def _is_standing(core: Core, record: SandboxRecord) -> bool:
    """Not after a reboot, nor when its namespaces are gone for another reason."""
    directory = core.records.sandbox_directory(record.id)
    return record.boot_id == core.boot_id and are_pinned(namespace_paths(directory, record), directory)


async def _recover_container(core: Core, container: Container) -> None:
    # Created; ended; running or just being started; running without its monitor; or about to be started, in vain.
    directory = str(core.directory(container))
    if not container.record.started:
        return
    if (
        (core.directory(container) / SOCKET).exists()
        or read_record(directory, EXITED)
        or read_record(directory, STARTED)
    ):
        await follow(core, container)
        return
    container.record = msgspec.structs.replace(container.record, started=False)
    core.records.save(container.record)


def _sweep(core: Core, sandboxes: set[str], containers: set[str]) -> list[str]:
    """Directories without a record belong to calls that never ended; returns the containers of which one is left."""
    for directory in (core.records.root / "sandboxes").iterdir():
        if directory.name not in sandboxes:
            sys.detach(directory / SHM)
            if (directory / NAMESPACES).is_dir():
                for path in (directory / NAMESPACES).iterdir():
                    sys.detach(path)
            shutil.rmtree(directory, ignore_errors=True)
    directories = (core.records.root / "containers").iterdir()
    return [directory.name for directory in directories if directory.name not in containers]


def _map_ports(network: PodNetwork, records: Iterable[SandboxRecord]) -> None:
    """Host ports are rules of the kernel, which survive us, and a table in memory, which does not."""
    for record in records:
        if record.ready and record.address:
            network.remember_ports(record.id, IPv4Address(record.address), record.config.port_mappings)
    network.write_ports()
