"""What a cluster leaves on a machine: processes, mounts, network namespaces, links, routes, rules, cgroups, files."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Traces:
    """A picture of everything that a cluster could leave behind."""

    processes: frozenset[str]
    mounts: frozenset[str]
    links: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]

    def beyond(self, before: Traces) -> dict[str, list[str]]:
        """What is there that was not there before, by kind; empty if nothing is."""
        found = {
            field.name: sorted(getattr(self, field.name) - getattr(before, field.name)) for field in fields(Traces)
        }
        return {name: items for name, items in found.items() if items}


def take() -> Traces:
    """The picture now, of this process's own namespaces."""
    return Traces(
        processes=frozenset(processes()),
        mounts=frozenset(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        links=lines("ip", "-o", "link"),
        routes=lines("ip", "route", "show", "table", "all"),
        rules=lines("nft", "list", "ruleset"),
        cgroups=frozenset(cgroups()),
        files=frozenset(str(path) for top in ("/var/lib", "/run", "/etc", "/dev/shm") for path in top_level(top)),
    )


def processes() -> list[str]:
    """Whatever shares this process's network, or is in a cgroup of ours (as containers and their monitors are)."""
    network = os.readlink("/proc/self/ns/net")
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = Path(entry.path, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            is_ours = os.readlink(f"{entry.path}/ns/net") == network
            is_contained = "/pybernetes/" in Path(entry.path, "cgroup").read_text()
        except OSError:
            continue
        if command and (is_ours or is_contained):
            found.append(f"{entry.name} {command[:80]}")
    return found


def lines(*command: str) -> frozenset[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return frozenset(line.strip() for line in done.stdout.splitlines())


def cgroups() -> list[str]:
    root = Path("/sys/fs/cgroup")
    return [str(path) for path in root.rglob("*") if path.is_dir() and "pybernetes" in path.parts]


def top_level(directory: str) -> list[Path]:
    return list(Path(directory).iterdir()) if Path(directory).exists() else []
