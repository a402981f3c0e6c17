"""RunPodSandbox."""

import msgspec

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.cgroups.limits import apply_limits
from pybernetes.runtime.launcher.message import close_all
from pybernetes.runtime.network.pods import channel_from, loopback_only
from pybernetes.runtime.oci.mounts import build_mapping
from pybernetes.runtime.oci.resources import build_resources
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.handlers import choose_program
from pybernetes.runtime.service.sandbox_files import SHM, namespace_paths, pause_cgroup, write_files
from pybernetes.runtime.service.sandbox_release import take_back
from pybernetes.runtime.service.users import check_users
from pybernetes.runtime.state import Sandbox, SandboxRecord

_POD = t.NamespaceMode.POD


async def run_pod_sandbox(core: Core, config: t.PodSandboxConfig, runtime_handler: str) -> str:
    """Make the sandbox's cgroup, files, namespaces and network; on failure all of it is taken back."""
    choose_program(runtime_handler, core.options.oci_runtime)
    record = SandboxRecord(core.options.new_id(), config, runtime_handler, core.now(), core.boot_id, ready=False)
    await check_users(core, record)
    core.table.being_made[record.id] = record
    try:
        record = await make_sandbox(core, record)
        core.table.sandboxes[record.id] = Sandbox(record)
    finally:
        del core.table.being_made[record.id]
    core.publish(record.id, t.ContainerEventType.CONTAINER_CREATED_EVENT, record.id)
    core.publish(record.id, t.ContainerEventType.CONTAINER_STARTED_EVENT, record.id)
    return record.id


async def make_sandbox(core: Core, record: SandboxRecord, *, network: bool = True) -> SandboxRecord:
    """Everything but its place in the table; the record as it is then. Without `network` it has a loopback only."""
    try:
        # Should this process die on the way, its successor finds one that is not ready, and gives back what it has.
        await core.files.run(core.records.save, record)
        async with core.parents.holding((core.cgroup_parent(record.config),)):
            await core.files.run(_make_cgroup, core, record)
        await core.files.run(_make_files, core, record)
        descriptors = await _make_namespaces(core, record)
        address = await core.links.finish(_connect, core, record, descriptors, network)
        record = msgspec.structs.replace(record, address=address, ready=True)
        await core.files.run(core.records.save, record)
        return record
    except BaseException as error:
        await take_back(core, record)
        if isinstance(error, OSError):
            raise CRIError(f"failed to create pod sandbox: {error}") from error
        raise


def _make_cgroup(core: Core, record: SandboxRecord) -> None:
    cgroup = Cgroup(core.cgroup_parent(record.config))
    cgroup.create()
    linux = record.config.linux
    if linux is not None and linux.cgroup_parent and linux.resources is not None:
        apply_limits(cgroup, build_resources(linux.resources))


def _make_files(core: Core, record: SandboxRecord) -> None:
    directory = core.records.sandbox_directory(record.id)
    write_files(directory, record)
    if record.options.ipc == _POD:
        flags = sys.MOUNT_NOSUID | sys.MOUNT_NODEV | sys.MOUNT_NOEXEC
        sys.mount("shm", str(directory / SHM), "tmpfs", flags, "mode=1777,size=65536k")


async def _make_namespaces(core: Core, record: SandboxRecord) -> list[int]:
    """The descriptors that came back: a route-netlink socket of the network namespace, and the namespace."""
    paths = namespace_paths(core.records.sandbox_directory(record.id), record)
    if not paths:
        return []
    linux, users = record.config.linux, record.users or t.UserNamespace()
    reply = core.zygote.ask(
        {
            "call": "sandbox",
            "namespaces": paths,
            "hostname": record.config.hostname,
            "sysctls": linux.sysctls if linux else {},
            "uids": build_mapping(users.uids),
            "gids": build_mapping(users.gids),
            "cgroup": pause_cgroup(core.cgroup_parent(record.config), record.id),
        }
    )
    try:
        said, descriptors = await reply.next()
    finally:
        reply.close()
    if "error" in said:
        raise CRIError(f"failed to create pod sandbox: {said['error']}")
    return descriptors


def _connect(core: Core, record: SandboxRecord, descriptors: list[int], network: bool) -> str:
    if not descriptors:
        return ""
    channel = channel_from(descriptors[0])
    try:
        if core.network is None or not network:
            loopback_only(channel)
            return ""
        address = core.network.attach(record.id, channel, descriptors[1])
        core.network.map_ports(record.id, address, record.config.port_mappings)
        return str(address)
    finally:
        channel.close()
        close_all(descriptors[1:])
