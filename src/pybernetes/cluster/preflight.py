"""What a start needs of the machine, checked before anything is made: each problem with its cause and the next step."""

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster.profile import Profile

CONTROLLERS = ("cpu", "memory", "pids")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the cluster cannot start, and the line that mends it."""

    cause: str
    next_step: str


def check(profile: Profile) -> list[Problem]:
    """Everything that stands in the way, empty if nothing does; changes nothing."""
    if sys.platform != "linux":
        return [Problem(f"pods need Linux, this is {sys.platform}", "run it on Linux or in a Linux machine")]
    if os.geteuid() != 0:
        return [Problem("pods need root (namespaces, mounts, network)", f"sudo {Path(sys.argv[0]).name} start")]
    found = [check_overlay(), check_cgroups(), check_port(profile), check_room(profile)]
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
            return Problem(
                f"port {port} on 127.0.0.1 is taken ({error.strerror})",
                f"see who has it with: ss -ltnp 'sport = :{port}'; or use another: p8s start --api-port PORT",
            )
    return None


def check_room(profile: Profile, needed: int = 200 * 1024 * 1024) -> Problem | None:
    place = next(path for path in (profile.state, *profile.state.parents) if path.exists())
    stats = os.statvfs(place)
    free = stats.f_bavail * stats.f_frsize
    if free >= needed:
        return None
    return Problem(
        f"only {free // 2**20} MiB are free on the disk of {place}, a cluster needs {needed // 2**20} MiB",
        f"make room on it: du -xsh {place}/*",
    )
