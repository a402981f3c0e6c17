"""What lies in a sandbox's directory: pinned namespaces, shared memory, and the files its containers see."""

import socket
from pathlib import Path

from pybernetes.cri import types as t
from pybernetes.runtime.oci.spec import SandboxPaths
from pybernetes.runtime.state import SandboxRecord

SHM, NAMESPACES = "shm", "ns"
_POD = t.NamespaceMode.POD


def namespace_paths(directory: Path, record: SandboxRecord) -> dict[str, str]:
    """The shared namespaces (OCI type) and the files they are pinned on.

    A name that is given has a place of its own on the host's network, too: a node need not be called as its machine,
    which may hold several.
    """
    options = record.options
    kinds = {
        "network": options.network == _POD,
        "uts": options.network == _POD or bool(record.config.hostname),
        "ipc": options.ipc == _POD,
        "pid": options.pid == _POD,
        "user": record.users is not None,
    }
    return {kind: str(directory / NAMESPACES / kind) for kind, shared in kinds.items() if shared}


def users_file(directory: Path, record: SandboxRecord) -> Path | None:
    """Where the sandbox's user namespace is pinned, if it has one of its own."""
    return directory / NAMESPACES / "user" if record.users is not None else None


def are_pinned(paths: dict[str, str], directory: Path) -> bool:
    """Whether each file still has its namespace mounted on it: a mount is all that keeps a sandbox in being."""
    own = directory.stat().st_dev
    return all(Path(path).exists() and Path(path).stat().st_dev != own for path in paths.values())


def pause_cgroup(parent: str, sandbox_id: str) -> str:
    """Where process 1 of a shared PID namespace lives."""
    return f"{parent.rstrip('/')}/{sandbox_id}"


def write_files(directory: Path, record: SandboxRecord) -> None:
    """resolv.conf as the pod's DNS configuration has it, else as the node's; and the host name."""
    (directory / NAMESPACES).mkdir()
    (directory / SHM).mkdir()
    (directory / "hostname").write_text(hostname_of(record) + "\n")
    dns = record.config.dns_config
    given = resolv_conf(dns) if dns is not None else ""
    (directory / "resolv.conf").write_text(given or Path("/etc/resolv.conf").read_text())
    for name in ("hostname", "resolv.conf"):
        (directory / name).chmod(0o644)


def resolv_conf(dns: t.DNSConfig) -> str:
    """The resolver's file; empty if nothing is configured."""
    lines = []
    if dns.searches:
        lines.append("search " + " ".join(dns.searches))
    lines += [f"nameserver {server}" for server in dns.servers]
    if dns.options:
        lines.append("options " + " ".join(dns.options))
    return "".join(line + "\n" for line in lines)


def hostname_of(record: SandboxRecord) -> str:
    return record.config.hostname or socket.gethostname()


def sandbox_paths(directory: Path, record: SandboxRecord, netns: Path | None) -> SandboxPaths:
    """What the sandbox lends to its containers. `netns` is the node's network namespace, if it is not ours."""
    options = record.options
    namespaces = namespace_paths(directory, record)
    if netns is not None:
        namespaces.setdefault("network", str(netns))
    shm = directory / SHM if options.ipc == _POD else Path("/dev/shm")
    files = {
        "/etc/resolv.conf": directory / "resolv.conf",
        "/etc/hostname": directory / "hostname",
        "/dev/shm": shm,
    }
    return SandboxPaths(hostname_of(record), namespaces, files)
