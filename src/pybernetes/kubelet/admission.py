"""Whether a pod fits this node: the kubelet's own check, for pods that were bound past the scheduler. Pure."""

from collections.abc import Iterable, Sequence

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet import sysctls
from pybernetes.kubelet.cgroups import pod_request
from pybernetes.kubelet.eviction.decide import pressure_refusal
from pybernetes.kubelet.resizing import DEFERRED, INFEASIBLE, Refusal
from pybernetes.kubelet.status.context import Verdict

_WORDS = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "ephemeral-storage"}
FAILED = "Pod was rejected: "


def admit(pod: v1.Pod, node: v1.Node, others: Iterable[v1.Pod], allowed_sysctls: Sequence[str] = ()) -> Verdict | None:
    """None if the pod may run beside the others; else why not, with upstream's reasons."""
    running = list(others)
    if pod.spec.os and pod.spec.os.name != "linux":
        return Verdict("PodOSNotSupported", f"{FAILED}Failed to admit pod as the OS field doesn't match node OS")
    if words := sysctls.refusal(pod, allowed_sysctls):
        return Verdict("SysctlForbidden", FAILED + words)
    if words := pressure_refusal(pod, node.status.conditions):
        return Verdict("Evicted", FAILED + words)
    return _fits_resources(pod, node, running) or _matches_node(pod, node) or _has_ports(pod, running)


def _fits_resources(pod: v1.Pod, node: v1.Node, others: list[v1.Pod]) -> Verdict | None:
    allocatable = node.status.allocatable
    limit = int(allocatable.get("pods", 0) or 0)
    if limit and len(others) + 1 > limit:
        message = f"Node didn't have enough resource: pods, requested: 1, used: {len(others)}, capacity: {limit}"
        return Verdict("OutOfpods", FAILED + message)
    for name, given in allocatable.items():
        if name == "pods":
            continue
        requested = pod_request(pod, name)
        if not requested:
            continue
        used = sum((pod_request(other, name) for other in others), Quantity())
        total = Quantity.parse(given)
        if requested + used > total:
            amounts = [q.milli_value if name == "cpu" else q.value for q in (requested, used, total)]
            message = (
                f"Node didn't have enough resource: {name}, "
                f"requested: {amounts[0]}, used: {amounts[1]}, capacity: {amounts[2]}"
            )
            return Verdict(f"OutOf{_WORDS.get(name, name)}", FAILED + message)
    return None


def resize_refusal(pod: v1.Pod, node: v1.Node, others: Iterable[v1.Pod]) -> Refusal | None:
    """Why a running pod cannot have the resources that it asks for now; None if it can."""
    running = list(others)
    for name in ("cpu", "memory"):
        if name not in node.status.allocatable:
            continue
        total = Quantity.parse(node.status.allocatable[name])
        requested = pod_request(pod, name)
        used = sum((pod_request(other, name) for other in running), Quantity())
        amounts = [q.milli_value if name == "cpu" else q.value for q in (requested, used, total)]
        if requested > total:
            words = f"Node didn't have enough capacity: {name}, requested: {amounts[0]}, capacity: {amounts[2]}"
            return Refusal(INFEASIBLE, words)
        if requested + used > total:
            words = f"Node didn't have enough resource: {name}, requested: {amounts[0]}, used: {amounts[1]}, capacity: {amounts[2]}"
            return Refusal(DEFERRED, words)
    return None


def _matches_node(pod: v1.Pod, node: v1.Node) -> Verdict | None:
    labels, name = node.metadata.labels, node.metadata.name or ""
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    matches = all(labels.get(key) == value for key, value in pod.spec.node_selector.items())
    if matches and required:
        matches = any(_term_matches(term, labels, name) for term in required.node_selector_terms)
    if matches:
        return None
    return Verdict(
        "NodeAffinity", f"{FAILED}Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    )


def _term_matches(term: v1.NodeSelectorTerm, labels: dict[str, str], name: str) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": name}
    return all(_requirement(r, labels) for r in term.match_expressions) and all(
        _requirement(r, fields) for r in term.match_fields
    )


def _requirement(requirement: v1.NodeSelectorRequirement, labels: dict[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" if value is not None and value.lstrip("-").isdigit():
            bound = int(requirement.values[0])
            return int(value) > bound if requirement.operator == "Gt" else int(value) < bound
    return False


def _has_ports(pod: v1.Pod, others: list[v1.Pod]) -> Verdict | None:
    taken = {port for other in others for port in _host_ports(other)}
    for ip, protocol, port in _host_ports(pod):
        if any(p == port and q == protocol and (ip == i or "0.0.0.0" in (ip, i)) for i, q, p in taken):
            message = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
            return Verdict("NodePorts", FAILED + message)
    return None


def _host_ports(pod: v1.Pod) -> list[tuple[str, str, int]]:
    return [
        (port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
        for container in [*pod.spec.init_containers, *pod.spec.containers]
        for port in container.ports
        if port.host_port
    ]
