"""Where services are reached from this machine. Pure; objects are JSON trees.

The ranges of services and pods are routed to the cluster's bridge here, so that every kind of service has an address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Tree = Mapping[str, Any]

DOMAIN = 53
LOOPBACK = "127.0.0.1"
"""Node ports answer on it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One port of a service; `url` is empty if it has no address, and `note` says why."""

    namespace: str
    name: str
    kind: str
    target_port: str
    url: str
    note: str = ""


def entries(service: Tree) -> list[Entry]:
    """A line for each port. A service that has several ways in is given with the outermost."""
    meta, spec = service["metadata"], service["spec"]
    kind = spec.get("type", "ClusterIP")
    found = []
    for port in spec.get("ports") or [{}]:
        url, note = _way_in(service, kind, port)
        found.append(Entry(meta["namespace"], meta["name"], kind, _target(port), url, note))
    return found


def _way_in(service: Tree, kind: str, port: Tree) -> tuple[str, str]:
    spec = service["spec"]
    if kind == "ExternalName":
        return f"http://{spec['externalName']}{_suffix(port)}", ""
    if kind == "LoadBalancer":
        addresses = _balanced(service)
        return (_url(addresses[0], port["port"], port), "") if addresses else ("", "has no address yet")
    if kind == "NodePort":
        return _url(LOOPBACK, port["nodePort"], port), ""
    if spec.get("clusterIP") == "None":
        return "", "headless: its pods are reached by their own addresses"
    if "port" not in port:
        return "", "has no port"
    return _url(spec["clusterIP"], port["port"], port), ""


def _balanced(service: Tree) -> list[str]:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [each.get("ip") or each["hostname"] for each in ingress]


def _suffix(port: Tree) -> str:
    return f":{port['port']}" if port.get("port", 80) != 80 else ""


def _url(address: str, number: int, port: Tree) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{_scheme(port)}://{host}:{number}"


def _scheme(port: Tree) -> str:
    """http, unless the port is said to speak something else, or is that of names."""
    if port.get("protocol", "TCP") != "TCP" or port.get("port") == DOMAIN:
        return str(port.get("protocol", "TCP")).lower()
    said = f"{port.get('appProtocol', '')} {port.get('name', '')}"
    return "https" if "https" in said or port.get("port") == 443 else "http"


def _target(port: Tree) -> str:
    """As minikube writes it: the port's name and number."""
    if "port" not in port:
        return "-"
    name = port.get("name")
    return f"{name}/{port['port']}" if name else str(port["port"])


def has_ready(slices: Iterable[Tree]) -> bool:
    """Whether anybody answers for the service of these EndpointSlices."""
    return any(
        endpoint.get("conditions", {}).get("ready", True) and endpoint.get("addresses")
        for each in slices
        for endpoint in each.get("endpoints") or []
    )


def selector_of(service: Tree) -> str:
    """Its pods, as a label selector; "" if it selects none."""
    return ",".join(f"{key}={value}" for key, value in (service["spec"].get("selector") or {}).items())


def why_nobody_answers(service: Tree, pods: Iterable[Tree]) -> str:
    """The reason for a service without ready endpoints; `pods` are those that it selects."""
    selector = selector_of(service)
    if not selector:
        return "it has no selector, and nobody has made EndpointSlices for it"
    states = [_pod_state(pod) for pod in pods]
    if not states:
        return f"no pod in namespace {service['metadata']['namespace']} has the labels {selector}"
    more = f" (and {len(states) - 1} more)" if len(states) > 1 else ""
    return f"{states[0]}{more}"


def _pod_state(pod: Tree) -> str:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return f"pod {name} is being deleted"
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing", None):
            return f"pod {name}: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    for condition in status.get("conditions", []):
        if condition["status"] == "False" and condition.get("message"):
            return f"pod {name}: {condition['message']}"
    return f"pod {name} is {status.get('phase', 'Pending')}"
