"""Pressures of the machine against the eviction thresholds. Pure but for the reading of /proc."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from pybernetes.api.quantity import Quantity
from pybernetes.cri import types as t
from pybernetes.kubelet.eviction.decide import DISK, Shortage
from pybernetes.kubelet.node.machine import Machine, read_machine, read_meminfo
from pybernetes.kubelet.node.status import Health, runtime_problem


class Thresholds(Struct, frozen=True):
    """Below these the node is under pressure; in bytes."""

    memory: int
    disk: int

    @classmethod
    def of(cls, given: Mapping[str, str], machine: Machine) -> "Thresholds":
        """From upstream's evictionHard: quantities, or percentages of the whole."""
        return cls(
            _threshold(given.get("memory.available", "0"), machine.memory_bytes),
            _threshold(given.get("nodefs.available", "0"), machine.disk_bytes),
        )

    @property
    def reserved(self) -> dict[str, Quantity]:
        """What allocatable must leave free."""
        return {"memory": Quantity.parse(self.memory), "ephemeral-storage": Quantity.parse(self.disk)}


def shortages(thresholds: Thresholds, root: Path) -> list[Shortage]:
    """What the machine has too little of now."""
    found = []
    memory = read_meminfo().get("MemAvailable", thresholds.memory)
    if memory < thresholds.memory:
        found.append(Shortage("memory", thresholds.memory, memory))
    free = read_machine(root).disk_free_bytes
    if free < thresholds.disk:
        found.append(Shortage(DISK, thresholds.disk, free))
    return found


def _threshold(text: str, whole: int) -> int:
    if text.endswith("%"):
        return int(whole * float(text[:-1]) / 100)
    return Quantity.parse(text).value


def health_of(machine: Machine, thresholds: Thresholds, runtime: t.StatusResponse) -> Health:
    """The node's conditions as of now."""
    return Health(
        problem=runtime_problem(runtime),
        memory_pressure=read_meminfo().get("MemAvailable", machine.memory_bytes) < thresholds.memory,
        disk_pressure=machine.disk_free_bytes < thresholds.disk,
        pid_pressure=_free_pids() < 1000,
    )


class Pressures(Struct):
    """A pressure stands for a while after it was last seen, so that a node at its limit does not swing to and fro."""

    period: float
    """Seconds."""
    _seen: dict[str, float] = field(default_factory=dict)
    """What is short -> when it was so last (monotonic)."""

    def steady(self, health: Health, now: float) -> Health:
        """The health as it is told."""

        def holds(name: str, seen: bool) -> bool:
            if seen:
                self._seen[name] = now
            return name in self._seen and now - self._seen[name] < self.period

        return replace(
            health,
            memory_pressure=holds("memory", health.memory_pressure),
            disk_pressure=holds("disk", health.disk_pressure),
            pid_pressure=holds("pid", health.pid_pressure),
        )


def _free_pids() -> int:
    try:
        limit = int(Path("/proc/sys/kernel/pid_max").read_text())
        used = int(Path("/proc/loadavg").read_text().split()[3].split("/")[1])
    except (OSError, ValueError, IndexError):
        return 1 << 20
    return limit - used
