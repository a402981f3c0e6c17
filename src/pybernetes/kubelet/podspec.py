"""Reading a pod: its containers of all kinds, its names as upstream prints them, its grace."""

from collections.abc import Iterator
from typing import TypeAlias

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet import names

AnyContainer: TypeAlias = v1.Container | v1.EphemeralContainer
DEFAULT_GRACE_SECONDS = 30


def all_containers(pod: v1.Pod) -> Iterator[AnyContainer]:
    """Init, regular and ephemeral containers, in that order."""
    yield from pod.spec.init_containers
    yield from pod.spec.containers
    yield from pod.spec.ephemeral_containers


def container_of(pod: v1.Pod, name: str) -> AnyContainer | None:
    return next((container for container in all_containers(pod) if container.name == name), None)


def is_sidecar(container: AnyContainer) -> bool:
    """An init container that keeps running (KEP-753)."""
    return container.restart_policy == "Always"


def sidecars(pod: v1.Pod) -> list[v1.Container]:
    return [container for container in pod.spec.init_containers if is_sidecar(container)]


def field_path(pod: v1.Pod, name: str) -> str:
    """Where the container is inside the pod, as events refer to it: `spec.containers{web}`."""
    if any(c.name == name for c in pod.spec.init_containers):
        return f"spec.initContainers{{{name}}}"
    if any(c.name == name for c in pod.spec.ephemeral_containers):
        return f"spec.ephemeralContainers{{{name}}}"
    return f"spec.containers{{{name}}}"


def name_of(pod: v1.Pod) -> str:
    return pod.metadata.name or ""


def namespace_of(pod: v1.Pod) -> str:
    return pod.metadata.namespace or "default"


def uid_of(pod: v1.Pod) -> str:
    return pod.metadata.uid or ""


def full_name(pod: v1.Pod) -> str:
    """`name_namespace(uid)`, the form of upstream's messages."""
    return f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"


def grace_seconds(pod: v1.Pod) -> int:
    """What a deletion of the pod leaves its containers; never below one second, so that they can be told."""
    grace = pod.metadata.deletion_grace_period_seconds
    if grace is None:
        grace = pod.spec.termination_grace_period_seconds
    return max(1, DEFAULT_GRACE_SECONDS if grace is None else grace)


def is_static(pod: v1.Pod) -> bool:
    """From a file on this node, not from the API."""
    return pod.metadata.annotations.get(names.CONFIG_SOURCE, "api") != "api"


def is_mirror(pod: v1.Pod) -> bool:
    """The API's image of a static pod."""
    return names.CONFIG_MIRROR in pod.metadata.annotations


def is_terminal(pod: v1.Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")
