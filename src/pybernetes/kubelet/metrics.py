"""What /metrics tells of this kubelet, under upstream's names."""

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from typing import Final

from pybernetes.api.scheme import API_LEVEL
from pybernetes.client.rest import Client
from pybernetes.cri import types as t
from pybernetes.kubelet.counted import Counted
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.pod.worker import PodWorker
from pybernetes.kubelet.podspec import is_static
from pybernetes.kubelet.volumes.setup import is_of_runtime, plugin_name
from pybernetes.kubelet.volumes.usage import Usage, Usages
from pybernetes.telemetry.metrics import Computed, Gauge, Registry
from pybernetes.telemetry.process import add_build_info, add_process_metrics

PROBE = "probe_type", "result", "container", "pod", "namespace", "pod_uid"
CLAIM: Final = ("namespace", "persistentvolumeclaim")
_Rows = Iterator[tuple[tuple[str, ...], float]]
_STATES: Final = {
    t.ContainerState.CONTAINER_CREATED: "created",
    t.ContainerState.CONTAINER_EXITED: "exited",
    t.ContainerState.CONTAINER_RUNNING: "running",
    t.ContainerState.CONTAINER_UNKNOWN: "unknown",
}


def node_metrics(kubelet: Kubelet, counted: Counted, client: Client, node: str, usages: Usages) -> Registry:
    """What is there is counted anew at each scrape; how full volumes are is as of the last look of `usages`."""
    registry = Registry()
    add_process_metrics(registry)
    add_build_info(registry, API_LEVEL)
    client.transport.tally.add_to(registry)
    named = [((node,), 1.0)]
    registry.add(Computed("kubelet_node_name", "The node's name. The count is always 1.", ("node",), lambda: named))
    counted.add_to(registry)
    _add_pods(registry, kubelet)
    _add_volumes(registry, kubelet, usages)
    return registry


def _add_pods(registry: Registry, kubelet: Kubelet) -> None:
    def running_pods() -> float:
        return sum(1 for worker in kubelet.workers() if worker.observed.ready_sandbox)

    def containers() -> _Rows:
        states = Tally(one.status.state for worker in kubelet.workers() for one in worker.observed.containers)
        yield from (((_STATES[state],), count) for state, count in states.items())

    def ephemeral() -> float:
        return sum(len(worker.pod.spec.ephemeral_containers) for worker in kubelet.workers())

    static = "static is true if the pod is not from the apiserver."
    registry.add(
        Gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", read=running_pods),
        Computed(
            "kubelet_running_containers", "Number of containers currently running", ("container_state",), containers
        ),
        Computed(
            "kubelet_desired_pods",
            f"The number of pods the kubelet is being instructed to run. {static}",
            ("static",),
            lambda: _by_source(kubelet.workers()),
        ),
        Computed(
            "kubelet_active_pods",
            "The number of pods the kubelet considers active and which are being considered when admitting new pods. "
            + static,
            ("static",),
            lambda: _by_source(list(kubelet.active())),
        ),
        Gauge(
            "kubelet_managed_ephemeral_containers",
            "Current number of ephemeral containers in pods managed by this kubelet.",
            read=ephemeral,
        ),
    )


def _by_source(workers: list[PodWorker]) -> _Rows:
    static = sum(is_static(worker.pod) for worker in workers)
    yield ("",), len(workers) - static
    yield ("true",), static


def _add_volumes(registry: Registry, kubelet: Kubelet, usages: Usages) -> None:
    def volumes() -> _Rows:
        for state in ("actual_state_of_world", "desired_state_of_world"):
            plugins = Tally(
                plugin_name(volume)
                for worker in kubelet.workers()
                for volume in worker.pod.spec.volumes
                if not is_of_runtime(volume) and (state[0] == "d" or volume.name in worker.volume_paths)
            )
            yield from (((plugin, state), count) for plugin, count in plugins.items())

    registry.add(
        Computed(
            "volume_manager_total_volumes", "Number of volumes in Volume Manager", ("plugin_name", "state"), volumes
        )
    )
    for name, help, read in (
        ("capacity_bytes", "Capacity in bytes of the volume", lambda usage: usage.capacity),
        ("available_bytes", "Number of available bytes in the volume", lambda usage: usage.available),
        ("used_bytes", "Number of used bytes in the volume", lambda usage: usage.used),
        ("inodes", "Maximum number of inodes in the volume", lambda usage: usage.inodes),
        ("inodes_free", "Number of free inodes in the volume", lambda usage: usage.inodes_free),
        ("inodes_used", "Number of used inodes in the volume", lambda usage: usage.inodes_used),
    ):
        rows = lambda read=read: _claims(usages, read)  # noqa: E731
        registry.add(Computed(f"kubelet_volume_stats_{name}", help, CLAIM, rows))


def _claims(usages: Usages, read: Callable[[Usage], int | None]) -> _Rows:
    """The claims of the node's pods that are set up, each once."""
    found = {(each.namespace, each.claim): read(each.usage) for each in usages.latest if each.claim}
    yield from ((claim, number) for claim, number in found.items() if number is not None)


def probe_metrics(kubelet: Kubelet) -> Registry:
    """How the probes of the pods that there are came out (`/metrics/probes`)."""

    def results() -> Iterator[tuple[tuple[str, ...], float]]:
        for worker in kubelet.workers():
            meta = worker.pod.metadata
            for (container, kind, result), count in worker.probe_results.items():
                yield (kind, result, container, meta.name or "", meta.namespace or "", meta.uid or ""), count

    words = "Cumulative number of a liveness, readiness or startup probe for a container by result."
    registry = Registry()
    registry.add(Computed("prober_probe_total", words, PROBE, results, kind="counter"))
    return registry
