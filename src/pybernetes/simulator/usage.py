"""What simulated containers use. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from pybernetes.api.quantity import NANO, Quantity
from pybernetes.simulator.stages import Behaviour
from pybernetes.simulator.view import Container

USUAL: Final = "50%"
"""Of what is requested; of a limit, where nothing is."""
CPU_WITHOUT_REQUEST: Final = "5m"
MEMORY_WITHOUT_REQUEST: Final = "16Mi"


class Counter(Struct, frozen=True):
    """CPU seconds that were used until a moment."""

    seconds: float
    moment: float


class Use(Struct, frozen=True):
    """Of one container: its name, CPU seconds so far, and bytes of memory."""

    namespace: str
    pod: str
    container: str
    cpu_seconds: float
    memory: int


def cores(container: Container, behaviour: Behaviour) -> float:
    return _amount("cpu", container, behaviour.cpu, CPU_WITHOUT_REQUEST)


def memory(container: Container, behaviour: Behaviour) -> int:
    return int(_amount("memory", container, behaviour.memory, MEMORY_WITHOUT_REQUEST))


def _amount(resource: str, container: Container, said: str, otherwise: str) -> float:
    asked: Any = container.resources.requests.get(resource) or container.resources.limits.get(resource)
    said = said or (USUAL if asked else otherwise)
    if not said.endswith("%"):
        return Quantity.parse(said).nanos / NANO
    base = Quantity.parse(asked if asked is not None else otherwise)
    return base.nanos / NANO * float(said[:-1]) / 100


def counted(known: Counter | None, started: float, rate: float, now: float) -> Counter:
    """The counter of a container that runs since `started`; a container that starts anew counts from 0."""
    if known is None or known.moment < started:
        known = Counter(0.0, started)
    return Counter(known.seconds + max(0.0, now - known.moment) * rate, max(now, known.moment))


def resource_metrics(uses: Iterable[Use], now: float) -> str:
    """`/metrics/resource` of a kubelet (Prometheus' text format); the node is the sum of its containers."""
    listed, moment = list(uses), round(now * 1000)
    pods: dict[tuple[str, str], tuple[float, int]] = {}
    for use in listed:
        seconds, size = pods.get((use.namespace, use.pod), (0.0, 0))
        pods[use.namespace, use.pod] = seconds + use.cpu_seconds, size + use.memory
    lines = ["# TYPE container_cpu_usage_seconds_total counter"]
    lines += [f"container_cpu_usage_seconds_total{{{_named(use)}}} {use.cpu_seconds:.9f} {moment}" for use in listed]
    lines += ["# TYPE container_memory_working_set_bytes gauge"]
    lines += [f"container_memory_working_set_bytes{{{_named(use)}}} {use.memory} {moment}" for use in listed]
    lines += ["# TYPE node_cpu_usage_seconds_total counter"]
    lines += [f"node_cpu_usage_seconds_total {sum(use.cpu_seconds for use in listed):.9f} {moment}"]
    lines += ["# TYPE node_memory_working_set_bytes gauge"]
    lines += [f"node_memory_working_set_bytes {sum(use.memory for use in listed)} {moment}"]
    where = {key: f'namespace="{key[0]}",pod="{key[1]}"' for key in pods}
    lines += ["# TYPE pod_cpu_usage_seconds_total counter"]
    lines += [f"pod_cpu_usage_seconds_total{{{where[key]}}} {each[0]:.9f} {moment}" for key, each in pods.items()]
    lines += ["# TYPE pod_memory_working_set_bytes gauge"]
    lines += [f"pod_memory_working_set_bytes{{{where[key]}}} {each[1]} {moment}" for key, each in pods.items()]
    return "\n".join(lines) + "\n"


def _named(use: Use) -> str:
    return f'container="{use.container}",namespace="{use.namespace}",pod="{use.pod}"'
