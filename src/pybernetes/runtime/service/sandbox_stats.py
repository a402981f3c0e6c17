"""PodSandboxStats and ListPodSandboxStats."""

from pybernetes.cri import types as t
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.cgroups.stats import read_usage
from pybernetes.runtime.network.counters import Counters, read_counters
from pybernetes.runtime.service.container_stats import cpu_usage, memory_usage, number, stats_of
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.selection import matches
from pybernetes.runtime.state import Sandbox

_INTERFACE = "eth0"


async def pod_sandbox_stats(core: Core, pod_sandbox_id: str) -> t.PodSandboxStats:
    return await _stats(core, core.table.sandbox(pod_sandbox_id), await _counters(core))


async def list_pod_sandbox_stats(core: Core, filter: t.PodSandboxStatsFilter | None) -> list[t.PodSandboxStats]:
    """Of the sandboxes that are ready."""
    wanted = filter or t.PodSandboxStatsFilter()
    counters = await _counters(core)
    return [
        await _stats(core, sandbox, counters)
        for sandbox in list(core.table.sandboxes.values())
        if sandbox.record.ready
        and sandbox.id.startswith(wanted.id)
        and matches(wanted.label_selector, sandbox.record.config.labels)
    ]


async def _counters(core: Core) -> Counters:
    return await core.links.run(read_counters) if core.network is not None else {}


async def _stats(core: Core, sandbox: Sandbox, counters: Counters) -> t.PodSandboxStats:
    """The pod's cgroup where it has one of its own, its link, and its running containers."""
    config, now = sandbox.record.config, core.now()
    usage = await core.files.run(read_usage, Cgroup(core.cgroup_parent(config)))
    running = core.table.containers_of(sandbox.id, lambda each: each.state == t.ContainerState.CONTAINER_RUNNING)
    return t.PodSandboxStats(
        attributes=t.PodSandboxAttributes(
            id=sandbox.id, metadata=config.metadata, labels=config.labels, annotations=config.annotations
        ),
        linux=t.LinuxPodSandboxStats(
            cpu=cpu_usage(usage, now),
            memory=memory_usage(usage, now),
            network=_network(core, sandbox, counters, now),
            process=t.ProcessUsage(timestamp=now, process_count=number(usage.processes)),
            containers=[await stats_of(core, container) for container in running],
        ),
    )


def _network(core: Core, sandbox: Sandbox, counters: Counters, now: int) -> t.NetworkUsage | None:
    """Counted at the node's end of the link, where receiving is the pod's sending."""
    if core.network is None or not sandbox.record.address:
        return None
    link = counters.get(core.network.link_name(sandbox.id))
    if link is None:
        return None
    usage = t.NetworkInterfaceUsage(
        name=_INTERFACE,
        rx_bytes=t.UInt64Value(value=link.sent),
        rx_errors=t.UInt64Value(value=link.send_errors),
        tx_bytes=t.UInt64Value(value=link.received),
        tx_errors=t.UInt64Value(value=link.receive_errors),
    )
    return t.NetworkUsage(timestamp=now, default_interface=usage, interfaces=[usage])
