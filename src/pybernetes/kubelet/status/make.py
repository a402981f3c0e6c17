"""The whole status of a pod."""

import msgspec

from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.cgroups import pod_limit, pod_totals
from pybernetes.kubelet.qos import qos_class
from pybernetes.kubelet.restart import begins_anew
from pybernetes.kubelet.status.conditions import OWNED, conditions_of
from pybernetes.kubelet.status.containers import container_statuses
from pybernetes.kubelet.status.context import StatusContext
from pybernetes.kubelet.status.phase import phase_of


def make_status(context: StatusContext) -> v1.PodStatus:
    """The status as of this moment. Conditions of others are kept as they are; a terminal phase never goes back."""
    pod, known = context.pod, context.pod.status
    init, regular, ephemeral = _statuses(context)
    phase = "Failed" if context.verdict else phase_of(pod, init, regular)
    if known.phase in ("Succeeded", "Failed"):
        phase = known.phase
    elif not context.is_ending and not context.verdict and begins_anew(pod, context.observed):
        phase = "Running"  # whatever those that are killed for it look like meanwhile
    elif context.is_ended and phase in ("Pending", "Running"):
        phase = _ended_phase(regular)
    made = conditions_of(context, phase, init, regular)
    own = {*OWNED, *(condition.type for condition in made)}
    foreign = [condition for condition in known.conditions if condition.type not in own]
    pod_ips = _pod_ips(context)
    return v1.PodStatus(
        phase=phase,
        reason=context.verdict.reason if context.verdict else known.reason,
        message=context.verdict.message if context.verdict else known.message,
        conditions=[*made, *foreign],
        init_container_statuses=init,
        container_statuses=regular,
        ephemeral_container_statuses=ephemeral,
        host_ip=context.host_ips[0] if context.host_ips else None,
        host_ips=[v1.HostIP(ip=ip) for ip in context.host_ips],
        pod_ip=pod_ips[0] if pod_ips else None,
        pod_ips=[v1.PodIP(ip=ip) for ip in pod_ips],
        qos_class=known.qos_class or qos_class(pod),
        start_time=known.start_time or format_time(context.now),
        observed_generation=pod.metadata.generation,
        nominated_node_name=known.nominated_node_name,
        resize=known.resize,
        resources=_resources(context, phase),
        allocated_resources=pod_totals(pod).requests,
        resource_claim_statuses=known.resource_claim_statuses,
        extended_resource_claim_status=known.extended_resource_claim_status,
    )


def _resources(context: StatusContext, phase: str) -> v1.ResourceRequirements:
    """What the pod as a whole has (KEP-5419): all that is counted before it runs, then what its cgroup knows of.

    While that is being changed it is what it was.
    """
    pod, known = context.pod, context.pod.status.resources
    totals = pod_totals(pod)
    if phase != "Running":
        return totals
    if context.resizing.containers and known is not None:
        return known
    own = pod.spec.resources or v1.ResourceRequirements()
    limits = {name: totals.limits[name] for name in ("cpu", "memory") if pod_limit(pod, name)}
    requests = {name: totals.requests[name] for name in ("cpu", "memory") if name in totals.requests}
    return v1.ResourceRequirements(requests=own.requests | requests, limits=own.limits | limits)


def _statuses(
    context: StatusContext,
) -> tuple[list[v1.ContainerStatus], list[v1.ContainerStatus], list[v1.ContainerStatus]]:
    if context.rejected:
        return [], [], []
    spec, known = context.pod.spec, context.pod.status
    return (
        container_statuses(context, spec.init_containers, known.init_container_statuses),
        _with_devices(context, container_statuses(context, spec.containers, known.container_statuses)),
        container_statuses(context, spec.ephemeral_containers, known.ephemeral_container_statuses),
    )


def _with_devices(context: StatusContext, statuses: list[v1.ContainerStatus]) -> list[v1.ContainerStatus]:
    """What each has of devices, and how they are (KEP-4680)."""
    devices = [context.devices(container) for container in context.pod.spec.containers]
    return [
        msgspec.structs.replace(status, allocated_resources_status=found) if found else status
        for status, found in zip(statuses, devices, strict=True)
    ]


def _ended_phase(regular: list[v1.ContainerStatus]) -> str:
    """A pod that was ended from outside succeeded if each of its containers ran and left with 0."""
    codes = [s.state.terminated.exit_code if s.state and s.state.terminated else None for s in regular]
    return "Succeeded" if codes and all(code == 0 for code in codes) else "Failed"


def _pod_ips(context: StatusContext) -> list[str]:
    """The sandbox's addresses; those known before stay while the pod ends, so that its record keeps them."""
    if context.pod.spec.host_network:
        return list(context.host_ips)
    sandbox = context.observed.ready_sandbox
    if sandbox and sandbox.network and sandbox.network.ip:
        return [sandbox.network.ip, *(extra.ip for extra in sandbox.network.additional_ips)]
    known = context.pod.status
    if context.is_ended or context.is_ending or known.phase in ("Succeeded", "Failed"):
        return [entry.ip for entry in known.pod_ips]
    return []
