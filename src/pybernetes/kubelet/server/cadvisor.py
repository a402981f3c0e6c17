"""/metrics/cadvisor: what containers and pods use, under the names and labels that dashboards and rules look for.

The figures are the runtime's, by CRI; what it does not count (file system operations, sockets, ...) has no line. A row
of a pod has no container's name, as upstream has it for cgroups of pods and for networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet import names
from pybernetes.kubelet.cgroups import cgroup_parent, container_resources
from pybernetes.kubelet.observed import ObservedContainer
from pybernetes.kubelet.podspec import AnyContainer

NANOSECONDS: Final = 10**9
_FAMILIES: Final = {
    "container_cpu_usage_seconds_total": ("counter", "Cumulative cpu time consumed in seconds."),
    "container_fs_usage_bytes": ("gauge", "Number of bytes that are consumed by the container on this filesystem."),
    "container_last_seen": ("gauge", "Last time a container was seen by the exporter"),
    "container_memory_failures_total": ("counter", "Cumulative count of memory allocation failures."),
    "container_memory_rss": ("gauge", "Size of RSS in bytes."),
    "container_memory_swap": ("gauge", "Container swap usage in bytes."),
    "container_memory_usage_bytes": ("gauge", "Current memory usage in bytes, including all memory regardless of when it was accessed"),
    "container_memory_working_set_bytes": ("gauge", "Current working set in bytes."),
    "container_network_receive_bytes_total": ("counter", "Cumulative count of bytes received"),
    "container_network_receive_errors_total": ("counter", "Cumulative count of errors encountered while receiving"),
    "container_network_transmit_bytes_total": ("counter", "Cumulative count of bytes transmitted"),
    "container_network_transmit_errors_total": ("counter", "Cumulative count of errors encountered while transmitting"),
    "container_processes": ("gauge", "Number of processes running inside the container."),
    "container_scrape_error": ("gauge", "1 if there was an error while getting container metrics, 0 otherwise"),
    "container_spec_cpu_period": ("gauge", "CPU period of the container."),
    "container_spec_cpu_quota": ("gauge", "CPU quota of the container."),
    "container_spec_cpu_shares": ("gauge", "CPU share of the container."),
    "container_spec_memory_limit_bytes": ("gauge", "Memory limit for the container."),
    "container_start_time_seconds": ("gauge", "Start time of the container since unix epoch in seconds."),
    "machine_cpu_cores": ("gauge", "Number of logical CPU cores."),
    "machine_memory_bytes": ("gauge", "Amount of memory installed on the machine."),
}  # fmt: skip


class Known(Struct, frozen=True):
    """What the kubelet knows of a container, and the runtime's figures do not say."""

    image: str = ""
    started_at: int = 0
    """Nanoseconds."""
    resources: t.LinuxContainerResources = t.LinuxContainerResources()


class Place(Struct, frozen=True):
    """A pod's cgroup, and its containers by id."""

    cgroup: str
    containers: Mapping[str, Known]


def place_of(pod: v1.Pod, running: Iterable[ObservedContainer], root: str, memory: int) -> Place:
    """Of a pod whose cgroup is below `root`, on a machine with so much memory."""
    specs: list[AnyContainer] = [*pod.spec.init_containers, *pod.spec.containers, *pod.spec.ephemeral_containers]
    by_name = {one.name: one for one in specs}
    known = {
        one.id: Known(
            by_name[one.name].image or "",  # runtimes that know an image by its digest do not tell its name
            one.status.started_at,
            container_resources(pod, by_name[one.name], memory),
        )
        for one in running
        if one.name in by_name
    }
    return Place(cgroup_parent(pod, root), known)


class Machine(Struct, frozen=True):
    """`labels` say which one it is."""

    cores: int
    memory: int
    labels: Mapping[str, str]


class _Page:
    """Lines of each family, in the order of their names."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def add(self, family: str, labels: Mapping[str, str], value: float | None, milliseconds: int = 0) -> None:
        """Nothing for what is not counted."""
        if value is None:
            return
        told = ",".join(f'{name}="{_escaped(text)}"' for name, text in sorted(labels.items()))
        when = f" {milliseconds}" if milliseconds else ""
        self._lines.setdefault(family, []).append(
            f"{family}{{{told}}} {value}{when}" if told else f"{family} {value}{when}"
        )

    def text(self) -> str:
        out: list[str] = []
        for family in sorted(self._lines):
            kind, words = _FAMILIES[family]
            out += [f"# HELP {family} {words}", f"# TYPE {family} {kind}", *self._lines[family]]
        return "\n".join(out) + "\n"


def cadvisor_metrics(
    pods: Iterable[t.PodSandboxStats] | None, places: Mapping[str, Place], machine: Machine, now: float
) -> str:
    """The page; `pods` is None where the runtime does not answer, `places` are by the pods' uids."""
    page = _Page()
    page.add("container_scrape_error", {}, int(pods is None))
    page.add("machine_cpu_cores", machine.labels, machine.cores)
    page.add("machine_memory_bytes", machine.labels, machine.memory)
    for stats in pods or ():
        if stats.attributes is not None:
            _pod(page, stats, stats.attributes, places, now)
    return page.text()


def _pod(
    page: _Page, stats: t.PodSandboxStats, attributes: t.PodSandboxAttributes, places: Mapping[str, Place], now: float
) -> None:
    own = attributes.labels
    place = places.get(own.get(names.POD_UID, "")) or Place("", {})
    linux = stats.linux or t.LinuxPodSandboxStats()
    where = {"namespace": own.get(names.POD_NAMESPACE, ""), "pod": own.get(names.POD_NAME, "")}
    labels = {**where, "container": "", "image": "", "name": "", "id": place.cgroup}
    _used(page, labels, linux.cpu, linux.memory)
    if linux.process is not None:
        page.add("container_processes", labels, _number(linux.process.process_count), linux.process.timestamp // 10**6)
    if linux.network is not None:
        sandbox = {**labels, "name": attributes.id, "id": f"{place.cgroup}/{attributes.id}"}
        _network(page, sandbox, linux.network)
    for container in linux.containers:
        if container.attributes is not None and container.attributes.metadata is not None:
            known = place.containers.get(container.attributes.id) or Known()
            named = {
                **where, "container": container.attributes.metadata.name, "image": known.image,
                "name": container.attributes.id, "id": f"{place.cgroup}/{container.attributes.id}",
            }  # fmt: skip
            _container(page, named, container, known, now)


def _container(page: _Page, labels: Mapping[str, str], stats: t.ContainerStats, known: Known, now: float) -> None:
    _used(page, labels, stats.cpu, stats.memory)
    if stats.swap is not None:
        page.add("container_memory_swap", labels, _number(stats.swap.swap_usage_bytes), stats.swap.timestamp // 10**6)
    if (layer := stats.writable_layer) is not None:
        disk = {**labels, "device": ""}
        page.add("container_fs_usage_bytes", disk, _number(layer.used_bytes), layer.timestamp // 10**6)
    page.add("container_last_seen", labels, int(now))
    if known.started_at:
        page.add("container_start_time_seconds", labels, known.started_at / NANOSECONDS)
        for family, value in _limits(known.resources):
            page.add(family, labels, value)


def _limits(resources: t.LinuxContainerResources) -> Iterator[tuple[str, int]]:
    yield "container_spec_cpu_period", resources.cpu_period
    yield "container_spec_cpu_shares", resources.cpu_shares
    if resources.cpu_quota:
        yield "container_spec_cpu_quota", resources.cpu_quota
    yield "container_spec_memory_limit_bytes", resources.memory_limit_in_bytes


def _used(page: _Page, labels: Mapping[str, str], cpu: t.CpuUsage | None, memory: t.MemoryUsage | None) -> None:
    if cpu is not None and cpu.usage_core_nano_seconds is not None:
        seconds = cpu.usage_core_nano_seconds.value / NANOSECONDS
        page.add("container_cpu_usage_seconds_total", {**labels, "cpu": "total"}, seconds, cpu.timestamp // 10**6)
    if memory is None:
        return
    moment = memory.timestamp // 10**6
    page.add("container_memory_usage_bytes", labels, _number(memory.usage_bytes), moment)
    page.add("container_memory_working_set_bytes", labels, _number(memory.working_set_bytes), moment)
    page.add("container_memory_rss", labels, _number(memory.rss_bytes), moment)
    for kind, count in (("pgfault", memory.page_faults), ("pgmajfault", memory.major_page_faults)):
        failure = {**labels, "failure_type": kind, "scope": "container"}
        page.add("container_memory_failures_total", failure, _number(count), moment)


def _network(page: _Page, labels: Mapping[str, str], usage: t.NetworkUsage) -> None:
    moment = usage.timestamp // 10**6
    for interface in usage.interfaces or [one for one in (usage.default_interface,) if one is not None]:
        own = {**labels, "interface": interface.name}
        page.add("container_network_receive_bytes_total", own, _number(interface.rx_bytes), moment)
        page.add("container_network_receive_errors_total", own, _number(interface.rx_errors), moment)
        page.add("container_network_transmit_bytes_total", own, _number(interface.tx_bytes), moment)
        page.add("container_network_transmit_errors_total", own, _number(interface.tx_errors), moment)


def _number(given: t.UInt64Value | None) -> int | None:
    return given.value if given is not None else None


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
