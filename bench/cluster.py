"""A cluster to measure: start-up, memory and idle CPU from outside, by /proc."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from pybernetes.cluster.profile import Profile, load
from pybernetes.cluster.readiness import Probe

PROFILE = "bench"
STARTS = 7
P8S = [str(Path(sys.executable).with_name("p8s"))]


def p8s(*arguments: str) -> None:
    subprocess.run([*P8S, *arguments, "--profile", PROFILE], check=True, stdout=subprocess.DEVNULL)


async def starts(*options: str) -> list[Figure]:
    """First starts of an empty cluster, timed from before the command: the middle one of STARTS."""
    moments = []
    for _ in range(STARTS):
        delete()
        moments.append(await timed_start(*options))
    delete()
    readyz, ready = (statistics.median(times) for times in zip(*moments, strict=True))
    return [Figure("start to /readyz", readyz), Figure("start to node Ready", ready)]


async def timed_start(*options: str) -> tuple[float, float]:
    """Seconds to /readyz and to the node's being Ready."""
    began = time.monotonic()
    command = asyncio.ensure_future(start(*options))
    readyz = None
    while readyz is None:
        profile = load(PROFILE)
        if (profile.certificates / "admin.key").exists() and Probe(profile).get("/readyz")[0] == 200:
            readyz = time.monotonic() - began
        await asyncio.sleep(0.01)
    await command
    return readyz, time.monotonic() - began


async def start(*options: str) -> Profile:
    """The cluster that is measured, once it is Ready."""
    command = await asyncio.create_subprocess_exec(
        *P8S, "start", "--profile", PROFILE, *options, stdout=asyncio.subprocess.DEVNULL
    )
    if await command.wait():
        sys.exit("p8s start failed")
    return load(PROFILE)


def delete() -> None:
    if load(PROFILE).exists():
        p8s("delete")


async def idle(profile: Profile, settle: float, seconds: float) -> list[Figure]:
    """Memory and CPU of all processes after `settle` seconds of nothing, CPU over `seconds`."""
    await asyncio.sleep(settle)
    pids = list(processes(profile))
    memory = sum(proportional_set_size(pid) for pid in pids) / 1024
    before = sum(cpu_seconds(pid) for pid in pids)
    await asyncio.sleep(seconds)
    used = sum(cpu_seconds(pid) for pid in pids) - before
    return [
        Figure("memory idle, PSS of all processes", memory),
        Figure("idle CPU", 100 * used / seconds),
    ]


def processes(profile: Profile) -> Iterator[int]:
    """The supervisor and all that descends from it."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (stat := read_stat(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    waiting = [int((profile.run / "supervisor.pid").read_text())]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, [])


def read_stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name; empty if the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def proportional_set_size(pid: int) -> int:
    """Kilobytes, shared pages divided among those who share them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def cpu_seconds(pid: int) -> float:
    stat = read_stat(pid)
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK") if stat else 0.0
