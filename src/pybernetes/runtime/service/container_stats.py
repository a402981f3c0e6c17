"""ContainerStats and ListContainerStats."""

from pybernetes.cri import types as t
from pybernetes.cri.errors import NotFoundError
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.cgroups.stats import Usage, read_usage
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.selection import matches
from pybernetes.runtime.state import Container


async def container_stats(core: Core, container_id: str) -> t.ContainerStats:
    return await stats_of(core, core.table.container(container_id))


async def list_container_stats(core: Core, filter: t.ContainerStatsFilter | None) -> list[t.ContainerStats]:
    """Of the containers that run."""
    wanted = filter or t.ContainerStatsFilter()
    return [
        await stats_of(core, container)
        for container in list(core.table.containers.values())
        if container.state == t.ContainerState.CONTAINER_RUNNING
        and container.id.startswith(wanted.id)
        and container.record.sandbox_id.startswith(wanted.pod_sandbox_id)
        and matches(wanted.label_selector, container.record.config.labels)
    ]


async def stats_of(core: Core, container: Container) -> t.ContainerStats:
    """Attributes always; figures as far as the host counts them."""
    usage = await core.files.run(read_usage, Cgroup(container.record.cgroup))
    config, now = container.record.config, core.now()
    return t.ContainerStats(
        attributes=t.ContainerAttributes(
            id=container.id, metadata=config.metadata, labels=config.labels, annotations=config.annotations
        ),
        cpu=cpu_usage(usage, now),
        memory=memory_usage(usage, now),
        swap=t.SwapUsage(timestamp=now, swap_usage_bytes=number(usage.swap)),
        writable_layer=await _writable_layer(core, container, now),
    )


async def _writable_layer(core: Core, container: Container, now: int) -> t.FilesystemUsage | None:
    try:
        written = await core.images.snapshots.usage(container.id)
    except NotFoundError:
        return None
    place = t.FilesystemIdentifier(mountpoint=str(core.options.root))
    return t.FilesystemUsage(
        timestamp=now, fs_id=place, used_bytes=number(written.bytes), inodes_used=number(written.inodes)
    )


def number(value: int | None) -> t.UInt64Value | None:
    return None if value is None else t.UInt64Value(value=value)


def cpu_usage(usage: Usage, now: int) -> t.CpuUsage:
    return t.CpuUsage(timestamp=now, usage_core_nano_seconds=number(usage.cpu))


def memory_usage(usage: Usage, now: int) -> t.MemoryUsage:
    """`now` in nanoseconds; available is what the limit leaves, nothing where there is no limit."""
    available = None
    if usage.limit is not None and usage.working_set is not None:
        available = max(0, usage.limit - usage.working_set)
    return t.MemoryUsage(
        timestamp=now,
        working_set_bytes=number(usage.working_set),
        available_bytes=number(available),
        usage_bytes=number(usage.memory),
        rss_bytes=number(usage.rss),
        page_faults=number(usage.page_faults),
        major_page_faults=number(usage.major_page_faults),
    )
