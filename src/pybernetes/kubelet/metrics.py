"""What /metrics tells of this kubelet, under upstream's names."""

from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.telemetry.metrics import Gauge, Registry


def node_metrics(kubelet: Kubelet) -> Registry:
    """Counted anew at each scrape."""

    def running_pods() -> float:
        return sum(1 for worker in kubelet.workers() if worker.observed.ready_sandbox)

    def running_containers() -> float:
        return sum(len(worker.observed.running) for worker in kubelet.workers())

    def desired_pods() -> float:
        return len(kubelet.workers())

    registry = Registry()
    registry.add(
        Gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", read=running_pods),
        Gauge("kubelet_running_containers", "Number of containers currently running", read=running_containers),
        Gauge("kubelet_desired_pods", "The number of pods the kubelet is being instructed to run.", read=desired_pods),
    )
    return registry
