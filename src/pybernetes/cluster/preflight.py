"""What a start needs of the machine, checked before anything is made: each problem with its cause and the next step."""

import os
import shlex
import socket
import sys
from collections.abc import Collection
from pathlib import Path

from pybernetes.cluster import control, ranges
from pybernetes.cluster.errors import Problem
from pybernetes.cluster.preferences import command
from pybernetes.cluster.profile import Profile, list_profiles

STORE_SECONDS = 2.0
"""How long an etcd server may take to let itself be connected to."""
CONTROLLERS = ("cpu", "memory", "pids")


SIMULATED = "or the whole control plane with simulated nodes, here and now: p8s start --simulated"


def check_rights(*, simulated: bool = False) -> list[Problem]:
    """What nothing can be done without."""
    if simulated:
        return []
    if sys.platform != "linux":
        return [
            Problem(f"pods need Linux, this is {sys.platform}", f"run it on Linux or in a Linux machine; {SIMULATED}")
        ]
    if os.geteuid() != 0:
        # With all that was asked for, so that root starts the same.
        given = sys.argv[1:] if sys.argv[1:2] == ["start"] else ["start"]
        again = f"sudo {Path(sys.argv[0]).name} {shlex.join(given)}"
        return [Problem("pods need root (namespaces, mounts, network)", f"{again}; {SIMULATED}")]
    return []


OTHER_RANGES = "take the other network down, or p8s start --profile OTHER, which gets ranges that are free"


def check_ranges(profile: Profile) -> Problem | None:
    """Routes of this machine's that would take the packets to pods and services elsewhere."""
    found = ranges.colliding(profile.settings.ranges, ranges.of_machine())
    if not found:
        return None
    return Problem(f"addresses of cluster {profile.name!r} lead elsewhere: {ranges.shown(found)}", OTHER_RANGES)


def check(profile: Profile, *, running: bool = False) -> list[Problem]:
    """Everything that stands in the way, empty if nothing does; changes nothing.

    A cluster that is `running` and is to be started anew has its port and its routes itself.
    """
    if problems := check_rights(simulated=profile.settings.simulated):
        return problems
    found = [check_writable(profile), check_room(profile), check_store(profile)]
    if not profile.settings.simulated:
        found = [check_overlay(), check_cgroups(), *found]
    if not running:
        found += [check_port(profile), *([] if profile.settings.simulated else [check_ranges(profile)])]
    return [problem for problem in found if problem]


def check_overlay(filesystems: Path = Path("/proc/filesystems")) -> Problem | None:
    if "overlay" in filesystems.read_text().split():
        return None
    if os.system("modprobe overlay 2>/dev/null") == 0:
        return None
    return Problem("the kernel has no overlay file system, which images are made of", "modprobe overlay")


def check_cgroups(root: Path = Path("/sys/fs/cgroup")) -> Problem | None:
    """v2 lists its controllers in a file; v1 has a mounted directory for each."""
    unified = root / "cgroup.controllers"
    available = unified.read_text().split() if unified.exists() else [entry.name for entry in root.glob("*")]
    joined = {part for name in available for part in name.split(",")}
    missing = [name for name in CONTROLLERS if name not in joined]
    if not missing:
        return None
    return Problem(
        f"the cgroup controllers {', '.join(missing)} are not available under {root}",
        "mount them, or boot with cgroup_enable=" + ",".join(missing),
    )


def check_port(profile: Profile) -> Problem | None:
    port = profile.settings.api_port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Problem(f"port {port} on 127.0.0.1 is taken ({error.strerror})", _port_step(profile, port))
    return None


def _port_step(profile: Profile, port: int) -> str:
    """What makes the port free. A cluster that is there keeps its own: clients know it by that."""
    others = (other for other in list_profiles() if other.name != profile.name and other.settings.api_port == port)
    for other in others:
        if control.is_running(other):
            return f"cluster {other.name!r} has it: {command('stop', other.name)}"
    look = f"see who has it with: ss -ltnp 'sport = :{port}'"
    return look if profile.exists() else f"{look}; or use another: p8s start --api-port PORT"


def free_port(wanted: int, others: Collection[int] = ()) -> int:
    """The port, or the next one that nobody on 127.0.0.1 has, nor one of `others`."""
    for port in range(wanted, wanted + 100):
        if port in others:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    return wanted


def check_writable(profile: Profile) -> Problem | None:
    for wanted in (profile.state, profile.run):
        place = nearest(wanted)
        if not os.access(place, os.W_OK):
            return Problem(f"{place} cannot be written", f"findmnt --target {place}")
    return None


def check_store(profile: Profile) -> Problem | None:
    """At least one of the etcd servers that the profile names has to answer."""
    store = profile.settings.store
    if not store.startswith("etcd://"):
        known = store == "sqlite"
        return None if known else Problem(f"there is no store {store!r}", "--store sqlite, or etcd://HOST:PORT")
    refused = ""
    for server in store.removeprefix("etcd://").split(","):
        host, _, port = server.strip("/").rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), STORE_SECONDS):
                return None
        except ValueError:
            return Problem(f"{store!r} names no etcd", "--store etcd://HOST:PORT[,HOST:PORT...]")
        except OSError as error:
            refused = f"no etcd answers at {server} ({error.strerror or error})"
    return Problem(refused, "start it, or name another with --store")


def nearest(place: Path) -> Path:
    """The place, or the first directory above it that exists."""
    return next(path for path in (place, *place.parents) if path.exists())


NEEDED, LOW = 200 << 20, 32 << 20
"""Bytes on the disk: what a start wants to find; and with less than what a running cluster may soon keep nothing more."""


def check_room(profile: Profile, needed: int = NEEDED) -> Problem | None:
    place = nearest(profile.state)
    stats = os.statvfs(place)
    free = stats.f_bavail * stats.f_frsize
    if free >= needed:
        return None
    return Problem(
        f"only {free // 2**20} MiB are free on the disk of {place}, a cluster needs {needed // 2**20} MiB",
        f"make room on it: du -xsh {place}/*",
    )
