"""/stats/summary and /metrics/resource, from what the runtime counts."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.cri import types as t
from pybernetes.kubelet import names
from pybernetes.kubelet.volumes.usage import VolumeUsage

NANOSECONDS = 10**9


class NodeUse(NamedTuple):
    """What the whole machine has used: CPU seconds since its start, bytes in use, and when that was."""

    cpu_seconds: float
    working_set: int
    time: float


def summary(
    node_name: str,
    pods: Iterable[t.PodSandboxStats],
    node: Mapping[str, int],
    now: float,
    volumes: Iterable[VolumeUsage] = (),
) -> Tree:
    """The Summary of upstream's stats API (v1alpha1), as far as the runtime counts, and drivers tell."""
    listed, of_pods = list(pods), _by_pod(volumes, now)
    return {
        "node": {
            "nodeName": node_name,
            "cpu": _cpu_of(sum(_core_nanoseconds(pod) for pod in listed), now),
            "memory": {"time": format_time(now)} | dict(node),
        },
        "pods": [_with(_pod(pod), of_pods) for pod in listed if pod.attributes],
    }


def _by_pod(volumes: Iterable[VolumeUsage], now: float) -> dict[str, list[Tree]]:
    found: dict[str, list[Tree]] = {}
    for each in volumes:
        usage = each.usage
        numbers = {
            "availableBytes": usage.available, "capacityBytes": usage.capacity, "usedBytes": usage.used,
            "inodesFree": usage.inodes_free, "inodes": usage.inodes, "inodesUsed": usage.inodes_used,
        }  # fmt: skip
        made: Tree = {"time": format_time(now), "name": each.name} | {
            name: number for name, number in numbers.items() if number is not None
        }
        if each.claim:
            made["pvcRef"] = {"name": each.claim, "namespace": each.namespace}
        found.setdefault(each.uid, []).append(made)
    return found


def _with(pod: Tree, volumes: Mapping[str, list[Tree]]) -> Tree:
    listed = volumes.get(pod["podRef"]["uid"])
    return pod | {"volume": listed} if listed else pod


def _cpu_of(nanoseconds: int, now: float) -> Tree:
    return {"time": format_time(now), "usageCoreNanoSeconds": nanoseconds}


def _core_nanoseconds(pod: t.PodSandboxStats) -> int:
    return _value(pod.linux.cpu.usage_core_nano_seconds) if pod.linux and pod.linux.cpu else 0


def _value(given: t.UInt64Value | None) -> int:
    return given.value if given else 0


def _pod(stats: t.PodSandboxStats) -> Tree:
    labels = stats.attributes.labels if stats.attributes else {}
    linux = stats.linux or t.LinuxPodSandboxStats()
    made: Tree = {
        "podRef": {
            "name": labels.get(names.POD_NAME, ""),
            "namespace": labels.get(names.POD_NAMESPACE, ""),
            "uid": labels.get(names.POD_UID, ""),
        },
        "containers": [_container(container) for container in linux.containers],
        "cpu": _cpu(linux.cpu),
        "memory": _memory(linux.memory),
    }
    if linux.network:
        made["network"] = _network(linux.network)
    return made


def _container(stats: t.ContainerStats) -> Tree:
    name = stats.attributes.metadata.name if stats.attributes and stats.attributes.metadata else ""
    made = {"name": name, "cpu": _cpu(stats.cpu), "memory": _memory(stats.memory)}
    if stats.writable_layer:
        made["rootfs"] = {"usedBytes": _value(stats.writable_layer.used_bytes)}
    return made


def _cpu(usage: t.CpuUsage | None) -> Tree:
    if usage is None:
        return {}
    return {
        "time": format_time(usage.timestamp // NANOSECONDS),
        "usageNanoCores": _value(usage.usage_nano_cores),
        "usageCoreNanoSeconds": _value(usage.usage_core_nano_seconds),
    }


def _memory(usage: t.MemoryUsage | None) -> Tree:
    if usage is None:
        return {}
    return {
        "time": format_time(usage.timestamp // NANOSECONDS),
        "usageBytes": _value(usage.usage_bytes),
        "workingSetBytes": _value(usage.working_set_bytes),
        "rssBytes": _value(usage.rss_bytes),
        "pageFaults": _value(usage.page_faults),
        "majorPageFaults": _value(usage.major_page_faults),
    }


def _network(usage: t.NetworkUsage) -> Tree:
    default = usage.default_interface or t.NetworkInterfaceUsage()
    return {
        "time": format_time(usage.timestamp // NANOSECONDS),
        "name": default.name,
        "rxBytes": _value(default.rx_bytes),
        "rxErrors": _value(default.rx_errors),
        "txBytes": _value(default.tx_bytes),
        "txErrors": _value(default.tx_errors),
    }


def resource_metrics(pods: Iterable[t.PodSandboxStats], node: NodeUse) -> str:
    """`/metrics/resource`: CPU seconds and working sets in Prometheus' text format."""
    cpu = ["# HELP container_cpu_usage_seconds_total Cumulative cpu time consumed by the container in core-seconds", "# TYPE container_cpu_usage_seconds_total counter"]  # fmt: skip
    memory = ["# HELP container_memory_working_set_bytes Current working set of the container in bytes", "# TYPE container_memory_working_set_bytes gauge"]  # fmt: skip
    pod_cpu = ["# HELP pod_cpu_usage_seconds_total Cumulative cpu time consumed by the pod in core-seconds", "# TYPE pod_cpu_usage_seconds_total counter"]  # fmt: skip
    pod_memory = ["# HELP pod_memory_working_set_bytes Current working set of the pod in bytes", "# TYPE pod_memory_working_set_bytes gauge"]  # fmt: skip
    for stats in pods:
        labels = stats.attributes.labels if stats.attributes else {}
        where = f'namespace="{labels.get(names.POD_NAMESPACE, "")}",pod="{labels.get(names.POD_NAME, "")}"'
        linux = stats.linux or t.LinuxPodSandboxStats()
        _append(pod_cpu, pod_memory, "pod", where, linux.cpu, linux.memory)
        for container in linux.containers:
            metadata = container.attributes.metadata if container.attributes else None
            own = f'container="{metadata.name if metadata else ""}",{where}'
            _append(cpu, memory, "container", own, container.cpu, container.memory)
    return "\n".join([*cpu, *memory, *_node_lines(node), *pod_cpu, *pod_memory]) + "\n"


def start_times(pods: Iterable[tuple[str, str, str, int]]) -> str:
    """`container_start_time_seconds`, of namespaces, pods, containers and nanoseconds."""
    lines = [
        "# HELP container_start_time_seconds Start time of the container since unix epoch in seconds",
        "# TYPE container_start_time_seconds gauge",
    ]
    for namespace, pod, container, nanoseconds in pods:
        labels = f'container="{container}",namespace="{namespace}",pod="{pod}"'
        lines.append(f"container_start_time_seconds{{{labels}}} {nanoseconds / NANOSECONDS}")
    return "\n".join(lines) + "\n"


def scrape_error(failed: bool) -> str:
    return (
        "# HELP resource_scrape_error 1 if there was an error while getting container metrics, 0 otherwise\n"
        f"# TYPE resource_scrape_error gauge\nresource_scrape_error {int(failed)}\n"
    )


def _node_lines(node: NodeUse) -> list[str]:
    moment = round(node.time * 1000)
    return [
        "# HELP node_cpu_usage_seconds_total Cumulative cpu time consumed by the node in core-seconds",
        "# TYPE node_cpu_usage_seconds_total counter",
        f"node_cpu_usage_seconds_total {node.cpu_seconds} {moment}",
        "# HELP node_memory_working_set_bytes Current working set of the node in bytes",
        "# TYPE node_memory_working_set_bytes gauge",
        f"node_memory_working_set_bytes {node.working_set} {moment}",
    ]


def _append(
    cpu_lines: list[str], memory_lines: list[str], kind: str, labels: str, cpu: t.CpuUsage | None, memory: t.MemoryUsage | None
) -> None:  # fmt: skip
    if cpu is not None:
        seconds = _value(cpu.usage_core_nano_seconds) / NANOSECONDS
        cpu_lines.append(f"{kind}_cpu_usage_seconds_total{{{labels}}} {seconds} {cpu.timestamp // 10**6}")
    if memory is not None:
        size = _value(memory.working_set_bytes)
        memory_lines.append(f"{kind}_memory_working_set_bytes{{{labels}}} {size} {memory.timestamp // 10**6}")
