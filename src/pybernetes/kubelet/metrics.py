"""What /metrics tells of this kubelet, under upstream's names."""

from collections.abc import Iterator

from pybernetes.api.scheme import API_LEVEL
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.telemetry.metrics import Computed, Gauge, Registry
from pybernetes.telemetry.process import add_build_info, add_process_metrics

PROBE = "probe_type", "result", "container", "pod", "namespace", "pod_uid"


def node_metrics(kubelet: Kubelet) -> Registry:
    """Counted anew at each scrape."""

    def running_pods() -> float:
        return sum(1 for worker in kubelet.workers() if worker.observed.ready_sandbox)

    def running_containers() -> float:
        return sum(len(worker.observed.running) for worker in kubelet.workers())

    def desired_pods() -> float:
        return len(kubelet.workers())

    registry = Registry()
    add_process_metrics(registry)
    add_build_info(registry, API_LEVEL)
    registry.add(
        Gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", read=running_pods),
        Gauge("kubelet_running_containers", "Number of containers currently running", read=running_containers),
        Gauge("kubelet_desired_pods", "The number of pods the kubelet is being instructed to run.", read=desired_pods),
    )
    return registry


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
