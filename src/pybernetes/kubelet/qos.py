"""The QoS class of a pod (Guaranteed, Burstable, BestEffort): what the kernel gives up first."""

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1

COMPUTE = ("cpu", "memory")
GUARANTEED_OOM_SCORE = -997
BEST_EFFORT_OOM_SCORE = 1000


def qos_class(pod: v1.Pod) -> str:
    """By requests and limits of cpu and memory over all containers, or those of the pod itself if it has them."""
    if pod.spec.resources and (pod.spec.resources.requests or pod.spec.resources.limits):
        resources = [pod.spec.resources]
    else:
        containers = [*pod.spec.init_containers, *pod.spec.containers]
        resources = [container.resources or v1.ResourceRequirements() for container in containers]
    if not any(_amount(given, name) for r in resources for given in (r.requests, r.limits) for name in COMPUTE):
        return "BestEffort"
    return "Guaranteed" if all(_is_guaranteed(r) for r in resources) else "Burstable"


def _is_guaranteed(resources: v1.ResourceRequirements) -> bool:
    """Limits for both, and requests equal to them (an absent request is the limit)."""
    for name in COMPUTE:
        limit = _amount(resources.limits, name)
        if not limit or (name in resources.requests and _amount(resources.requests, name) != limit):
            return False
    return True


def _amount(given: dict[str, str | int | float], name: str) -> Quantity:
    return Quantity.parse(given.get(name, 0))


def oom_score_adj(pod: v1.Pod, container: v1.Container | v1.EphemeralContainer, memory_capacity: int) -> int:
    """-997 for Guaranteed, 1000 for BestEffort, between them by the share of the node's memory that is requested."""
    if (pod.spec.priority or 0) >= 2_000_000_000:
        return GUARANTEED_OOM_SCORE
    match qos_class(pod):
        case "Guaranteed":
            return GUARANTEED_OOM_SCORE
        case "BestEffort":
            return BEST_EFFORT_OOM_SCORE
    requests = container.resources.requests if container.resources else {}
    request = _amount(requests, "memory").value
    share = 1000 - 1000 * request // max(1, memory_capacity)
    if share < 1000 + GUARANTEED_OOM_SCORE:
        return 1000 + GUARANTEED_OOM_SCORE
    return share - 1 if share == BEST_EFFORT_OOM_SCORE else share
