"""What this machine offers to a cluster: each check reads a little of /proc and /sys and changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pybernetes import API_LEVEL
from pybernetes.cluster import control, preflight, ranges
from pybernetes.cluster.preferences import command
from pybernetes.cluster.profile import Profile

OK, NOTE, FAIL = "ok", "note", "fail"
KERNEL = (5, 12)
"""mount_setattr(2); the others that are needed are older."""
LIKED_DISK, LIKED_MEMORY = 2 << 30, 512 << 20
INSTANCES, WATCHES = 128, 8192
BUILT = 1_750_000_000
"""A clock before this moment (2025) is wrong: certificates would not be valid yet."""


@dataclass(frozen=True, slots=True)
class Check:
    """`state` is FAIL for what prevents a start, NOTE for what limits a cluster or should be known."""

    name: str
    state: str
    found: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where to look: `root` is / but for tests."""

    profile: Profile
    environment: Mapping[str, str]
    root: Path = Path("/")

    def read(self, path: str) -> str:
        """A file's text, "" if there is none."""
        try:
            return (self.root / path.lstrip("/")).read_text(errors="replace").strip()
        except OSError:
            return ""

    def has(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).exists()

    def has_module(self, name: str) -> bool:
        """Loaded, built in, or there to be loaded."""
        release = self.read("/proc/sys/kernel/osrelease")
        lists = (f"/lib/modules/{release}/modules.{kind}" for kind in ("builtin", "dep"))
        return self.has(f"/sys/module/{name}") or any(f"/{name}.ko" in self.read(path) for path in lists)


def examine(machine: Machine) -> list[Check]:
    """Every check, in the order in which a start would need it; elsewhere than on Linux what simulated nodes need."""
    checks = CHECKS if sys.platform == "linux" else [check for check in CHECKS if check in ANYWHERE]
    return [check(machine) for check in checks]


def check_system(machine: Machine) -> Check:
    release = machine.read("/proc/sys/kernel/osrelease")
    if sys.platform != "linux":
        return Check("system", NOTE, f"{sys.platform}: nodes are simulated here", "p8s start --simulated")
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < KERNEL:
        return Check("system", FAIL, f"Linux {release}", f"a kernel from {'.'.join(map(str, KERNEL))} on")
    return Check("system", OK, f"Linux {release}")


def check_surroundings(machine: Machine) -> Check:
    if "microsoft" in machine.read("/proc/sys/kernel/osrelease").lower():
        return Check("surroundings", NOTE, "WSL: addresses are those of its virtual machine")
    if machine.has("/.dockerenv") or machine.has("/run/.containerenv"):
        return Check(
            "surroundings", NOTE, "a container: it has to be privileged", "docker run --privileged --cgroupns=host ..."
        )
    return Check("surroundings", OK, "a machine")


def check_rights(machine: Machine) -> Check:
    if os.geteuid() == 0:
        return Check("rights", OK, "root")
    return Check(
        "rights", NOTE, "not root, which p8s start needs", "sudo p8s doctor; or p8s start --simulated, which needs none"
    )


def check_cgroups(machine: Machine) -> Check:
    root = machine.root / "sys/fs/cgroup"
    version = (
        "v2" if (root / "cgroup.controllers").exists() else "v1" + (", hybrid" if (root / "unified").exists() else "")
    )
    if problem := preflight.check_cgroups(root):
        return Check("cgroups", FAIL, f"{version}: {problem.cause}", problem.next_step)
    return Check("cgroups", OK, f"{version} with cpu, memory, pids")


def check_overlay(machine: Machine) -> Check:
    if "overlay" in machine.read("/proc/filesystems").split() or machine.has_module("overlay"):
        return Check("overlayfs", OK, "there")
    return Check("overlayfs", FAIL, "the kernel has none, and images are made of it", "modprobe overlay")


def check_packets(machine: Machine) -> Check:
    missing = [name for name in ("nf_tables", "bridge", "veth") if not machine.has_module(name)]
    if not missing or not machine.has("/lib/modules"):
        return Check("network", OK, "nftables, bridge, veth")
    return Check("network", NOTE, f"not found as modules: {', '.join(missing)}", f"modprobe -a {' '.join(missing)}")


def check_forwarding(machine: Machine) -> Check:
    on = machine.read("/proc/sys/net/ipv4/ip_forward") == "1"
    return Check("forwarding", OK, "on" if on else "off; a start switches it on")


def check_namespaces(machine: Machine) -> Check:
    missing = [name for name in ("net", "mnt", "pid", "uts", "ipc") if not machine.has(f"/proc/self/ns/{name}")]
    if missing:
        return Check("namespaces", FAIL, f"the kernel lacks {', '.join(missing)}", "a kernel with CONFIG_NAMESPACES")
    if machine.read("/proc/sys/user/max_user_namespaces") == "0":
        return Check(
            "namespaces",
            NOTE,
            "no user namespaces: pods with hostUsers: false fail",
            "sysctl user.max_user_namespaces=15000",
        )
    return Check("namespaces", OK, "net, mnt, pid, uts, ipc, user")


def check_port(machine: Machine) -> Check:
    port = machine.profile.settings.api_port
    if control.is_running(machine.profile):
        return Check("API port", OK, f"{port}: the cluster's own")
    if control.state(machine.profile) == control.UNATTENDED:
        found = f"{port}: held by what runs on of a cluster that has lost its supervisor"
        return Check("API port", NOTE, found, command("start", machine.profile.name))
    if problem := preflight.check_port(machine.profile):
        if not machine.profile.exists():
            return Check("API port", NOTE, f"{problem.cause}: a new cluster takes the next that is free")
        return Check("API port", FAIL, problem.cause, problem.next_step)
    return Check("API port", OK, f"{port} is free")


def check_ranges(machine: Machine) -> Check:
    """Routes of others that lead into the cluster's ranges."""
    ours = machine.profile.settings.ranges
    others = list(ranges.routes(machine.read("/proc/net/route")))
    if found := ranges.overlapping(ours, others):
        state = FAIL if ranges.colliding(ours, others) else NOTE
        return Check("ranges", state, f"also routed elsewhere: {ranges.shown(found)}", preflight.OTHER_RANGES)
    return Check("ranges", OK, f"{ours[0]} and {ours[1]} are free")


def check_disk(machine: Machine) -> Check:
    place = preflight.nearest(machine.profile.state)
    if problem := preflight.check_room(machine.profile):
        return Check("disk", FAIL, problem.cause, problem.next_step)
    stats = os.statvfs(place)
    free = stats.f_bavail * stats.f_frsize
    text = f"{free / 2**30:.1f} GiB are free at {place}"
    return Check("disk", OK, text) if free >= LIKED_DISK else Check("disk", NOTE, text, "images need room: sudo p8s df")


def check_memory(machine: Machine) -> Check:
    lines = dict(line.split(":", 1) for line in machine.read("/proc/meminfo").splitlines() if ":" in line)
    available = int(lines.get("MemAvailable", "0 kB").split()[0]) << 10
    text = f"{available / 2**20:.0f} MiB are available"
    return (
        Check("memory", OK, text)
        if available >= LIKED_MEMORY
        else Check("memory", NOTE, text, "end what is not needed")
    )


def check_inotify(machine: Machine) -> Check:
    limits = {"max_user_instances": INSTANCES, "max_user_watches": WATCHES}
    found = {name: int(machine.read(f"/proc/sys/fs/inotify/{name}") or 0) for name in limits}
    low = [name for name, least in limits.items() if found[name] < least]
    text = ", ".join(f"{name} {value}" for name, value in found.items())
    fix = "; ".join(f"sysctl fs.inotify.{name}={limits[name] * 4}" for name in low)
    return Check("inotify", NOTE if low else OK, text, fix)


def check_clock(machine: Machine) -> Check:
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if time.time() < BUILT:
        return Check("clock", FAIL, f"{now} cannot be: certificates would not be valid", "timedatectl set-ntp true")
    return Check("clock", OK, now)


def check_dns(machine: Machine) -> Check:
    servers = [
        line.split()[1] for line in machine.read("/etc/resolv.conf").splitlines() if line.startswith("nameserver ")
    ]
    if servers:
        return Check("DNS", OK, f"names from outside by {', '.join(servers)}")
    return Check(
        "DNS",
        NOTE,
        "/etc/resolv.conf names no server: pods resolve the cluster's own names only",
        "echo nameserver ADDRESS >> /etc/resolv.conf",
    )


def check_proxy(machine: Machine) -> Check:
    given = {name.lower(): value for name, value in machine.environment.items() if value}
    proxy = given.get("https_proxy") or given.get("http_proxy")
    if not proxy:
        return Check("proxy", OK, "none")
    if "127.0.0.1" in given.get("no_proxy", ""):
        return Check("proxy", OK, f"{proxy}, not for 127.0.0.1")
    return Check(
        "proxy",
        NOTE,
        f"{proxy}, also for this machine: kubectl would ask it",
        "export NO_PROXY=127.0.0.1,localhost,10.0.0.0/8",
    )


def check_kubectl(machine: Machine) -> Check:
    program = shutil.which("kubectl", path=machine.environment.get("PATH"))
    if program is None:
        return Check("kubectl", NOTE, "not installed", "p8s kubectl says where it is")
    done = subprocess.run([program, "version", "--client"], capture_output=True, text=True, timeout=20, check=False)
    version = done.stdout.partition("v")[2].split()[0] if "v" in done.stdout else "of unknown version"
    minor, ours = version.split(".")[1:2], int(API_LEVEL.split(".")[1])
    if minor and minor[0].isdigit() and abs(int(minor[0]) - ours) > 1:
        return Check(
            "kubectl",
            NOTE,
            f"{version} at {program}, the cluster is {API_LEVEL}",
            f"kubectl 1.{ours - 1} to 1.{ours + 1}",
        )
    return Check("kubectl", OK, f"{version} at {program}")


def check_security(machine: Machine) -> Check:
    if machine.read("/sys/fs/selinux/enforce") == "1":
        return Check(
            "security",
            NOTE,
            "SELinux enforces; containers have no label of their own",
            "setenforce 0, if containers are denied files",
        )
    modules = machine.read("/sys/kernel/security/lsm")
    return Check("security", OK, modules or "no security module")


CHECKS: tuple[Callable[[Machine], Check], ...] = (
    check_system, check_surroundings, check_rights, check_cgroups, check_overlay, check_namespaces, check_packets,
    check_forwarding, check_ranges, check_port, check_disk, check_memory, check_inotify, check_clock, check_dns,
    check_proxy, check_security, check_kubectl,
)  # fmt: skip
ANYWHERE = frozenset({check_system, check_port, check_disk, check_clock, check_proxy, check_kubectl})
"""What does not look at the interfaces of Linux."""
