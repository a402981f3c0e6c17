"""Metrics of the process itself, as Prometheus' client libraries name them; read off /proc where there is one."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from pybernetes.telemetry.metrics import Gauge, Registry

_STARTED = time.time()


def add_process_metrics(metrics: Registry) -> None:
    metrics.add(
        Gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            read=lambda: _STARTED,
        ),
        Gauge("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", read=time.process_time),
        Gauge("process_resident_memory_bytes", "Resident memory size in bytes.", read=_resident),
        Gauge("process_open_fds", "Number of open file descriptors.", read=_open_files),
    )


def _resident() -> float:
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0.0


def _open_files() -> float:
    with suppress(OSError):
        return float(len(os.listdir("/proc/self/fd")))
    return 0.0
