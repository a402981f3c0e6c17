"""From a Service and its pods to backends: addresses, ports and conditions, before they are cut into objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from msgspec import Struct

from pybernetes.api.endpoints import ZONE_LABEL
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.controllers import pods as podstate

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS_LABEL = "service.kubernetes.io/headless"


class Port(Struct, frozen=True):
    """A port as a backend offers it; `name` is the Service port's."""

    name: str
    number: int
    protocol: str
    app_protocol: str | None = None


class Backend(Struct, frozen=True):
    """One pod at one address family; `ports` may differ from pod to pod, since they are found by name."""

    pod: core_v1.Pod
    address: str
    ports: tuple[Port, ...]
    ready: bool
    serving: bool
    terminating: bool
    hostname: str | None


def selects(service: core_v1.Service, labels: Mapping[str, str]) -> bool:
    """Whether the Service has a selector and it matches."""
    selector = service.spec.selector
    return bool(selector) and selector.items() <= labels.items()


def is_headless(service: core_v1.Service) -> bool:
    return service.spec.cluster_ip in (None, "", "None")


def is_managed(service: core_v1.Service) -> bool:
    """Whether its endpoints are ours to keep: it selects pods, and is more than a name."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def families_of(service: core_v1.Service) -> list[str]:
    """ "IPv4", "IPv6": those of the Service, in its order."""
    if service.spec.ip_families:
        return service.spec.ip_families
    address = service.spec.cluster_ip
    return ["IPv6" if address and ":" in address else "IPv4"]


def backends_of(service: core_v1.Service, pods: Iterable[core_v1.Pod], family: str) -> list[Backend]:
    """Every pod with an address of the family that is not finished, whether it can take traffic or not."""
    found = []
    for pod in pods:
        address = None if podstate.is_finished(pod) else address_of(pod, family)
        if address is not None:
            found.append(_backend(service, pod, address))
    return found


def address_of(pod: core_v1.Pod, family: str) -> str | None:
    addresses = [found.ip for found in pod.status.pod_ips] or ([pod.status.pod_ip] if pod.status.pod_ip else [])
    version = 6 if family == "IPv6" else 4
    return next((address for address in addresses if ip_address(address).version == version), None)


def _backend(service: core_v1.Service, pod: core_v1.Pod, address: str) -> Backend:
    terminating = pod.metadata.deletion_timestamp is not None
    serving = podstate.is_ready(pod)
    named = pod.spec.hostname and pod.spec.subdomain == service.metadata.name
    return Backend(
        pod=pod,
        address=address,
        ports=ports_of(service, pod),
        ready=bool(service.spec.publish_not_ready_addresses) or (serving and not terminating),
        serving=serving,
        terminating=terminating,
        hostname=pod.spec.hostname if named else None,
    )


def ports_of(service: core_v1.Service, pod: core_v1.Pod) -> tuple[Port, ...]:
    """The Service's ports as this pod offers them; one whose name no container knows is left out."""
    found = []
    for port in service.spec.ports:
        protocol = port.protocol or "TCP"
        number = _number(port.target_port if port.target_port is not None else port.port, protocol, pod)
        if number is not None:
            found.append(Port(port.name or "", number, protocol, port.app_protocol))
    return tuple(found)


def _number(target: int | str, protocol: str, pod: core_v1.Pod) -> int | None:
    if isinstance(target, int):
        return target
    sidecars = [container for container in pod.spec.init_containers if container.restart_policy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        for port in container.ports:
            if port.name == target and (port.protocol or "TCP") == protocol:
                return port.container_port
    return None


def shape_of(pod: core_v1.Pod) -> tuple[object, ...]:
    """All of a pod that backends are made of: while it stays the same, so do they."""
    return (
        pod.metadata.labels,
        pod.metadata.deletion_timestamp is None,
        podstate.is_finished(pod),
        podstate.is_ready(pod),
        pod.status.pod_ip,
        pod.status.pod_ips,
        pod.spec.node_name,
    )


def reference_to(pod: core_v1.Pod) -> core_v1.ObjectReference:
    meta = pod.metadata
    return core_v1.ObjectReference(kind="Pod", name=meta.name, namespace=meta.namespace, uid=meta.uid)


def endpoint_of(backend: Backend, nodes: Mapping[str, core_v1.Node]) -> discovery_v1.Endpoint:
    """The backend as an EndpointSlice tells it."""
    node = nodes.get(backend.pod.spec.node_name or "")
    return discovery_v1.Endpoint(
        addresses=[backend.address],
        conditions=discovery_v1.EndpointConditions(
            ready=backend.ready, serving=backend.serving, terminating=backend.terminating
        ),
        hostname=backend.hostname,
        node_name=backend.pod.spec.node_name,
        zone=node.metadata.labels.get(ZONE_LABEL) if node is not None else None,
        target_ref=reference_to(backend.pod),
    )


def trigger_time(service: core_v1.Service, pods: Iterable[core_v1.Pod]) -> str | None:
    """When the change happened that endpoints answer to: the last time a pod's readiness moved."""
    moments = [found.last_transition_time for pod in pods if (found := podstate.condition(pod, "Ready"))]
    return max((moment for moment in moments if moment), default=service.metadata.creation_timestamp)
