"""Resources that change in place: what a pod is granted of what its spec asks, and how that is told (KEP-1287). Pure.

A worker goes by the granted resources in everything: a pod that must wait for more runs on with what it has.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct, field

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.podspec import AnyContainer

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"
POD = ""
"""The pod as a whole, among its containers."""
DEFERRED, INFEASIBLE = "Deferred", "Infeasible"

replace = msgspec.structs.replace


class Refusal(Struct, frozen=True):
    """Why the node cannot give what is asked: for now (Deferred), or ever (Infeasible)."""

    reason: str
    message: str


Room = Callable[[v1.Pod], Refusal | None]
"""Whether a pod as it asks to be fits beside the others of the node."""


class Resizing(Struct, frozen=True):
    """Where a pod stands: what of it waits, what is being changed (containers by name, the pod as "") and what went wrong."""

    refusal: Refusal | None = None
    containers: frozenset[str] = field(default_factory=frozenset)
    error: str = ""


def granted_before(pod: v1.Pod) -> dict[str, v1.ResourceRequirements]:
    """What an earlier kubelet granted: as the status has it, where the pod still waits for what it asks."""
    if not any(condition.type == PENDING for condition in pod.status.conditions):
        return resources_of(pod)
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    told = {status.name: status.resources for status in statuses if status.resources is not None}
    if pod.spec.resources is not None and pod.status.resources is not None:
        told[POD] = _named_as(pod.spec.resources, pod.status.resources)
    return resources_of(pod) | told


def _named_as(asked: v1.ResourceRequirements, told: v1.ResourceRequirements) -> v1.ResourceRequirements:
    """Of what a status tells what a spec names, too."""
    return v1.ResourceRequirements(
        requests={name: amount for name, amount in told.requests.items() if name in asked.requests},
        limits={name: amount for name, amount in told.limits.items() if name in asked.limits},
    )


def resources_of(pod: v1.Pod) -> dict[str, v1.ResourceRequirements]:
    """By container; those of the pod as a whole, if it has some, under "" (`POD`)."""
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    found = {one.name: one.resources or v1.ResourceRequirements() for one in containers}
    return found if pod.spec.resources is None else found | {POD: pod.spec.resources}


def with_resources(pod: v1.Pod, granted: Mapping[str, v1.ResourceRequirements]) -> v1.Pod:
    """The pod with these resources in place of those that its spec asks for."""
    if resources_of(pod) == granted:
        return pod

    def given(containers: list[v1.Container]) -> list[v1.Container]:
        return [replace(one, resources=granted.get(one.name, one.resources)) for one in containers]

    whole = granted.get(POD, pod.spec.resources)
    spec = replace(
        pod.spec,
        resources=whole,
        containers=given(pod.spec.containers),
        init_containers=given(pod.spec.init_containers),
    )
    return replace(pod, spec=spec)


def is_off(container: AnyContainer, wanted: t.LinuxContainerResources, actual: t.ContainerResources | None) -> set[str]:
    """The resources ("cpu", "memory") of a running container that are not as they should be.

    A runtime that does not say what they are is believed. A limit that is not wanted any more stays: there is no
    way to ask for that (0 means unchanged).
    """
    if actual is None or actual.linux is None or isinstance(container, v1.EphemeralContainer):
        return set()
    found, off = actual.linux, set[str]()
    if wanted.cpu_shares != found.cpu_shares or (wanted.cpu_quota and wanted.cpu_quota != found.cpu_quota):
        off.add("cpu")
    if wanted.memory_limit_in_bytes and wanted.memory_limit_in_bytes != found.memory_limit_in_bytes:
        off.add("memory")
    return off


def needs_restart(container: AnyContainer, resources: set[str]) -> bool:
    """Whether the container's resizePolicy wants it started anew for a change of one of these."""
    return any(
        policy.restart_policy == "RestartContainer" and policy.resource_name in resources
        for policy in container.resize_policy
    )


def summary(pod: v1.Pod, generation: int, error: str = "") -> str:
    """The resources of a pod's containers as upstream's events tell them."""
    told: dict[str, object] = {}
    for name, containers in (("initContainers", pod.spec.init_containers), ("containers", pod.spec.containers)):
        if containers:
            told[name] = [{"name": one.name, "resources": one.resources or {}} for one in containers]
    told["generation"] = generation
    if error:
        told["error"] = error
    return msgspec.json.encode(told).decode()


def conditions(resizing: Resizing) -> list[v1.PodCondition]:
    """The conditions that stand while a resize waits or goes on."""
    made = []
    if (refusal := resizing.refusal) is not None:
        made.append(v1.PodCondition(type=PENDING, status="True", reason=refusal.reason, message=refusal.message))
    if resizing.error:
        made.append(v1.PodCondition(type=IN_PROGRESS, status="True", reason="Error", message=resizing.error))
    elif resizing.containers:
        made.append(v1.PodCondition(type=IN_PROGRESS, status="True"))
    return made
