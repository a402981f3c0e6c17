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


def take(profile: str) -> Traces:
    """The picture now, of this process's own namespaces, and of mounts and cgroups of the profile: others have theirs."""
    return Traces(
        processes=frozenset(processes(profile)),
        mounts=frozenset(mounts(profile)),
        links=lines("ip", "-o", "link"),
        routes=lines("ip", "route", "show", "table", "all"),
        rules=lines("nft", "list", "ruleset"),
        cgroups=frozenset(cgroups(profile)),
        files=frozenset(str(path) for top in ("/var/lib", "/run", "/etc", "/dev/shm") for path in top_level(top)),
    )


def processes(profile: str) -> list[str]:
    """Whatever shares this process's network, or is in a cgroup of the profile's, as containers and monitors are."""
    network = os.readlink("/proc/self/ns/net")
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = Path(entry.path, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            is_ours = os.readlink(f"{entry.path}/ns/net") == network
            is_contained = f"/pybernetes/{profile}/" in Path(entry.path, "cgroup").read_text()
        except OSError:
            continue
        if command and (is_ours or is_contained):
            found.append(f"{entry.name} {command[:80]}")
    return found


def mounts(profile: str) -> list[str]:
    """All but those of other profiles."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    homes = ("/var/lib/pybernetes/", "/run/pybernetes/")
    return [point for point in points if not point.startswith(homes) or f"/pybernetes/{profile}/" in point]


def lines(*command: str) -> frozenset[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return frozenset(line.strip() for line in done.stdout.splitlines())


def cgroups(profile: str) -> list[str]:
    """Of every hierarchy: v1 has several mounted below the one of v2."""
    places = [top / "pybernetes" / profile for top in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir())]
    return [str(path) for place in places if place.exists() for path in (place, *place.rglob("*")) if path.is_dir()]


def top_level(directory: str) -> list[Path]:
    return list(Path(directory).iterdir()) if Path(directory).exists() else []
