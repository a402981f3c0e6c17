"""Find again what an earlier runtime left: its containers run on, or their monitors have recorded how they ended."""

import logging
import shutil
from ipaddress import IPv4Address

import msgspec

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.monitor.protocol import EXITED, SOCKET, STARTED
from pybernetes.runtime.monitor.records import read_record
from pybernetes.runtime.network.pods import PodNetwork
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.following import follow
from pybernetes.runtime.service.sandbox_files import NAMESPACES, SHM, are_pinned, namespace_paths
from pybernetes.runtime.service.sandbox_release import discard, release
from pybernetes.runtime.state import STEP, Container, Sandbox, SandboxRecord

log = logging.getLogger(__name__)


async def recover(core: Core) -> None:
    """Fill the table from disk, follow what runs, and sweep up what was never finished."""
    for sandbox_record in await core.files.run(lambda: list(core.records.sandboxes())):
        if STEP in sandbox_record.config.labels:
            await core.files.run(Cgroup(core.cgroup_parent(sandbox_record.config)).kill)
            await discard(core, sandbox_record)
            continue
        sandbox = Sandbox(sandbox_record)
        core.table.sandboxes[sandbox.id] = sandbox
        if not sandbox_record.ready:
            await release(core, sandbox_record)
        elif not await core.files.run(_is_standing, core, sandbox_record):
            sandbox.record = msgspec.structs.replace(sandbox_record, ready=False)
            await release(core, sandbox.record)
            core.records.save(sandbox.record)
    for record in await core.files.run(lambda: list(core.records.containers())):
        container = Container(record)
        core.table.containers[container.id] = container
        await _recover_container(core, container)
    for container_id in await core.files.run(_sweep, core):
        await core.images.snapshots.remove(container_id)
        await core.files.run(shutil.rmtree, core.records.container_directory(container_id), True)
    if core.network is not None:
        await core.links.run(core.network.sweep, set(core.table.sandboxes))
        await core.links.run(_map_ports, core, core.network)
    log.info("recovered sandboxes=%d containers=%d", len(core.table.sandboxes), len(core.table.containers))


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


def _sweep(core: Core) -> list[str]:
    """Directories without a record belong to calls that never ended; returns the containers of which one is left."""
    for directory in (core.records.root / "sandboxes").iterdir():
        if directory.name not in core.table.sandboxes:
            sys.detach(directory / SHM)
            if (directory / NAMESPACES).is_dir():
                for path in (directory / NAMESPACES).iterdir():
                    sys.detach(path)
            shutil.rmtree(directory, ignore_errors=True)
    directories = (core.records.root / "containers").iterdir()
    return [directory.name for directory in directories if directory.name not in core.table.containers]


def _map_ports(core: Core, network: PodNetwork) -> None:
    """Host ports are rules of the kernel, which survive us, and a table in memory, which does not."""
    for sandbox in core.table.sandboxes.values():
        record = sandbox.record
        if record.ready and record.address:
            network.remember_ports(sandbox.id, IPv4Address(record.address), record.config.port_mappings)
    network.write_ports()
