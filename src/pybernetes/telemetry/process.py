"""Metrics of the process itself, as Prometheus' client libraries name them; read off /proc where there is one."""

from __future__ import annotations

import os
import platform
import resource
import time
from contextlib import suppress
from pathlib import Path

from pybernetes.telemetry.metrics import Computed, Gauge, Registry

_STARTED = time.time()
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""As Go names them."""


def started_at() -> float:
    """Since when the process runs, in seconds of the Unix clock."""
    return _STARTED


def add_process_metrics(metrics: Registry) -> None:
    """Those of every process, under the names that Prometheus' clients give them; read when somebody asks."""
    metrics.add(
        Gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            read=lambda: _STARTED,
        ),
        Computed(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            (),
            lambda: [((), time.process_time())],
            kind="counter",
        ),
        Gauge("process_resident_memory_bytes", "Resident memory size in bytes.", read=_resident),
        Gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", read=_virtual),
        Gauge("process_open_fds", "Number of open file descriptors.", read=_open_files),
        Gauge("process_max_fds", "Maximum number of open file descriptors.", read=_most_files),
    )


def add_build_info(metrics: Registry, level: str) -> None:
    """Which Kubernetes this is (`1.36`)."""
    major, minor = level.split(".")
    platform_name = f"{platform.system().lower()}/{MACHINES.get(platform.machine(), platform.machine())}"
    values = (
        "1970-01-01T00:00:00Z", platform.python_implementation().lower(), "", "", f"v{level}.0",
        f"python{platform.python_version()}", major, minor, platform_name,
    )  # fmt: skip
    labels = (
        "build_date", "compiler", "git_commit", "git_tree_state", "git_version", "go_version", "major", "minor", "platform",
    )  # fmt: skip
    help = (
        "A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, "
        "build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running."
    )
    metrics.add(Computed("kubernetes_build_info", help, labels, lambda: [(values, 1)]))


def _resident() -> float:
    return _pages(1)


def _virtual() -> float:
    return _pages(0)


def _pages(column: int) -> float:
    """Bytes of a column of /proc/self/statm."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[column]) * os.sysconf("SC_PAGE_SIZE")
    return 0.0


def _most_files() -> float:
    return float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _open_files() -> float:
    with suppress(OSError):
        return float(len(os.listdir("/proc/self/fd")))
    return 0.0
