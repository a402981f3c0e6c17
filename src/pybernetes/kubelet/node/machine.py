"""Facts about this machine. Blocking, cheap, and read anew at each call."""

import os
import platform
from pathlib import Path

from msgspec import Struct

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Machine(Struct, frozen=True):
    """What the Node object says of the machine."""

    cpus: int
    memory_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    hugepages: dict[str, int]
    """Page size in bytes as text -> bytes."""
    boot_id: str
    machine_id: str
    system_uuid: str
    kernel: str
    os_image: str
    architecture: str
    swap_bytes: int


def read_machine(root: Path) -> Machine:
    """Facts as of now; `root` is on the file system that pods write to."""
    memory = read_meminfo()
    disk = os.statvfs(root if root.exists() else "/")
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=memory.get("MemTotal", 0),
        disk_bytes=disk.f_blocks * disk.f_frsize,
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
        hugepages=_hugepages(),
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
        machine_id=_read("/etc/machine-id").replace("-", ""),
        system_uuid=_read("/sys/class/dmi/id/product_uuid") or _read("/etc/machine-id"),
        kernel=platform.release(),
        os_image=_os_image(),
        architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
        swap_bytes=memory.get("SwapTotal", 0),
    )


def read_cpu_seconds() -> float:
    """CPU time that the machine has spent on work since its start: not idle, not waiting for disks."""
    user, nice, system, _, _, irq, softirq, steal = map(int, _read("/proc/stat").split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def read_meminfo() -> dict[str, int]:
    """/proc/meminfo in bytes."""
    found: dict[str, int] = {}
    for line in _read("/proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        if len(fields) == 2 and fields[1] == "kB":
            found[name] = int(fields[0]) * 1024
    return found


def _hugepages() -> dict[str, int]:
    found: dict[str, int] = {}
    for directory in Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB"):
        size = int(directory.name.removeprefix("hugepages-").removesuffix("kB"))
        name = (
            f"{size // 1024 // 1024}Gi" if size >= 1024 * 1024 else f"{size // 1024}Mi" if size >= 1024 else f"{size}Ki"
        )
        found[name] = int(_read(directory / "nr_hugepages") or 0) * size * 1024
    return found


def _os_image() -> str:
    for line in _read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
