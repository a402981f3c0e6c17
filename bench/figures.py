"""Figures with their targets, and the table that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What upstream needs for it (bare processes, two cores) and what ours must reach; `more` means more is better."""

    upstream: float | None
    ours: float | None
    unit: str
    more: bool = False


TARGETS = {
    "start to /readyz": Target(3.06, 0.8, "s"),
    "start to node Ready": Target(3.94, 1.0, "s"),
    "memory idle, PSS of all processes": Target(618, 150, "MiB"),
    "memory of the API server per stored pod": Target(None, 12, "kB"),
    "idle CPU": Target(3.1, 1.0, "% of a core"),
    "GET, 1 connection": Target(1053, 4000, "/s", more=True),
    "GET, 32 connections": Target(3580, 15000, "/s", more=True),
    "LIST 1,000 pods, 1 connection": Target(48, 300, "/s", more=True),
    "LIST 1,000 pods, 32 connections": Target(60, 400, "/s", more=True),
    "CREATE, 1 connection": Target(545, 1500, "/s", more=True),
    "CREATE, 32 connections": Target(1849, 4000, "/s", more=True),
    "PATCH (merge), 1 connection": Target(493, 1200, "/s", more=True),
    "PATCH (merge), 32 connections": Target(1148, 3000, "/s", more=True),
    "watch: 100 watchers, 10 updates/s, p50": Target(None, None, "ms"),
    "watch: 100 watchers, 10 updates/s, p99": Target(None, None, "ms"),
    "watch: 1,000 watchers, 10 updates/s, p50": Target(18.4, 10, "ms"),
    "watch: 1,000 watchers, 10 updates/s, p99": Target(44.8, 25, "ms"),
    "pod POST to Ready, one by one, p50": Target(503, 100, "ms"),
    "pod POST to Ready, one by one, p99": Target(556, 200, "ms"),
    "graceful delete until gone, p50": Target(1204, 200, "ms"),
    "30 pods at once until all Ready": Target(3.62, 1.2, "s"),
    "deployment of 3 Available": Target(0.69, 0.2, "s"),
    "scale 3 -> 30 until Ready": Target(3.87, 1.2, "s"),
    "nginx, straight to the pod, 32 connections": Target(None, None, "/s", more=True),
    "nginx, through the Ingress, 32 connections": Target(None, None, "/s", more=True),
    "rolling update of 30": Target(7.31, 3.0, "s"),
    "p8s version --client": Target(None, 150, "ms"),
    "p8s image build, all cached": Target(None, 300, "ms"),
    "p8s image load, 100 MB": Target(None, 2.0, "s"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value under a name of TARGETS."""

    name: str
    value: float

    def verdict(self) -> str:
        """Whether the target is reached, and by how much it is missed."""
        target = TARGETS[self.name]
        if target.ours is None:
            return ""
        reached = self.value >= target.ours if target.more else self.value <= target.ours
        factor = target.ours / self.value if target.more else self.value / target.ours
        return "yes" if reached else f"missed, {factor:.1f} x"


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """Markdown, as bench/README.md keeps it."""
    rows = [("measure", "unit", "upstream", "target", "ours", "reached")]
    for figure in figures:
        target = TARGETS[figure.name]
        rows.append(
            (figure.name, target.unit, number(target.upstream), number(target.ours), number(figure.value), figure.verdict())
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
